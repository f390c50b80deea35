"""Deliveries counted -> a report: who refused what, over which family, why, whose mail, and what follows from it."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailmend.model import Family
from mailmend.parse import maillog
from mailmend.road.findings import Note, findings
from mailmend.road.tally import HourPlace, Place, Sketch, Tally
from mailmend.road.through import Fell

HOUR = timedelta(hours=1)
_HIT = 20  # names that are told, over all
_NAMED = 10  # and of one row
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """*count* of deliveries that went alike, *first* to *last*; *text* is one of the replies.

    *domains* and *senders* are the most frequent ones, most frequent first.
    """

    place: Place
    count: int
    forwarded: int
    text: str = ""
    who: tuple[str, ...] = ()
    domains: tuple[tuple[str, int], ...] = ()
    senders: tuple[tuple[str, int], ...] = ()
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delays:
    """Of the four parts of Postfix's delays= in seconds (before the queue, in it, connecting, sending): median, p95."""

    receiver: str | None
    measured: int
    medians: tuple[float | None, ...]
    p95: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Waits:
    """*count* recipients of *messages* messages, deferred and not settled when the log ends.

    *since* is when that of *queue_id*, the oldest, was first deferred; *tried* when one was last, *text* the reply.
    """

    receiver: str | None
    family: Family | None
    cause: str | None
    count: int
    messages: int
    queue_id: str
    since: datetime | None
    tried: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A recipients' domain or a sender ("" is the null sender), and how often its mail failed."""

    name: str
    bounced: int
    deferred: int

    @property
    def count(self) -> int:
        return self.bounced + self.deferred


@dataclass(frozen=True, slots=True)
class Report:
    """A log told. *span* is its first and last time; *rows* the most frequent failures first, then what was sent.

    *hours* in their order, each *step* long and, where the log was read, cut where a change was made. *domains* and
    *senders* are those hit most. *waits* is None where nobody knows what waits; *more_wait*: more do than could be
    followed.
    """

    lines: int
    unparsed: int
    messages: int
    span: tuple[datetime | None, datetime | None]
    rows: tuple[Row, ...]
    rejected: tuple[tuple[str, int], ...]
    delays: tuple[Delays, ...]
    hours: tuple[tuple[HourPlace, int], ...]
    findings: tuple[Note, ...]
    domains: tuple[Hit, ...] = ()
    senders: tuple[Hit, ...] = ()
    waits: tuple[Waits, ...] | None = ()
    more_wait: bool = False
    step: timedelta = HOUR

    @property
    def empty(self) -> bool:
        """Whether nothing was logged in that time: then nothing is known, and nothing is well."""
        return not (any(self.span) or self.rows or self.rejected or self.messages)

    def total(self, *statuses: str) -> int:
        return sum(row.count for row in self.rows if not statuses or row.place.status in statuses)


