"""Text that a person pasted around a refusal -> Deliveries: a bare reply, a bounce's sentence, a dialogue.

One reply is one block of lines: it ends at a blank line, at the last line of a reply of several lines
(`550 ` after `550-`, RFC 5321 4.2.1), or where the next recipient or the next host begins.
"""

from __future__ import annotations

import re

from mailmend.model import Delivery, Relay, Reply, Severity, family_of
from mailmend.parse import maillog, reply

_CODE = re.compile(r"([2-5]\d\d)([- ]|$)(?:[245]\.\d{1,3}\.\d{1,3}\b)?")
_BULLET = re.compile(r"(?:[-*•]|\d{1,3}[.)]) {1,3}(?=[245]\d\d(?:[ -]|$))")
_OPENS = re.compile(
    r"<[^<>\s@]{1,64}@[^<>\s]{1,255}>(?: \(expanded from |:)|(?:\w+ )?\(?host [^\s\[]{1,255} ?\["
)
_UNFINISHED = re.compile(r"said: [45]\d\d(?: [45]\.\d{1,3}\.\d{1,3})?$")  # its words stand in the next line
_RECIPIENT = re.compile(
    r"(?:\bto=|\bTO: ?|\*\* |Final-Recipient: ?rfc822; ?)?"
    r"<?([^<>\s@,;:：\"'\[({]{1,64}@[A-Za-z0-9-][A-Za-z0-9.-]{0,253}[A-Za-z0-9-])"
)
_EXPANDED = re.compile(r"\(expanded from <([^<>\s]{1,320})>\)")
_RELAY = re.compile(
    r"(?:\bhost |\bH=|\brelay=|\bconnect to |\blost connection with |^)"
    r"([A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){1,20})\.? ?"
    r"\[([0-9A-Fa-f:.]{2,45})\]"
)
_NAMED = re.compile(r"(?:\b[0-9A-F]{5,20}|\b[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,30}): $")  # a queue id
_SPLIT = re.compile(r"(?<=[A-Za-z0-9]) \[(?=[0-9A-Fa-f.:]{2,45}\]:\d)")  # a wrap within relay=host[ip]:25
_REMOTE = re.compile(r"Remote-MTA: ?dns; ?([A-Za-z0-9.-]{1,255})")
# Without a code, only such words make a text a refusal: `550 guests came` or a letter must not become one.
_REFUSING = re.compile(
    r"not meet|been blocked|was blocked|rate.limited|not accept|unauthenticated|gsmtp|did ?n[o']t pass"
    r"|not pass|a ptr record|reject|refused|denied|blocked|mailbox (?:is )?full|quota|user unknown"
    r"|no such user|try again later|required for|starttls|unusual rate|does not exist|unrouteable"
    r"|retry time(?:out exceeded| not reached)|mailbox unavailable|address unknown|unknown user|relaying dis"
    r"|sasl authentication fail|certificate not (?:verified|trusted)|sender verify failed|on our block list"
    r"|marked as spam by|prevents additional messages|out of storage|over quota|greylist|(?:black|block)listed"
    # What Postfix and Exim say themselves, of a message that no server was asked about.
    r"|name service error|exceeds size limit|not offered by host|bad address syntax|command died with"
    r"|suppression list|has exceeded the max|loops back to myself",
    re.IGNORECASE,
)
# A reply code where an answer begins (RFC 5321 4.2.3, 4954 6), with a word of mail behind it.
_CODED = re.compile(
    r"(?:^|: ?|\()#?[45]\.[0-7]\.\d{1,3}:? "
    r"|(?:^|[\"'“„:(\[\]>] ?)(?:421|4[35]\d|50[0-4]|51\d|52[1-5]|53[0-8]|54[0-6]|55[0-8]|57[1-7])\]?[ ,'\":-]"
)
_OF_MAIL = re.compile(
    r"authenticat|sender|recipient|received:|received headers|spam|relay|smtp|black ?list|block ?list|lista\b"
    r"|open resolver|mailbox|rcpt|\bhelo\b|\bdns\b|certificate|remetente|destinat|encaminhamento|DT:|\bloop\b"
    r"|mta-sts|tlsa|dnssec|message (?:expired|too|size|content)|storedrv|resolver\.adr|command|queue|address"
    r"|dkim|\bspf\b|dmarc|e-?mail|ehlo|\btls\b|\bptr\b",
    re.IGNORECASE,
)
# What stands between a server and its words: then a code is a reply, whatever the words are.
_ANSWERED = re.compile(
    r"\bhost [^\s\[]{1,255} ?\[[0-9A-Fa-f:.]{2,45}\][^:]{0,60}(?:said|refused to talk to me|: ?$|:)"
    r"|refused to talk to me: |SMTP error from remote mail|did not like our [A-Z]{4}|\bfailed: [\w.-]{1,255}: [45]\d\d "
    # qmail; mail programs and libraries, of the server that they handed the mail to.
    r"|Diagnostic-Code: ?(?:smtp|SMTP); ?[45]\d\d"
    r"|\bRemote (?:host|server|SMTP server) (?:said|replied|answered|returned|responded)\b|SMTP\w*(?:Error|Exception)"
    r"|\bSMTP (?:ERROR|Error|error|code|reply|response|server error|server said|delivery error)\b|\bMailer Error\b"
    r"|\bExpected response code\b|\b(?:[Hh]ard|HARD|[Ss]oft|SOFT) ?(?:[Ff]ail|FAIL)\b"
)
# PHPMailer: what the server said, and behind it the codes.
_CODES_BEHIND = re.compile(
    r"Detail: (.{1,2000}?) ?SMTP code: ([245]\d\d)(?: Additional SMTP info: ([245][\d.]{2,8}))?"
)
# maddy's log: the reply, taken apart.
_FIELDS = re.compile(
    r'"smtp_code":([45]\d\d),"smtp_enchcode":"([45]\.[\d.]{3,7})"(?:.{0,500}?),?"smtp_msg":"([^"]{1,1000})"'
)
# A code that is quoted, in brackets or told of: `with message "550 ...`, `Error (451): ...`, `responded with 550 ...`.
_A_CODE = r"(421|4[35]\d|5[0-5]\d|57\d)"
_TOLD = re.compile(
    rf"(?:[\"'“„`|>]|\b(?:with|fail(?:ed)?|error|was|returned|got|code|mailers)) {{0,2}}{_A_CODE}[ -](?=[A-Za-z#<\[45])"
    rf"|[(\[]{_A_CODE}[)\]]:? ?(?=\S)",
    re.IGNORECASE,
)
_CLOSING = " \"'`”)}"
_OF_A_SESSION = re.compile(r"\bEOF\b|\bMX\b|connection|handshake|timed out|time-?out|deliver", re.IGNORECASE)
_OF_THE_WEB = range(500, 505)  # codes that web servers answer with as well
_AN_ERROR = 120  # characters: of one line that a program gave, nothing else is asked
_SHORT, _SHORT_LINES = 600, 6  # of a text without any code: characters, lines
_A_HOST = re.compile(r"(?<![\w.])(?:[A-Za-z0-9_-]{1,63}\.){1,10}[a-z]{2,20}\b(?!\()")
_PAIR = re.compile(r"\(([245]\d\d), b?['\"](.{1,2000}?)['\"]\)")  # Python's smtplib
# What a client says itself, of a server that did not answer.
_UNANSWERED = re.compile(
    r"\b(?:connect to|lost connection with|conversation with) [^\s\[]{1,255}\[[0-9A-Fa-f:.]{2,45}\]"
)


