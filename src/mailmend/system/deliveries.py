"""The log of the last days -> how mail fared, counted by receiving host, address family, status and reply."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Literal

from mailmend.model import Family, Severity, family_of
from mailmend.parse import maillog
from mailmend.questions import (
    Addressed,
    DeliveryCount,
    LogCounts,
    LogLines,
    RecentDeliveries,
    Spaced,
    Spacing,
)
from mailmend.system import logfiles, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailmend.system.follow import Place

BLOCK = 1 << 20
FILE_CAP = 4 << 30  # bytes after decompression: a .gz in a log directory may be a bomb
SENDERS_KEPT = 50  # per count
QUEUE_IDS_KEPT = 100_000  # per generation
LINES_KEPT = 1000

_STATUS = b" status="
_QUEUE_MANAGER = b"qmgr["
_LOCAL_IPV6 = b"[::1]"
# Quoted local parts and what is longer than an address may be (RFC 5321 4.5.3.1) are left out.
_ADDRESSED = re.compile(
    rb'\]: [0-9A-Za-z]{5,30}: to=<([^<>"\s]{3,320})>, (?:orig_to=<([^<>"\s]{1,320})>, )?relay='
)
_ADDRESSEES = 100_000  # that are counted; of more, the first
_TROUBLE = re.compile(rb"\]: (?:[0-9A-Za-z]{5,30}: )?(?:warning|error|fatal|panic): ")
# Whatever a receiver writes anew into each reply has a digit in it, or stands in <>.
_CHANGING = re.compile(r"<[^<>]*+>|[^\s<>]*?\d[^\s<>]*+")
_STATUSES: dict[Severity, Literal["sent", "bounced", "deferred"]] = {
    "delivered": "sent",
    "bounced": "bounced",
    "deferred": "deferred",
}

Key = tuple[
    str | None, Family | None, Literal["sent", "bounced", "deferred"], int | None, str | None, str, str, str
]


@dataclass(slots=True)
class _Sum:
    """What is kept of deliveries that went alike."""

    count: int = 0
    forwarded: int = 0
    first: datetime | None = None
    last: datetime | None = None
    reply: str = ""
    senders: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    """Everything counted so far. *recent* and *older* map a queue id to its sender: two generations, so that
    the map is bounded; qmgr logs the sender again each time it takes a message up.
    """

    lines: int = 0
    unparsed: int = 0
    since: datetime | None = None
    until: datetime | None = None
    local_ipv6_clients: int = 0
    sums: dict[Key, _Sum] = field(default_factory=dict)
    recent: dict[str, str] = field(default_factory=dict)
    older: dict[str, str] = field(default_factory=dict)


def recent(question: RecentDeliveries, place: Place) -> LogCounts:
    """Count the deliveries of the last *days*. `-bv` probes are no deliveries and are left out.

    A count's *service* is what the log names after the syslog_name's first part: `smtp`, `relay/smtp`.
    CannotLook: no log, or no permission to read it.
    """
    now = datetime.now(UTC).astimezone()
    start = now - timedelta(days=question.days)
    tally = _Tally()
    for lines in _blocks(place, start):
        _count(lines, tally, now, start)
    return LogCounts(
        path=str(place.path) if place.path else None,
        lines=tally.lines,
        unparsed=tally.unparsed,
        since=tally.since,
        until=tally.until,
        counts=tuple(_result(key, total) for key, total in tally.sums.items()),
        local_ipv6_clients=tally.local_ipv6_clients,
    )


def spaced(question: Spaced, place: Place) -> Spacing:
    """The times between the deliveries of one service, by their lines in the log. CannotLook as `recent`."""
    now = datetime.now(UTC).astimezone()
    start = now - timedelta(days=question.days)
    wanted = f"/{question.service}/".encode()
    messages, gaps = 0, list[float]()
    before: tuple[str | None, datetime] | None = None
    for lines in _blocks(place, start):
        for raw in lines:
            if _STATUS not in raw or wanted not in raw:
                continue
            line = maillog.line(raw.decode("utf-8", "surrogateescape"), now)
            tried = maillog.attempt(line) if line else None
            if line is None or tried is None or tried.status in ("deliverable", "undeliverable"):
                continue
            if line.tag.partition("/")[2] != question.service or line.at is None or line.at < start:
                continue
            if before and before[0] == line.queue_id:
                continue
            messages += 1
            gaps += [(line.at - before[1]).total_seconds()] if before else []
            before = line.queue_id, line.at
    return Spacing(messages, sum(gap < question.seconds for gap in gaps), min(gaps, default=None))


def addressed(question: Addressed, place: Place) -> tuple[str, ...]:
    """Counted by what each line calls them: for whom it came, else whom it went to. CannotLook as `recent`."""
    start = datetime.now(UTC).astimezone() - timedelta(days=question.days)
    found: Counter[bytes] = Counter()
    for lines in _blocks(place, start):
        for raw in lines:
            if _STATUS not in raw or (named := _ADDRESSED.search(raw, 0, maillog.LINE_CAP)) is None:
                continue
            if len(found) < _ADDRESSEES or (named[2] or named[1]) in found:
                found[named[2] or named[1]] += 1
    whole = (name.decode("utf-8", "surrogateescape").lower() for name, _ in found.most_common(question.most))
    return tuple(dict.fromkeys(whole))


def trouble(question: LogLines, place: Place) -> tuple[str, ...]:
    """The last 1,000 lines of warning, error, fatal and panic since *since*."""
    now = datetime.now(UTC).astimezone()
    # A traditional stamp has whole seconds: the line of 12:00:00.7 says 12:00:00.
    start = question.since.replace(microsecond=0)
    found: list[str] = []
    for lines in _blocks(place, start):
        for raw in lines:
            if not _TROUBLE.search(raw, 0, maillog.LINE_CAP):
                continue
            line = maillog.line(raw.decode("utf-8", "surrogateescape"), now)
            if line and (line.at is None or line.at >= start):
                found.append(line.text)
    return tuple(found[-LINES_KEPT:])


# ---- reading ------------------------------------------------------------------------------


def _blocks(place: Place, start: datetime) -> Iterator[list[bytes]]:
    """All lines of the log since about *start*, oldest file first, in batches."""
    if place.path is None:
        with opened.journal(f"--since=@{int(start.timestamp())}") as stream:
            yield from _batches(stream)
        return
    for path in logfiles.own(place.path, start):
        try:
            with opened.log(path) as (stream, _):
                yield from _batches(stream)
        except FileNotFoundError:  # rotated away between listing and reading
            continue


def _batches(stream: IO[bytes]) -> Iterator[list[bytes]]:
    rest, total = b"", 0
    while block := stream.read(BLOCK):
        total += len(block)
        if total > FILE_CAP:
            raise OSError(f"more than {FILE_CAP >> 30} GB")
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > BLOCK:  # no log has such a line; nothing of it is used
            rest = b""
        yield lines
    if rest:
        yield [rest]


# ---- counting -----------------------------------------------------------------------------


def _count(lines: Iterable[bytes], tally: _Tally, now: datetime, start: datetime) -> None:
    first = last = b""
    for raw in lines:
        if not raw:
            continue
        tally.lines += 1
        first, last = first or raw, raw
        if _STATUS in raw:
            _outcome(raw, tally, now, start)
        elif _QUEUE_MANAGER in raw:
            _remember(raw, tally)
        elif _LOCAL_IPV6 in raw and b": connect from " in raw:
            line = maillog.line(raw.decode("utf-8", "surrogateescape"), now)
            if line and line.service == "smtpd" and line.message.endswith(_LOCAL_IPV6.decode()):
                tally.local_ipv6_clients += _in_time(line.at, start)
    for raw in (first, last):
        line = maillog.line(raw.decode("utf-8", "surrogateescape"), now)
        if line and line.at and line.at >= start:
            tally.since = min(tally.since or line.at, line.at)
            tally.until = max(tally.until or line.at, line.at)


def _in_time(at: datetime | None, start: datetime) -> bool:
    return at is None or at >= start


def _remember(raw: bytes, tally: _Tally) -> None:
    if b": from=<" not in raw:
        return
    line = maillog.line(raw.decode("utf-8", "surrogateescape"))
    if line is None or line.queue_id is None or (sender := maillog.sender(line)) is None:
        return
    tally.recent[line.queue_id] = sender
    if len(tally.recent) >= QUEUE_IDS_KEPT:
        tally.recent, tally.older = {}, tally.recent


def _outcome(raw: bytes, tally: _Tally, now: datetime, start: datetime) -> None:
    line = maillog.line(raw.decode("utf-8", "surrogateescape"), now)
    tried = maillog.attempt(line) if line else None
    if line is None or tried is None:
        # qmgr's `from=<>, status=expired` names no recipient; anything else we should have understood.
        tally.unparsed += line is None or line.message.startswith("to=<")
        return
    status = _STATUSES.get(maillog.severity(tried))
    if status is None or tried.status in ("deliverable", "undeliverable") or not _in_time(line.at, start):
        return
    words = "" if status == "sent" else maillog.said(tried.reply)
    key: Key = (
        tried.relay.host if tried.relay else None,
        tried.relay.family if tried.relay else None,
        status,
        _code(maillog.said(tried.reply)),
        tried.dsn,
        tried.recipient.rpartition("@")[2].lower(),
        "/".join((*line.tag.split("/")[1:], line.service)),
        _CHANGING.sub(_kept, words),
    )
    total = tally.sums.get(key)
    if total is None:
        total = tally.sums[key] = _Sum()
    total.count += 1
    total.forwarded += maillog.forwarded(tried.recipient, tried.original_recipient) is True
    total.reply = tried.reply
    total.first = total.first or line.at
    total.last = line.at or total.last
    queue_id = line.queue_id or ""
    sender = tally.recent.get(queue_id, tally.older.get(queue_id))
    if sender is not None and len(total.senders) < SENDERS_KEPT:
        total.senders[sender] = None


def _kept(changing: re.Match[str]) -> str:
    """An address in brackets is what the reply is about: of refusals that name two, each is counted."""
    word = changing[0]
    bare = word.strip(".,;:()")
    return bare if bare.startswith("[") and family_of(bare.strip("[]")) else "*"


def _code(words: str) -> int | None:
    return int(words[:3]) if words[:3].isdigit() and words[3:4] in (" ", "-") else None


def _result(key: Key, total: _Sum) -> DeliveryCount:
    from mailmend.parse import reply

    relay_host, family, status, code, dsn, domain, service, _ = key
    parsed = reply.parse(maillog.said(total.reply))
    return DeliveryCount(
        relay_host=relay_host,
        family=family,
        status=status,
        code=code,
        dsn=dsn,
        text=parsed.text if parsed else total.reply,
        recipient_domain=domain,
        service=service,
        count=total.count,
        forwarded=total.forwarded,
        senders=tuple(total.senders),
        last=total.last or datetime.now(UTC).astimezone(),
        first=total.first,
    )