def report(tally: Tally, span: tuple[datetime | None, datetime | None]) -> Report:
    """What *tally* says, ordered."""
    # Stamps without a year are dated by the log's end.
    now = span[1] or datetime.now().astimezone()
    bad = [
        Row(
            place,
            told.count,
            told.forwarded,
            told.text,
            told.who,
            _most(told.domains),
            _most(told.senders),
            maillog.time(told.first, now) if told.first else None,
            maillog.time(told.last, now) if told.last else None,
        )
        for place, told in tally.bad.items()
    ]
    good = [Row(place, count, tally.forwarded[place]) for place, count in tally.good.items()]
    return assembled(
        Counts(tally.lines, tally.unparsed, tally.messages, span),
        [*bad, *good],
        hours=tally.hours.items(),
        rejected=tally.rejected.items(),
        delays=tally.delays,
        fell=tally.through.fell,
        domains=hits((place, told.domains) for place, told in tally.bad.items()),
        senders=hits((place, told.senders) for place, told in tally.bad.items()),
        waits=_waits(tally, now),
        more_wait=tally.waiting.more,
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """The first figures of a `Report`."""

    lines: int
    unparsed: int
    messages: int
    span: tuple[datetime | None, datetime | None]


def assembled(
    counts: Counts,
    rows: Iterable[Row],
    *,
    hours: Iterable[tuple[HourPlace, int]],
    rejected: Iterable[tuple[str, int]],
    delays: Mapping[str | None, tuple[Sketch, ...]],
    fell: Counter[Fell],
    domains: tuple[Hit, ...],
    senders: tuple[Hit, ...],
    waits: tuple[Waits, ...] | None,
    more_wait: bool = False,
    step: timedelta = HOUR,
) -> Report:
    """A report of what was counted, wherever it comes from: put in its order, with what follows from it."""
    ordered = tuple(sorted(rows, key=_order))
    return Report(
        lines=counts.lines,
        unparsed=counts.unparsed,
        messages=counts.messages,
        span=counts.span,
        rows=ordered,
        rejected=tuple(sorted(rejected, key=lambda each: (-each[1], each[0]))),
        delays=tuple(
            _delays(who, delays[who])
            for who in sorted(delays, key=lambda who: (-sum(delays[who][0].counts), who or ""))
        ),
        hours=tuple(sorted(hours, key=_in_time)),
        findings=findings(ordered, fell, waits or (), counts.unparsed, counts.span[1]),
        domains=domains,
        senders=senders,
        waits=waits,
        more_wait=more_wait,
        step=step,
    )


def hits(failed: Iterable[tuple[Place, Mapping[str, int]]]) -> tuple[Hit, ...]:
    """Names with how often they were in what *failed* at a place -> those hit most, most first."""
    by: dict[str, dict[str, int]] = {"bounced": {}, "deferred": {}}
    for place, names in failed:
        of_status = by.setdefault(place.status, {})
        for name, count in names.items():
            of_status[name] = of_status.get(name, 0) + count
    bounced, deferred = by["bounced"], by["deferred"]
    every = {name for of_status in by.values() for name in of_status}
    ordered = ((-bounced.get(name, 0) - deferred.get(name, 0), name) for name in every)
    return tuple(
        Hit(name, bounced.get(name, 0), deferred.get(name, 0)) for _, name in heapq.nsmallest(_HIT, ordered)
    )


def _most(names: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(heapq.nsmallest(_NAMED, names.items(), key=lambda each: (-each[1], each[0])))


def _order(row: Row) -> tuple[bool, int, tuple[str, ...]]:
    return row.place.status == "sent", -row.count, tuple(part or "" for part in row.place)


def _in_time(of: tuple[HourPlace, int]) -> tuple[datetime, tuple[str, ...]]:
    hour, *rest = of[0]
    return hour or _LONG_AGO, tuple(part or "" for part in rest)


def _waits(tally: Tally, now: datetime) -> tuple[Waits, ...]:
    return tuple(
        Waits(
            each.receiver,
            each.family,
            each.cause,
            each.count,
            each.messages,
            each.queue_id,
            maillog.time(each.since, now) if each.since else None,
            maillog.time(each.tried, now) if each.tried else None,
            maillog.said(each.text),
        )
        for each in tally.waiting.queued()
    )


def _delays(who: str | None, sketches: tuple[Sketch, ...]) -> Delays:
    return Delays(
        who,
        sum(sketches[0].counts),
        tuple(sketch.quantile(0.5) for sketch in sketches),
        tuple(sketch.quantile(0.95) for sketch in sketches),
    )


# ---- before and after a change -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """What did not go through before a change and after it: counts of (failed, all). *family* None: over all."""

    change: str
    at: datetime
    receiver: str
    family: Family | None
    before: tuple[int, int]
    after: tuple[int, int]


def turns(
    found: Report, changes: Sequence[tuple[str, datetime]], uncut: timedelta | None = None
) -> tuple[Turn, ...]:
    """Of each change, (id, when) in their order, each receiver that had failures before it or after it, and mail on
    both sides: in all first (a cure may leave a family without mail), then over each family that had failures.

    Before is what came since the change before that one, after what came until the next. Where the hours are
    not cut at the changes but *uncut* long, that of the change counts in neither.
    """
    out = []
    began = [at for _, at in changes]
    for number, (change, when) in enumerate(changes):
        start = began[number - 1] if number else _LONG_AGO
        end = began[number + 1] if number + 1 < len(began) else None
        sides: dict[tuple[str, Family | None], list[list[int]]] = {}
        for at, count in found.hours:
            if at.hour is None or not at.receiver or at.hour < start or (end and at.hour >= end):
                continue
            if uncut and at.hour <= when < at.hour + uncut:
                continue
            for over in {None, at.family}:
                side = sides.setdefault((at.receiver, over), [[0, 0], [0, 0]])[at.hour >= when]
                side[0] += count if at.status != "sent" else 0
                side[1] += count
        for who, over in sorted(sides, key=lambda each: (each[0], each[1] or "")):
            (bad, every), (bad_after, every_after) = sides[who, over]
            told = all(total for _, total in sides[who, None])
            if told and (bad or bad_after):
                out.append(Turn(change, when, who, over, (bad, every), (bad_after, every_after)))
    return tuple(out)
