"""A log line of a verifier -> with which signatures a message arrived, and who its author is (RFC 6376, RFC 9989).

What Postfix itself logs says nothing of signatures. Programs beside it do: opendkim and rspamd say which domains'
signatures verified, opendmarc and rspamd the domain of From:, and so does a header_checks(5) rule with INFO. Their
lines are recognised by the program's name, which is to the left of everything that a stranger can write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailmend.parse import maillog
from mailmend.parse.lives import QUEUE_ID

# Words that stand in every line of which `arrival` can make something: to be looked for first.
SIGNS = (b"opendkim[", b"opendmarc[", b"; rspamd_task_write_log: ", b": info: header From: ")

_DOMAIN = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?"
_STAMP = (
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
)
_VERIFIER = re.compile(
    rf"{_STAMP} \S{{1,255}} (opendkim|opendmarc)(?:\[\d{{1,10}}\])?: ({QUEUE_ID}): (.{{0,4000}})"
)
_SIGNATURE = re.compile(
    rf'signature=\S{{1,20}} domain=({_DOMAIN}) selector=\S{{1,255}} result="([^"]{{0,100}})"'
)
_SIGNERS = re.compile(rf"message has signatures from ({_DOMAIN}(?:, {_DOMAIN}){{0,50}})$")
_NO_KEY = re.compile(rf"key (retrieval failed|revoked) \(s=[^\s,]{{1,255}}, d=({_DOMAIN})[,)]")
_TRIED = re.compile(rf"s=\S{{1,255}} d=({_DOMAIN}) a=\S{{1,40}} SSL")
_POLICY = re.compile(rf"({_DOMAIN}) (?:pass|fail|none)$")
_RSPAMD = re.compile(
    rf"(?:{_STAMP} \S{{1,255}} rspamd(?:\[\d{{1,10}}\])?: |{_STAMP} #\d{{1,10}}\([\w-]{{1,40}}\) )"
    rf"<\w{{1,40}}>; task; rspamd_task_write_log: id: <[^<>]{{0,998}}>, qid: <({QUEUE_ID})>, "
)
_SYMBOL = re.compile(r"(?<=[\[,])([A-Z0-9_]{3,60})\(-?\d{1,6}\.\d{1,6}\)\{([^{}]{0,1000})\}")
_FROM = re.compile(rf"@({_DOMAIN})>?\s{{0,20}}(?:\([^()]{{0,200}}\)\s{{0,20}})?(?:,|$)")


@dataclass(frozen=True, slots=True)
class Arrival:
    """*verified*: domains (d=) whose signatures verify, lower case, () for none; None: this line does not say.

    *signed*: it has a signature, whether or not it verifies; None: not said. *author*: the domain of From:, None
    where this line does not say. *program*: who says it; `cleanup` where Postfix itself does. opendkim tells in two
    lines that a signature *holds* and whose it *tried*, which is one of several. *signers*: the domains whose
    signatures this line names; of them *failed* those that do not verify, and will not: a key that DNS did not give
    says nothing for good. *final*: it tells of all signatures that there are.
    """

    queue_id: str
    program: str
    verified: tuple[str, ...] | None = None
    signed: bool | None = None
    author: str | None = None
    holds: bool = False
    tried: str | None = None
    signers: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    final: bool = False


def arrival(text: str) -> Arrival | None:
    """What one line says of one message; None where it says nothing of it."""
    text = text[: maillog.LINE_CAP].rstrip("\r\n")
    if match := _VERIFIER.match(text):
        return _dkim(match[2], match[3]) if match[1] == "opendkim" else _dmarc(match[2], match[3])
    if match := _RSPAMD.match(text):
        return _rspamd(match[1], text[match.end() :])
    line = maillog.line(text)
    if (
        line
        and line.queue_id
        and line.service == "cleanup"
        and line.message.startswith("info: header From: ")
    ):
        return Arrival(line.queue_id, "cleanup", author=_author(line.message))
    return None


def _dkim(queue_id: str, words: str) -> Arrival:
    """With `LogResults` one line has all signatures; without it, `SyslogSuccess` names the first that counted."""
    if words.startswith("signature=") and (found := _SIGNATURE.findall(words)):
        return _results(queue_id, found)
    if match := _SIGNERS.match(words):
        named = tuple(dict.fromkeys(match[1].lower().split(", ")))
        return Arrival(queue_id, "opendkim", None, True, signers=named)
    if match := _TRIED.match(words):
        return Arrival(queue_id, "opendkim", None, True, tried=match[1].lower())
    if match := _NO_KEY.match(words):
        signer, revoked = (match[2].lower(),), match[1] == "revoked"
        told = (() if revoked else None), True
        return Arrival(queue_id, "opendkim", *told, signers=signer, failed=signer if revoked else ())
    holds = words.startswith("DKIM verification successful")
    if words.startswith(("no signature data", "bad signature data")):
        return Arrival(queue_id, "opendkim", (), words.startswith("bad"), final=True)
    return Arrival(queue_id, "opendkim", None, holds or None, holds=holds)


def _results(queue_id: str, found: list[tuple[str, str]]) -> Arrival:
    """`key not found in DNS` is no answer for good: where DNS failed a moment ago, opendkim says that too (2.11)."""
    told = [(domain.lower(), result) for domain, result in found]
    signers = tuple(dict.fromkeys(domain for domain, _ in told))
    good = {domain for domain, result in told if result == "no signature error"}
    unsure = {domain for domain, result in told if "DNS" in result} - good
    failed = tuple(domain for domain in signers if domain not in good | unsure)
    verified = tuple(domain for domain in signers if domain in good)
    return Arrival(
        queue_id, "opendkim", verified if good or failed else None, True, signers=signers, failed=failed
    )


def _dmarc(queue_id: str, words: str) -> Arrival:
    match = _POLICY.match(words)
    return Arrival(queue_id, "opendmarc", author=match[1].lower() if match else None)


def _rspamd(queue_id: str, rest: str) -> Arrival:
    """Symbols with their options stand after `(default: `; what comes before is the envelope."""
    found = {
        name: options.rstrip(";").split(";")
        for name, options in _SYMBOL.findall(rest.partition("(default: ")[2])
    }
    allowed = _named(found, "R_DKIM_ALLOW")
    failed = (*_named(found, "R_DKIM_REJECT"), *_named(found, "R_DKIM_PERMFAIL"))
    unsure = _named(found, "R_DKIM_TEMPFAIL")
    broken = "R_DKIM_REJECT" in found or "R_DKIM_PERMFAIL" in found
    known = allowed or broken or "R_DKIM_NA" in found
    signed = bool(allowed or broken or unsure)
    dmarc = next((options for name, options in found.items() if name.startswith("DMARC_POLICY_")), ())
    author = (
        dmarc[0].partition(" ")[0].lower()
        if dmarc and re.fullmatch(_DOMAIN, dmarc[0].partition(" ")[0])
        else None
    )
    return Arrival(
        queue_id,
        "rspamd",
        allowed if known else None,
        signed if known or signed else None,
        author,
        signers=tuple(dict.fromkeys((*allowed, *failed, *unsure))),
        failed=tuple(name for name in dict.fromkeys(failed) if name not in (*allowed, *unsure)),
    )


def _named(symbols: dict[str, list[str]], symbol: str) -> tuple[str, ...]:
    """The domains in a symbol's options, each `domain:s=selector`."""
    return tuple(option.partition(":")[0].lower() for option in symbols.get(symbol, ()) if option)


def _author(message: str) -> str | None:
    """The one domain of a From: header, as a rule with INFO logs it: `header From: TEXT from CLIENT; from=<...>`."""
    header = message.removeprefix("info: header From: ").rpartition("; from=<")[0].rpartition(" from ")[0]
    found = {name.lower() for name in _FROM.findall(header)}
    return found.pop() if len(found) == 1 else None
