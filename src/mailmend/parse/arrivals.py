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
    rf"{_STAMP} \S{{1,255}} (opendkim|opendmarc)(?:\[\d{{1,10}}\])?: ({QUEUE_ID}): (.{{0,400}})"
)
_SIGNATURE = re.compile(
    rf'signature=\S{{1,20}} domain=({_DOMAIN}) selector=\S{{1,255}} result="([^"]{{0,100}})"'
)
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
    lines that a signature *holds* and whose it *tried*.
    """

    queue_id: str
    program: str
    verified: tuple[str, ...] | None = None
    signed: bool | None = None
    author: str | None = None
    holds: bool = False
    tried: str | None = None


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
    """With `LogResults` each signature has its line; without it, `SyslogSuccess` names the one that counted."""
    if match := _SIGNATURE.match(words):
        if match[2] == "no signature error":
            return Arrival(queue_id, "opendkim", (match[1].lower(),), True)
        return Arrival(queue_id, "opendkim", None if "DNS" in match[2] else (), True)
    if match := _TRIED.match(words):
        return Arrival(queue_id, "opendkim", None, True, tried=match[1].lower())
    if words.startswith("DKIM verification successful"):
        return Arrival(queue_id, "opendkim", None, True, holds=True)
    if words.startswith(("no signature data", "bad signature data")):
        return Arrival(queue_id, "opendkim", (), words.startswith("bad"))
    return Arrival(queue_id, "opendkim")


def _dmarc(queue_id: str, words: str) -> Arrival:
    match = _POLICY.match(words)
    return Arrival(queue_id, "opendmarc", author=match[1].lower() if match else None)


def _rspamd(queue_id: str, rest: str) -> Arrival:
    """Symbols with their options stand after `(default: `; what comes before is the envelope."""
    found = {
        name: options.rstrip(";").split(";")
        for name, options in _SYMBOL.findall(rest.partition("(default: ")[2])
    }
    allowed = tuple(option.partition(":")[0].lower() for option in found.get("R_DKIM_ALLOW", ()) if option)
    broken = "R_DKIM_REJECT" in found or "R_DKIM_PERMFAIL" in found
    known = allowed or broken or "R_DKIM_NA" in found
    dmarc = next((options for name, options in found.items() if name.startswith("DMARC_POLICY_")), ())
    author = (
        dmarc[0].partition(" ")[0].lower()
        if dmarc and re.fullmatch(_DOMAIN, dmarc[0].partition(" ")[0])
        else None
    )
    return Arrival(
        queue_id, "rspamd", allowed if known else None, bool(allowed or broken) if known else None, author
    )


def _author(message: str) -> str | None:
    """The one domain of a From: header, as a rule with INFO logs it: `header From: TEXT from CLIENT; from=<...>`."""
    header = message.removeprefix("info: header From: ").rpartition("; from=<")[0].rpartition(" from ")[0]
    found = {name.lower() for name in _FROM.findall(header)}
    return found.pop() if len(found) == 1 else None
