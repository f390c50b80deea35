"""A line of Postfix's log -> who logged it, when, about which message, and what became of a recipient.

Everything after `[pid]: ` may hold text that a stranger chose: addresses, host names, replies. So a line is
read from the left, quotes are honoured (RFC 5321 4.1.2), fields are taken by their name and in any number
(Postfix 3.11 puts `tls=` where 3.10 has nothing), and the reply is opaque to the end of the line. Every
pattern is possessive and linear in the line, of which the first 8 KB are read. All this holds for addresses with
their quotes, as Postfix logs them since 3.5; where postconf(5) info_log_addr_form is `internal`, it leaves them away,
and nobody can tell a forged line from a true one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mailmend.model import Delivery, Relay, Reply, Severity, family_of

LINE_CAP = 8192

_MONTHS = {
    m: n
    for n, m in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}

# Traditional, RFC 3339 (or journalctl's short-iso, whose offset has no colon), journalctl's short-full.
_STAMP = (
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9}+)?"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9}+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]{3,5}+)"
)
# What a container's log driver writes before the line: a name and a bar, a stream, or a whole syslog head.
_CARRIER = (
    r"(?:[\w.-]{1,64}+ {1,20}+\| |<\d{1,3}+>|" + _STAMP + r" std(?:out|err) [FP] "
    r"|" + _STAMP + r" [\w.:-]{1,255}+ (?:[0-9a-f]{12}|docker[\w./-]{0,80}+|conmon|podman)\[\d{1,10}+\]: )?"
)
_HEAD = re.compile(
    r"\s{0,80}+"
    + _CARRIER
    + rf"(?:{_STAMP} {{1,3}}+(?={_STAMP}))?"  # `docker logs -t` puts its own time before the line's
    + rf"(?:({_STAMP}) {{1,3}}+)?"
    + r"(?:([^\s\[\]|/=<>\"(),]{0,254}[^\s\[\]|/=<>\"(),:]) )??"
    + r"(?:(?:DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRIT|FATAL) {1,8}+)?"  # some loggers write a level
    + r"([^\s\[\]:=<>\"()]{1,120}+)\[(\d{1,10}+)\]: (?:\[ID \d{1,10}+ \w{1,12}+\.\w{1,12}+\] )?"
)
# Short ids are hexadecimal; long ones (enable_long_queue_ids) have no vowels, so neither is ever a word.
_QUEUE_ID = re.compile(r"(?:([0-9A-F]{5,20}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,30})|NOQUEUE): ")
_ADDRESS = r'<((?:"(?:[^"\\]++|\\.)*")?[^"<>]*+)>'
_FIELD = re.compile(rf"([a-z_]{{2,16}}+)=(?:{_ADDRESS}|((?!<)[^,]*+)), ", re.DOTALL)
_STATUS = re.compile(r"status=([A-Za-z-]{2,20}+) \(", re.DOTALL)
# error(8) says so of a recipient whose domain is none. Only a program on this host can submit one, in which anything
# may stand unquoted, fields too: then nobody can tell where the address ends.
_NO_DOMAIN = "status=bounced (bad address syntax)"
_FROM = re.compile(rf"from={_ADDRESS}", re.DOTALL)
_RELAY = re.compile(r"([^\[\]]*+)(?:\[([^\]]*+)\](?::([\w-]++))?)?$")
_SAID = re.compile(
    r"(?:delivery temporarily suspended: )?host ([^\s\[]++)\[([^\]\s]++)\] (?:said|refused to talk to me): ",
    re.DOTALL,
)
_STAGE = re.compile(r" \(in reply to [A-Za-z ]{2,40}\)?$")
_REJECT = re.compile(
    r"(?:milter-)?(reject|reject_warning): ([A-Z][A-Z-]*+(?: command)?) from "
    r"[^\s\[]*+\[([0-9A-Fa-f.:]++)\](?::\d++)?: ",
)
_SUBJECT = re.compile(rf"(?:\d{{3}} )?(?:\d\.\d{{1,3}}\.\d{{1,3}} )?(?:{_ADDRESS}: )?", re.DOTALL)
_REJECTED_FROM = re.compile(rf"; from={_ADDRESS}", re.DOTALL)
_REJECTED_TO = re.compile(rf",? to={_ADDRESS}", re.DOTALL)
_REJECTED_BY = re.compile(r",? proto=E?SMTP,? helo=<")
_WHOLE = 1900  # characters; a longer line may have been cut
_ENVELOPES = 20  # that are looked at in a rejection


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: *tag* is the syslog_name, *service* the program (`postfix/relay/smtp` -> these two parts:
    `postfix/relay` and `smtp`). *queue_id* is None for NOQUEUE. *message* is what follows it; *text* is all.
    """

    at: datetime | None
    host: str | None
    tag: str
    service: str
    pid: int
    queue_id: str | None
    message: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery attempt as the log words it. *reply* is all that stood in the parentheses."""

    recipient: str
    original_recipient: str | None
    relay: Relay | None
    port: str | None
    dsn: str | None
    status: str
    reply: str
    tls: str | None = None
    delays: str | None = None


def line(text: str, now: datetime | None = None) -> LogLine | None:
    """Read one line; None where it is not one of Postfix's (or of a program that logs as it does).

    *now* (with a zone) dates the stamps that name no year or no offset: the latest such time that is not
    more than a day ahead of it. Without *now* those lines have no time.
    """
    text = text.lstrip("\0")[:LINE_CAP].rstrip("\r\n")  # a crash or copytruncate leaves a hole before it
    head = _HEAD.match(text)
    if head is None:
        return None
    stamp, host, tag, pid = head.groups()
    name, slash, service = tag.rpartition("/")
    if not slash or not name or not service:
        return None
    message = text[head.end() :]
    queue = _QUEUE_ID.match(message)
    return LogLine(
        at=time(stamp, now) if stamp else None,
        host=host,
        tag=name,
        service=service,
        pid=int(pid),
        queue_id=queue[1] if queue else None,
        message=message[queue.end() :] if queue else message,
        text=text,
    )


def time(stamp: str, now: datetime | None = None) -> datetime | None:
    """The time that *stamp* means, as `line` explains; None where it cannot be told."""
    try:
        if stamp[0].isdigit():
            at = datetime.fromisoformat(stamp)
            return at if at.tzinfo else (at.replace(tzinfo=now.tzinfo) if now else None)
        if stamp[4:8].isdigit():  # Sun 2026-11-22 10:56:24 UTC
            day, clock, zone = stamp[4:].split(" ")
            at = datetime.fromisoformat(f"{day}T{clock}")
            return (
                at.replace(tzinfo=UTC) if zone == "UTC" else (at.replace(tzinfo=now.tzinfo) if now else None)
            )
        if now is None:
            return None
        return _yearless(stamp, now)
    except (ValueError, KeyError):
        return None


def _yearless(stamp: str, now: datetime) -> datetime | None:
    month, day, clock = (
        _MONTHS[stamp[:3]],
        int(stamp[4:6]),
        (int(stamp[7:9]), int(stamp[10:12]), int(stamp[13:15])),
    )
    latest = now + timedelta(days=1)
    for year in range(latest.year, latest.year - 5, -1):  # 29 February may be four years back
        try:
            at = datetime(year, month, day, *clock, tzinfo=now.tzinfo)
        except ValueError:
            continue
        if at <= latest:
            return at
    return None


def attempt(of: LogLine) -> Attempt | None:
    """The outcome for one recipient that this line tells; None where it tells none."""
    message = of.message
    if not message.startswith("to=<"):
        return None
    fields: dict[str, str] = {}
    at = 0
    while (status := _STATUS.match(message, at)) is None:
        field = _FIELD.match(message, at)
        if field is None:
            return None
        name, address, value = field.groups()
        # Postfix writes each once, and addresses in brackets: this line was cut, and goes on with another.
        if name in fields or (address is None and name in ("to", "orig_to")):
            return None
        fields[name] = value if address is None else address
        at = field.end()
    relay, port = _relay(fields.get("relay", "none"))
    reply = message[status.end() :]
    if reply.endswith(_NO_DOMAIN) and ">, relay=none, " in reply:
        return None
    return Attempt(
        recipient=fields["to"],
        original_recipient=fields.get("orig_to"),
        relay=relay,
        port=port,
        dsn=fields.get("dsn"),
        status=status[1],
        reply=reply.removesuffix(")"),  # syslog cuts long lines: then there is none
        tls=fields.get("tls"),
        delays=fields.get("delays"),
    )


def _relay(text: str) -> tuple[Relay | None, str | None]:
    match = _RELAY.match(text)
    if text == "none" or match is None:
        return None, None
    host, ip, port = match.groups()
    return Relay(host or None, ip if family_of(ip) else None), port


def severity(of: Attempt) -> Severity:
    """What the log's status word comes to. A probe (`sendmail -bv`) is judged by its status code."""
    if of.status in ("sent", "deliverable"):
        return "delivered"
    if of.status in ("deferred", "SOFTBOUNCE") or (
        of.status == "undeliverable" and (of.dsn or "")[:1] == "4"
    ):
        return "deferred"
    return "bounced" if of.status in ("bounced", "undeliverable") else "notice"


