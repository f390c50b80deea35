"""What a bounce without a report for machines tells people -> Deliveries: qmail, Exim, Exchange, Notes, many more.

There is no standard for it, but a common shape: recipients, each at the beginning of a line or after a label or a
sentence that names them, then the reason, then the message returned. The reason may stand before them instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from mailmend.model import Delivery, Relay, Reply, Severity, family_of
from mailmend.parse import prose, reply, transcript

WORDS_CAP = 64 * 1024  # characters before the returned message; a bounce says its piece in one tenth
ROWS_CAP = 3000
RECIPIENTS_CAP = 500
_ROW_CAP = 2000
_REASON_CAP = 2000

_A = r"((?:\"[^\"\s]{1,64}\"|[^\s<>()\[\],;:：\"'@*]{1,128})@(?:[\w-]{1,63}\.){1,10}[\w-]{2,63})"
_FIRST = re.compile(
    rf"[\s>*•\"'<\[-]{{0,24}}(?:SMTP:)?{_A}[>\"'\)\]]{{0,3}}"
    r"(?:$|[:;,)\[(]|\.\.\.|\.$| \.\.\. | on [A-Z][a-z]{2},| - |\s{2,}\S| [A-Z<\[(=])"
)
_LABEL = re.compile(
    r"\W{0,12}(?:(?:failed|final|intended|undeliverable|rejected) (?:recipient|address)"
    r"|recipient(?:s|\(s\))?(?: address)?|error-for|rcpt to|unknown user|undeliverable +to|undeliverable|to address"
    r"|delivery failed \d{1,4} attempts"
    r"|invalid final delivery userid|unable to deliver (?:your )?(?:message|mail) to|could not be delivered to|address"
    r"|(?:did not reach|was not delivered to) the following recipients?|user's mailbox is full|e-?mail address"
    r"|empfänger(?:adresse)?|destinataires?|destinatari[oi]s?|destinatários?|geadresseerden?|ontvanger|adresat|mottagare"
    r"|modtager|получател[ья]|адресат|宛先|送信先|收件人|받는 사람)"
    rf" ?(?:[:=：]\s{{0,8}}|(?<=to) )[\"'<\[]{{0,3}}(?:SMTP:|rfc822; ?)?{_A}",
    re.IGNORECASE,
)
_WITHIN = re.compile(
    r"(?:deliver (?:your |the |this )?(?:message|mail|e-?mail) to|addressed to|permanent errors:"
    r"|(?:not|n't|not be|n't be) delivered to"
    r"|your (?:message|mail|e-?mail) to|(?:nachricht|e-?mail) an|message (?:à|adressé à)|mensaje a|messaggio a"
    r"|bericht aan|mensagem para|wiadomość do|meddelande till|rejected recipient|quota violation for"
    r"|reach the following recipient:"
    rf"|Address:|SMTP=) ?[\"'<(\[]{{0,3}}{_A}",
    re.IGNORECASE,
)
# What stands in each of these: looked for plainly, before the pattern.
_LEADS_TO = (
    *("deliver", "addressed", "errors:", "your ", "rejected", "violation", "reach the", "address:", "smtp="),
    *(
        "nachricht an",
        "mail an",
        "message ",
        "mensaje",
        "messaggio",
        "bericht",
        "mensagem",
        "wiadomość",
        "meddelande",
    ),
)
_SENDER_NEXT = re.compile(
    r"(?:\b(?:sent by|from|contact|sender|reply to|write to)|^from|^sender) ?:?$", re.IGNORECASE
)
_GENERATED = re.compile(
    r"\((?:ultimately )?(?:generated|expanded) from:? <?([^\s<>()]{1,320})>?\)|Original address: (\S{1,320})",
    re.IGNORECASE,
)
_RETURNED = re.compile(
    r"[\s>#*=+|-]{0,60}(?:(?:below|enclosed|attached|attachment|included|here) .{0,30}\b(?:copy|part)\b"
    r"|this is a copy of|(?:a )?copy of (?:the|your) "
    r"|(?:the )?(?:original|returned|unsent|bounced) (?:mail|message|e-mail)"
    r"(?! (?:was|has|is|sender|id)\b)|the header|message headers? (?:follow|is)|start of returned|message text follows"
    r"|the first \d|-- the header|offending message)",
    re.IGNORECASE,
)
_HEADERS = re.compile(r"[> ]{0,4}(?:Return-Path|Received|DKIM-Signature): ?\S", re.IGNORECASE)
_DELAYED = re.compile(
    r"not yet been delivered|warning message only|still being retried|will be retried|(?:has|have) been delayed"
    r"|is only a warning|just a warning|advisory-only|delivery attempts will continue|continue to try|\bdelayed \d"
    r"|will continue to attempt|this is a warning only|could not send mail for past|has been postponed",
    re.IGNORECASE,
)
_CODED = re.compile(
    r"(?:^|[\s:;=\[(,<])(?:smtp; ?)?"
    r"([245]\d\d(?:[ -]#?[245]\.\d{1,3}\.\d{1,3}\b|[ :-](?= ?\S))|#?[245]\.\d{1,3}\.\d{1,3}\b)"
)
_HOSTS = re.compile(
    r"(?:\bhost:? |\bserver |\bby |\bwhile talking to |\bRemote system: dns; ?|^)"
    r"<?((?:[A-Za-z0-9_-]{1,63}\.){1,10}[A-Za-z]{2,24})(?![\w-]|\.\w)"
    r"\.?>?,? ?(?:\[([0-9A-Fa-f.:]{2,45})\])?(?= ?(?:\[|failed|responded|said|refused|rejected|:|5\.|4\.|SMTP|$|\.))"
)
_ADDRESSED = re.compile(
    r"(?:^| )(?:RCPT host |SMTP Server <)?([0-9.]{7,15})>?(?::|,? (?:does not like|failed after|refused|rejected)|$)"
)
_ANNOUNCED = re.compile(
    r"(?:following|failed) (?:address|recipient)|recipients? (?:failed|were)", re.IGNORECASE
)
_GOES_ON = re.compile(r"[245]\d\d-")  # the reply's next line comes, whatever stands between
_BOILERPLATE = re.compile(
    r"this (?:message|is an? |is the )|a message (?:that you|sent)|i'?m sorry|sorry to have to|delete your own"
    r"|if you do so|hi\b|the mail system|for further assistance|your (?:message|mail)$"
    r"|subject:|sent:|to:|message will be retried"
    r"|you do not need"
    r"|no action is required|please (?:do not|don't)|original sender:|the original message was received",
    re.IGNORECASE,
)
_HEADING = re.compile(r"[-=*#|_ ]{3,}.{0,80}?[-=*#|_]{3,} ?$|\*\* .{0,80} \*\*$|THIS IS A WARNING")
_LABELLED = re.compile(
    r"^(?:on [A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} [\d:]{8} [+-]\d{4} ?|(?:reason|error-text|because"
    r"|grund|ursache|raison|motif|motivo|reden|powód|orsak|årsag|причина|原因|理由|エラー内容) ?[:：] ?)+",
    re.IGNORECASE,
)
# `550: no such user` (Yahoo), `ERROR_CODE :550, ERROR_CODE :no such user` and `ResponseCode 421, ` (Zoho)
_OTHER_SIGNS = re.compile(
    r"(?:ERROR_CODE ?:|ResponseCode ?)([245]\d\d)\b[, ]{0,4}(?:ERROR_CODE ?:)?|^([245]\d\d): ?:? ?(?=[\w<])"
)
_IN_QUOTES = re.compile(r"(?i:remote server returned) '(.{1,4000})'")  # Exchange
_GIVING_UP = re.compile(r"\s{0,8}Giving up on [0-9.]{7,15}\.?")
_ERROR_FOLLOWS = re.compile(
    r"(?:gave this error|the response was|server responded(?: with)?|hat diesen fehler (?:aus|zurück)gegeben"
    r"|a (?:généré|renvoyé) (?:cette|l'|l’)erreur|(?:generó|devolvió) este error|ha restituito (?:questo|l')errore)"
    r"(?: suivante)? ?:\s*$",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]{3}")
_LEADS_ON = re.compile(r".{0,80}[:,،様]")


@dataclass(slots=True)
class _About:
    """One recipient while the text is read: the lines after it, as often as it is named."""

    recipient: str
    original: str | None = None
    rows: list[str] = field(default_factory=list)


def deliveries(text: str, subject: str = "") -> tuple[Delivery, ...]:
    """The recipients that *text* names, each with the reason given; one without recipient where it names none."""
    rows = _told(text)
    about, preamble = _named(rows)
    words = "\n".join(rows)
    said = transcript.read(words) if "<<<" in words or "... " in words else ()
    if said and not (about and _ANNOUNCED.search(words)):
        for name in (s.recipient for s in said if s.recipient):
            about.setdefault(name.lower(), _About(name))
    late = bool(_DELAYED.search(words) or _DELAYED.search(subject))
    if about:
        found = [_delivery(one, preamble[-60:], said) for one in about.values()]
    else:
        found = [_delivery(_About("", rows=preamble), [], said)]
    return tuple(replace(d, severity=_severity(d, late)) for d in found)


def _told(text: str) -> list[str]:
    """The rows that the mail system wrote: up to the message that it returns."""
    rows: list[str] = []
    for row in text[:WORDS_CAP].split("\n", ROWS_CAP)[:ROWS_CAP]:
        if (_RETURNED.match(row) or _HEADERS.match(row)) and (rows or row[:1] not in "- "):
            break
        rows.append(row[:_ROW_CAP].rstrip())
    return rows


def _named(rows: list[str]) -> tuple[dict[str, _About], list[str]]:
    """(who is named, with the rows that follow; the rows before the first of them)."""
    found: dict[str, _About] = {}
    preamble: list[str] = []
    current: _About | None = None
    last = ""
    for row in rows:
        origin = _GENERATED.search(row) if "from" in row or "riginal" in row else None
        hit = _FIRST.match(row) if origin else None
        if origin and not hit:
            address = origin[1] or origin[2]
            if current:
                current.original = current.original or address
                continue
            if "@" in address:  # `an undisclosed address (generated from ...)`
                current = found.setdefault(address.lower(), _About(address))
                continue
        elif not hit and "@" in row and not _SENDER_NEXT.search(last):
            hit = _FIRST.match(row) or _LABEL.match(row) or _within(row)
        if hit and len(found) < RECIPIENTS_CAP:
            again = current and current.recipient.lower() == hit[1].lower()
            current = found.setdefault(hit[1].lower(), _About(hit[1]))
            current.original = current.original or ((origin[1] or origin[2]) if origin else None)
            current.rows.append(row if again else row[hit.end(1) :].lstrip(">\"')]:;, "))
        else:
            (current.rows if current else preamble).append(row)
        last = row.strip() or last
    return found, preamble


def _within(row: str) -> re.Match[str] | None:
    lower = row.lower()
    return _WITHIN.search(row) if any(words in lower for words in _LEADS_TO) else None


def _delivery(one: _About, before: list[str], said: tuple[transcript.Said, ...]) -> Delivery:
    spoken = transcript.about(said, one.recipient) if said else None
    reason = spoken.words if spoken else _reason(one.rows, before)
    around = " ".join(" ".join(one.rows).split())[:_REASON_CAP]
    told = _reply(reason)
    return Delivery(
        severity="bounced",
        recipient=one.recipient or None,
        reply=told,
        relay=(transcript.relay(spoken) if spoken else None) or _relay(around),
        original_recipient=one.original,
        source_ip=reply.source_ip(told.text) if told else None,
        forwarded=True if one.original and one.original.lower() != one.recipient.lower() else None,
        excerpt="\n".join([one.recipient, *one.rows]).strip()[:_REASON_CAP],
    )


def _reason(rows: list[str], before: list[str]) -> str:
    """The words that say why: what has a code comes first, the rows after the recipient come before those above it."""
    after, above = _paragraphs(_quoted(rows)), _paragraphs(before)
    return _coded(after) or _coded(above) or _worded(after) or _worded(above)


def _quoted(rows: list[str]) -> list[str]:
    """The rows after `mx.example.com gave this error:`, where that announces the server's own words; else all."""
    for number, row in enumerate(rows[:-1]):
        if _ERROR_FOLLOWS.search(row[-80:]) and any(each.strip() for each in rows[number + 1 :]):
            return rows[number + 1 :]
    return rows