def deliveries(text: str) -> tuple[Delivery, ...]:
    """The refusals found in *text* (line ends `\\n`), in their order; () where there is none."""
    found = [d for block in _blocks(text) if (d := _delivery(block))]
    coded = [d for d in found if d.reply and (d.reply.code or d.reply.status)]
    return tuple(coded or found)


def remark(text: str) -> Delivery | None:
    """A short *text* about mail, or with a code, in which no refusal was found, taken for one; None for any other.

    Whether it is one only words that somebody knows can tell: nothing here does.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines or len(lines) > _SHORT_LINES or len(text) > _SHORT:
        return None
    words = reply.flat(text)
    said = reply.parse(_told_of(words) or words)
    coded = said is not None and (said.code or 0) >= 400 and said.code not in _OF_THE_WEB
    error = len(text) <= _AN_ERROR and said is not None and said.code is None
    if not (coded or error or _OF_MAIL.search(words) or _OF_A_SESSION.search(words) or _A_HOST.search(words)):
        return None
    before = _RECIPIENT.search(words)
    return Delivery(
        severity=_severity(said.code, said.status) if said and coded else "bounced",
        recipient=before[1] if before else None,
        reply=said,
        excerpt="\n".join(lines),
    )


def _blocks(text: str) -> list[str]:
    """*text* divided so that each block holds one reply at most."""
    blocks: list[list[str]] = [[]]
    last = ""  # the code of the block's reply, once its last line was seen
    for row in text.split("\n"):
        line = row.strip()
        if bullet := _BULLET.match(line):
            line = line[bullet.end() :]
        code = _CODE.match(line)
        if (not line and _complete(blocks[-1])) or (code and line[0] in "23"):
            blocks.append([])
            last = ""
            continue
        opens = _OPENS.match(line) and not (blocks[-1] and _UNFINISHED.search(blocks[-1][-1]))
        if blocks[-1] and ((code and last) or opens):
            blocks.append([])
            last = ""
        if code and code[2] != "-":
            last = code[1]
        if line:
            blocks[-1].append(line)
    return [" ".join(block) for block in blocks if block]


def _complete(block: list[str]) -> bool:
    """Whether a blank line ends *block*: not within `550-5.7.26` ... `550 5.7.26`, pasted with gaps."""
    codes = [code for line in block if (code := _CODE.match(line))]
    return not codes or codes[-1][2] != "-"


def refuses(said: Reply) -> bool:
    """Whether *said* is a refusal by its code and status, or by its words; `550 guests came` is none."""
    return bool((said.code and said.status) or _REFUSING.search(said.text))


def _delivery(block: str) -> Delivery | None:
    line = reply.flat(block)
    logged = _logged(line)
    if logged:
        return logged
    said = reply.parse(_codes_first(line))
    told = _told_of(line) if said and said.code is None else None
    if told:
        said = reply.parse(told)
    if said is None or (said.code is not None and said.code < 400):
        return None
    silent = said.code is None and bool(_UNANSWERED.search(line))
    answered = (said.code and _ANSWERED.search(line)) or (
        (said.code or said.status) and (told or _CODED.search(line)) and _OF_MAIL.search(line)
    )
    if not (refuses(said) or silent or answered):
        return None
    # Addresses are looked for before the reply only: what a receiver writes is its own affair.
    before = line[: line.find(said.text[:24])] if said.text and not silent else line
    recipient, expanded = _RECIPIENT.search(before), _EXPANDED.search(before)
    return Delivery(
        severity="deferred" if silent else _severity(said.code, said.status),
        recipient=recipient[1] if recipient else None,
        reply=said,
        relay=relay(before),
        original_recipient=expanded[1] if expanded else None,
        source_ip=reply.source_ip(line),
        forwarded=True if expanded else None,
        excerpt=block,
    )


def _codes_first(line: str) -> str:
    """*line*, or of what a program made of a reply the reply: codes before words."""
    if behind := _CODES_BEHIND.search(line):
        return f"{behind[2]} {behind[3] or ''} {behind[1]}"
    if pair := _PAIR.search(line):
        return f"{pair[1]} {pair[2]}"
    if fields := _FIELDS.search(line):
        return f"{fields[1]} {fields[2]} {fields[3]}"
    return line


def _told_of(line: str) -> str | None:
    """Of a *line* without a code where replies have it, the reply that a program quotes or tells of."""
    told = _TOLD.search(line)
    return f"{told[1] or told[2]} {line[told.end() :].rstrip(_CLOSING)}" if told else None


def _logged(line: str) -> Delivery | None:
    """A log line whose beginning was not copied: from the queue id, or from `to=<` on."""
    start = line.find("NOQUEUE: ")
    if start < 0:
        start = line.find("to=<")
    if start < 0 and "status=expired" in line:
        start = line.find("from=<")
    if start > 0 and (named := _NAMED.search(line[:start])):
        start = named.start()
    if start < 0 or not ("status=" in line or "NOQUEUE: " in line):
        return None
    stub = maillog.line(f"postfix/smtp[1]: {_SPLIT.sub('[', line[start:])}")
    return maillog.delivery(stub) if stub else None


def _severity(code: int | None, status: str | None) -> Severity:
    return "deferred" if str(code or status or "5").startswith("4") else "bounced"


def relay(before: str) -> Relay | None:
    """The host that answered, as the words around a reply name it: `host mx.example[192.0.2.1] said:`."""
    for found in _RELAY.finditer(before):
        if family_of(found[2]):
            return Relay(found[1], found[2])
    remote = _REMOTE.search(before)
    return Relay(remote[1], None) if remote else None