def said(reply: str) -> str:
    """The remote server's own words within a logged reply: without `host ... said:` and the stage."""
    match = _SAID.match(reply)
    return _STAGE.sub("", reply[match.end() :]) if match else reply


def forwarded(recipient: str, original: str | None) -> bool | None:
    """True where the log shows that *original* became another address; None where it does not show it."""
    if original is None or original.casefold() == recipient.casefold():
        return None
    # `root` becoming `root@host.example.org` is an address completed, not mail forwarded.
    if "@" not in original and recipient.casefold().startswith(f"{original.casefold()}@"):
        return None
    return True


def sender(of: LogLine) -> str | None:
    """The envelope sender that qmgr logged at each activation of the message; "" is the null sender."""
    if of.service not in ("qmgr", "oqmgr", "nqmgr"):
        return None
    match = _FROM.match(of.message)
    return match[1] if match else None


def delivery(of: LogLine) -> Delivery | None:
    """What the line says of one recipient: an attempt's outcome, an own rejection, or a reply on the way.

    An own rejection (`reject:`) is `rejected-inbound`, its *source_ip* the client; one that was only
    warned about, and a server's reply after which the next address was tried, are `notice`.
    """
    if (tried := attempt(of)) is not None:
        return replace(told(tried), reporting_mta=of.host, queue_id=of.queue_id, at=of.at, excerpt=of.text)
    return _rejection(of) or _on_the_way(of)


