"""The words of an SMTP server, as found anywhere -> a Reply (RFC 5321 4.2, RFC 2034, RFC 3463).

Postfix flattens a reply of several lines into one and leaves `550-5.7.1` standing in the middle of it, its
bounces wrap that line again at any blank, qmail writes `_` for blanks, Exim writes `\\n` for line ends, and
people paste all of that. Every pattern here is linear: fixed widths, no nested repetition.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from mailmend.model import Reply

LONGEST = 8192  # characters; no MTA sends more, and more than this has only ever been an attack

_STATUS = r"[245]\.\d{1,3}\.\d{1,3}"
_SAID = re.compile(r"(?:\bsaid|refused to talk to me|did not like our [A-Za-z ]{1,20}): ?")
_ANNOUNCING = ("said", "refused to talk to me", "did not like our ")
_CODE_AND_STATUS = re.compile(rf"(?<![\w.:-])([2-5]\d\d)[- ]#?({_STATUS})(?![\w.])")
_CODE = re.compile(r"(?:^|[:;] ?|\()([2-5]\d\d)(?:[- ](?=\S)|$)")
_STATUS_FIRST = re.compile(rf"(?:^|[:;(] ?)#?({_STATUS})(?![\w.])")
_STATUS_ANYWHERE = re.compile(rf"\(#({_STATUS})\)")
_REPEATED = re.compile(rf"(?<![\w.:-])[245]\d\d[- ]#?{_STATUS}(?![\w.])")
_STATUSES = (" 5.", "-5.", " 4.", "-4.", " 2.", "-2.", "#")
_AFTERWARDS = re.compile(r" ?\(in reply to [A-Za-z ]{1,40} command\)?\)?$")
_QMAIL = re.compile(r"[45]\d\d[-_][45]\.\d|_said:_")
_QMAIL_LINE_END = re.compile(r"/(?=[2-5]\d\d[-_])")

_BRACKETED = re.compile(r"(?<![\w.])\[ ?([0-9A-Fa-f:.]{3,45})(?: \d{1,3})? ?\]")
_WITH_IP = re.compile(r"\bip(?: address)?:? \[? ?([0-9a-f:.]{3,45})", re.IGNORECASE)
_HOST = r"((?:[A-Za-z0-9_-]{1,63}\.){1,20}[A-Za-z0-9-]{2,63})"
_DOMAIN = re.compile(
    rf"(?:\bfrom domain \[ ?|\bspf (?:check for )?\[ ?|\bunauthenticated e?-?mail from ){_HOST}",
    re.IGNORECASE,
)

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‛ʼ´`", "'"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("‐‑–—", "-"),
        **dict.fromkeys("\u200b\u00ad\ufeff", ""),
    }
)
_MAIL = re.compile(r"\be-?mail\b")


def flat(text: str) -> str:
    """*text* as one line of single blanks, with Exim's and qmail's ways of writing line ends undone."""
    text = text[:LONGEST].replace("\\n", " ")
    if text.count("_") > 2 * text.count(" ") and _QMAIL.search(text):
        text = _QMAIL_LINE_END.sub(" ", text).rstrip("/\n").replace("_", " ")
    return " ".join(text.split())


def parse(text: str) -> Reply | None:
    """The reply within *text*, whatever stands around it; None where there is nothing but blanks.

    *code* and *status* are None where the text has none. A status that a DSN or a log gives beside the
    reply is not looked at: the reply's own is the better one.
    """
    line = flat(text)
    if not line:
        return None
    # A plain look first: most replies have none of this, and a pattern looks at every letter.
    said = _SAID.search(line) if any(words in line for words in _ANNOUNCING) else None
    if said:
        line = line[said.end() :]
    if "(in reply to " in line:
        line = _AFTERWARDS.sub("", line)
    code, status, before, after = _coded(line)
    words = _without_codes(after, code, status)
    # A fragment may start in the middle of a reply: then what stands before the first code belongs to it.
    if before and before[-1].isalpha() and not said:
        words = f"{before} {words}"
    return Reply(code, status, words.strip())


def _coded(line: str) -> tuple[int | None, str | None, str, str]:
    """(code, status, the text before them, the text after them)."""
    both, bare = _CODE_AND_STATUS.search(line), _CODE.search(line)
    if both and (bare is None or both.start() <= bare.start(1)):
        return int(both[1]), both[2], line[: both.start()].rstrip(), line[both.end() :]
    if bare:
        inside = both if both and both[1] == bare[1] else _STATUS_ANYWHERE.search(line)
        status = inside[inside.re.groups] if inside else None
        return int(bare[1]), status, line[: bare.start(1)].rstrip(), line[bare.end(1) + 1 :]
    alone = _STATUS_FIRST.search(line)
    behind = _STATUS_ANYWHERE.search(line)
    if behind and (alone is None or alone.start(1) == behind.start(1)):  # qmail: `no such mailbox. (#5.1.1)`
        return None, behind[1], "", f"{line[: behind.start()].rstrip()} {line[behind.end() :].lstrip()}"
    if alone:
        return None, alone[1], line[: alone.start(1)].rstrip(), line[alone.end(1) :]
    return None, None, "", line


def _without_codes(line: str, code: int | None, status: str | None) -> str:
    """*line* without the codes that the further lines of a reply began with."""
    if status:
        # The last line may carry another code than the others: seen `550-5.7.26 ... 450 4.7.26`.
        if any(words in line for words in _STATUSES):
            line = _REPEATED.sub("", line)
        if status[1:] in line:
            line = re.sub(rf"(?<![\w.:-])#?[245]{re.escape(status[1:])}(?![\w.])(?!\))", "", line)
    if code and f" {code}-" in line:
        line = re.sub(rf"(?<!\S){code}(?:-| (?=\S))", "", line)
    return " ".join(line.split())


def normalise(text: str) -> str:
    """*text* as rules compare it: one line, no codes, plain quotes, one spelling of mail, lower case."""
    found = parse(text)
    return plain(found.text) if found else ""


def plain(words: str) -> str:
    """*words* with plain quotes and dashes, `e-mail` and `email` as `mail`, in lower case."""
    lower = words.translate(_PLAIN).lower()
    return _MAIL.sub("mail", lower) if "email" in lower or "e-mail" in lower else lower


def source_ip(text: str) -> str | None:
    """The address that the receiver says it was contacted from: `[2001:db8::1   16]`, `with ip: [192.0.2.1]`.

    The address of the receiver itself (`host mx.example[2001:db8::25] said:`) is never taken for it.
    """
    found = parse(text)
    return contacted_from(found.text) if found else None


def contacted_from(words: str) -> str | None:
    """As `source_ip`, in the text of a Reply."""
    if "[" not in words and "ip" not in words.lower():
        return None
    for pattern in (_BRACKETED, _WITH_IP):
        for hit in pattern.finditer(words):
            try:
                return str(ip_address(hit[1].rstrip(".:") if pattern is _WITH_IP else hit[1]))
            except ValueError:
                continue  # redacted (`[2001:xxxx]`), or a time in brackets
    return None


def domain(text: str) -> str | None:
    """The domain that a reply about authentication names: the envelope sender's, or that of From:."""
    found = _DOMAIN.search(flat(text))
    return found[1].lower() if found else None