def _coded(paragraphs: list[list[str]]) -> str:
    """From the first code on to the end of its paragraph."""
    for paragraph in paragraphs:
        for number, row in enumerate(paragraph):
            if _CODED.search(row):
                return "\n".join(paragraph[_begins(paragraph, number) :])
    return ""


def _worded(paragraphs: list[list[str]]) -> str:
    """The first paragraph that says something: no heading, no greeting, no `for the following reason:`."""
    for paragraph in paragraphs:
        words = " ".join(" ".join(row for row in paragraph if not _HEADING.match(row)).split())
        words = _LABELLED.sub("", words)
        if _LETTERS.search(words) and not _BOILERPLATE.match(words) and not _LEADS_ON.fullmatch(words):
            return words
    return ""


def _begins(paragraph: list[str], number: int) -> int:
    """Where the sentence of the coded row begins: the row itself if the code does, else the whole paragraph."""
    return number if _CODED.match(paragraph[number].lstrip(" -<[")) else 0


def _paragraphs(rows: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for row in rows:
        if row.strip(" -=_*#|"):
            found[-1].append(row.strip())
        elif found[-1] and not _GOES_ON.match(found[-1][-1]):
            found.append([])
    return [paragraph for paragraph in found if paragraph]


def _reply(reason: str) -> Reply | None:
    """The reply within *reason*: what comes before its code is the reporting host's sentence, not the receiver's."""
    line = reply.flat(_GIVING_UP.sub("", reason))
    quoted = _IN_QUOTES.search(line)
    line = quoted[1] if quoted else line
    sign = _OTHER_SIGNS.search(line)
    if sign:
        line = f"{sign[1] or sign[2]} {line[sign.end() :]}"
    said = reply.parse(line)
    if said is None or said.code or said.status:
        return said
    coded = _CODED.search(line)
    inner = reply.parse(line[coded.start(1) :]) if coded else None
    return inner if inner and (inner.code or inner.status) and inner.text else said


def _relay(around: str) -> Relay | None:
    found = prose.relay(around)
    if found:
        return found
    named = _HOSTS.search(around)
    if named:
        return Relay(named[1], named[2] if family_of(named[2]) else None)
    bare = _ADDRESSED.search(around)
    return Relay(None, bare[1]) if bare and family_of(bare[1]) else None


def _severity(told: Delivery, late: bool) -> Severity:
    """A warning is a deferral whatever its code; a bounce is final even where the last reply began with 4."""
    return "deferred" if late else told.severity