def told(of: Attempt) -> Delivery:
    """What the attempt alone says, without its line's time, host and queue id."""
    reply = _reply(said(of.reply), of.dsn)
    return Delivery(
        severity=severity(of),
        recipient=of.recipient,
        reply=reply,
        relay=of.relay,
        original_recipient=of.original_recipient,
        source_ip=_contacted_from(reply),
        forwarded=forwarded(of.recipient, of.original_recipient),
    )


def _rejection(of: LogLine) -> Delivery | None:
    match = _REJECT.match(of.message)
    if match is None:
        return None
    kind, _, client = match.groups()
    # The refused address is quoted in our own reply and is the stranger's text: step over it first.
    subject = _SUBJECT.match(of.message, match.end())
    start = subject.end() if subject else match.end()
    end, sender, recipient = _envelope(of.message, start)
    return Delivery(
        severity="rejected-inbound" if kind == "reject" else "notice",
        recipient=recipient,
        reply=_reply(of.message[match.end() : end], None),
        sender=sender,
        source_ip=client,
        reporting_mta=of.host,
        queue_id=of.queue_id,
        at=of.at,
        excerpt=of.text,
    )


def _envelope(message: str, start: int) -> tuple[int, str | None, str | None]:
    """Where the reply ends, the sender and the recipient of a rejection.

    smtpd(8) writes the recipient without quotes into the reply, and HELO names as they came: where `from=` to `helo=`
    stands more than once, one of them is a stranger's, and nobody can tell which.
    """
    every: list[tuple[int, str | None, str | None]] = []
    whole, at = [], start
    while len(every) < _ENVELOPES and (sender := _REJECTED_FROM.search(message, at)):
        to = _REJECTED_TO.match(message, sender.end())
        found = (sender.start(), sender[1], to[1] if to else None)
        every.append(found)
        if _REJECTED_BY.match(message, to.end() if to else sender.end()):
            whole.append(found)
        at = sender.start() + 1
    if not every:
        return len(message), None, None
    if len(every) == _ENVELOPES or len(whole) > 1 or (not whole and len(message) > _WHOLE):
        return every[0][0], None, None
    return whole[0] if whole else every[0]


def _on_the_way(of: LogLine) -> Delivery | None:
    match = _SAID.match(of.message) if of.service in ("smtp", "lmtp") else None
    if match is None:
        return None
    told = _reply(said(of.message), None)
    return Delivery(
        severity="notice",
        reply=told,
        relay=Relay(match[1], match[2] if family_of(match[2]) else None),
        source_ip=_contacted_from(told),
        reporting_mta=of.host,
        queue_id=of.queue_id,
        at=of.at,
        excerpt=of.text,
    )


def _reply(text: str, dsn: str | None) -> Reply:
    from mailmend.parse import reply

    found = reply.parse(text)
    if found is None:
        return Reply(None, dsn, text)
    return found if found.status or not dsn else Reply(found.code, dsn, found.text)


def _contacted_from(said: Reply) -> str | None:
    from mailmend.parse import reply

    return reply.contacted_from(said.text)
