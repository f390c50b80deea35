"""What a log scan yields, block by block -> deliveries counted by receiver, address family, status and cause.

A `Tally` is fed block by block and stays small whatever the log's size: it counts by receiver, never by message.
Tallies of the parts of a log are joined in the order of the parts. Causes are told by `road.causes`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mailmend.model import Family
from mailmend.parse import logscan, maillog
from mailmend.road.through import Through
from mailmend.road.waiting import Waiting

if TYPE_CHECKING:
    from mailmend.parse.logscan import Failed, Rejected, Scanned, Scanner
    from mailmend.road.causes import Causes

BY = ("hour", "relay", "family", "status", "moved")  # what the scanner is to count by
SAMPLED = 8  # every eighth delivery's delays are measured
_FOLDED = 20_000  # distinct counts until they are added up
_NAMES = 2_000  # senders and domains that are counted; of more, the rarest are let go
_FAMILIES: dict[bytes, Family] = {b".": "ipv4", b":": "ipv6"}
_STATUSES = {"sent": "sent", "bounced": "bounced", "deferred": "deferred", "SOFTBOUNCE": "deferred"}
_REASON = re.compile(
    r"\n(?:(?:milter-)?reject: (\S+(?: command)?) from [^\s\[]*\[[^\]\n]*\](?::\d+)?: )?([^\n]*+)"
)
_NAMED = re.compile(r"<[^>\n]*>:? ?|\[[0-9a-fA-F.:]+\]|https?://\S+|;.*")


class Place(NamedTuple):
    """What deliveries are told by: *receiver* and *family* None where nobody's we know, or on this host."""

    receiver: str | None
    family: Family | None
    status: str
    cause: str | None


class HourPlace(NamedTuple):
    """*hour* is when the hour began, or the change in it since which is counted; None where the log does not say."""

    hour: datetime | None
    receiver: str | None
    family: Family | None
    status: str


@dataclass(frozen=True, slots=True)
class Clock:
    """What makes a log's hours times: *now* dates those without a year and has the zone of those without an *offset*.

    What comes after *since*, a change, is counted apart from what the same hour had before it.
    """

    now: datetime
    offset: tzinfo | None = None
    since: datetime | None = None

    def hour(self, written: bytes | str) -> datetime | None:
        """When *written* (`Nov 22 10`, `2026-11-22T10`) began; None: it is no hour."""
        began = logscan.hour(written, self.now, self.offset)
        return max(began, self.since) if began and self.since else began


@dataclass(slots=True)
class Told:
    """Deliveries of one `Place`: *text* is one of their replies, *domains* and *senders* the most frequent."""

    count: int = 0
    forwarded: int = 0
    text: str = ""
    who: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    domains: Counter[str] = field(default_factory=Counter)
    senders: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Open:
    """Failures of one place that are not added up yet: one by one that costs more than all the rest."""

    place: Place
    forwarded: int = 0
    stamps: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)

    def hours(self) -> Counter[str]:
        """How many there are of each hour, as written."""
        out: Counter[str] = Counter()
        for stamp, count in Counter(self.stamps).items():
            out[stamp.partition(":")[0]] += count
        return out

    def close(self, told: Told) -> None:
        """Add them to *told*."""
        told.count += len(self.stamps)
        told.forwarded += self.forwarded
        told.last = self.stamps[-1]
        _count(told.domains, [each.rpartition("@")[2].lower() for each in self.recipients])
        _count(told.senders, self.senders)


_STEPS, _LEAST, _RATIO = 96, 0.01, 1.2
_EDGES = tuple(_LEAST * _RATIO**step for step in range(_STEPS))


class Sketch:
    """Quantiles of durations in 96 classes of 20 % each: from 10 ms to four days, and what is less."""

    def __init__(self) -> None:
        self.counts = [0] * _STEPS

    def add(self, delay: bytes, count: int = 1) -> None:
        """Count a duration as Postfix writes it, in seconds; what is none is left out."""
        try:  # in a third of the time that `suppress` takes
            self.counts[_step(delay)] += count
        except ValueError:
            return

    def update(self, other: Sketch) -> None:
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]

    def quantile(self, share: float) -> float | None:
        """The upper edge of the class in which *share* of them have been; None of none, 0 below 10 ms."""
        total, before = sum(self.counts), 0
        for step, count in enumerate(self.counts):
            before += count
            if total and before >= share * total:
                return round(_EDGES[step], 3) if step else 0.0
        return None


@lru_cache(maxsize=4096)  # two digits are written, so there are not many
def _step(delay: bytes) -> int:
    return min(bisect_left(_EDGES, float(delay)), _STEPS - 1)


class Tally:
    """Everything counted so far; it can be sent from one process to another. Without a *clock* no hour is known.

    *alone*: it is not to be joined to that of an earlier part.
    """

    def __init__(self, clock: Clock | None = None, *, alone: bool = False) -> None:
        self.clock = clock
        self.lines = self.unparsed = self.messages = 0
        self.hours: Counter[HourPlace] = Counter()
        self.good: Counter[Place] = Counter()
        self.forwarded: Counter[Place] = Counter()
        self.bad: dict[Place, Told] = {}
        self.rejected: Counter[str] = Counter()
        self.delays: dict[str | None, tuple[Sketch, ...]] = {}
        self._open: dict[tuple[str | None, ...], _Open] = {}  # failures that are not added up yet
        self._failures = 0  # how many of them
        self._sampled: list[tuple[bytes, bytes]] = []  # relays and delays that are not added up yet
        self.through = Through(alone=alone)
        self.waiting = Waiting(alone=alone)
        self.pending: list[
            tuple[bytes, Place]
        ] = []  # failures whose sender an earlier part of the log may tell

    def add(self, seen: Scanned, scanner: Scanner, causes: Causes) -> None:
        """Take over what *scanner* has found in one block."""
        self.lines += seen.lines
        self.unparsed += seen.unparsed
        self.messages += seen.messages
        for passed in seen.passed_on:
            self.through.passed_on(passed)
        self._failed(seen.failed, causes)
        self.waiting.sent(seen.settled)
        self.waiting.gone(seen.gone)
        for name, count in reasons(seen.rejected).items():
            self.rejected[name] += count
        self._sampled += seen.delays
        if max(len(scanner.counts), len(self._sampled), self._failures) > _FOLDED:
            self.fold(scanner, causes)

    def turn(self, clock: Clock, scanner: Scanner, causes: Causes) -> None:
        """Go by *clock* from here on."""
        if clock != self.clock:
            self.fold(scanner, causes)
            self.clock = clock

    def fold(self, scanner: Scanner, causes: Causes) -> None:
        """Add up the scanner's counts, which it begins anew. To be called at the end as well."""
        relays = causes.relays
        few: Counter[tuple[bytes, str | None, bytes, bytes, bytes]] = Counter()
        for (hour, relay, family, status, moved), count in scanner.counts.items():
            few[hour, relays[relay], family, status, moved] += count
        began: dict[str, datetime | None] = {}
        for (hour, receiver, family, status, moved), count in few.items():
            if status != b"sent":  # those are counted one by one, with their causes
                continue
            place = Place(receiver, _FAMILIES.get(family), "sent", None)
            self._hour(hour.decode("ascii", "replace"), place, count, began)
            self.good[place] += count
            self.forwarded[place] += count if moved else 0
        for each in self._open.values():
            for written, count in each.hours().items():
                self._hour(written, each.place, count, began)
            each.close(self.bad[each.place])
        scanner.counts.clear()
        self._open.clear()
        self._failures = 0
        self._measure(causes)

    def _hour(self, written: str, place: Place, count: int, began: dict[str, datetime | None]) -> None:
        if written not in began:
            began[written] = self.clock.hour(written) if self.clock else None
        self.hours[HourPlace(began[written], place.receiver, place.family, place.status)] += count

    def update(self, later: Tally, before: logscan.Senders) -> None:
        """Add the tally of the part that follows; *before* has the senders that the parts so far have told."""
        self.lines += later.lines
        self.unparsed += later.unparsed
        self.messages += later.messages
        self.hours.update(later.hours)
        self.good.update(later.good)
        self.forwarded.update(later.forwarded)
        self.rejected.update(later.rejected)
        self.through.update(later.through)
        self.waiting.update(later.waiting)
        for place, told in later.bad.items():
            _join(self.bad.setdefault(place, Told(text=told.text, who=told.who, first=told.first)), told)
        for who, sketches in later.delays.items():
            mine = self.delays.setdefault(who, _sketches())
            for own, other in zip(mine, sketches, strict=True):
                own.update(other)
        for queue_id, place in later.pending:
            if (sender := before.get(queue_id)) is not None:
                _count(self.bad[place].senders, [sender.decode("utf-8", "backslashreplace")])

    def _failed(self, failures: Sequence[Failed], causes: Causes) -> None:
        of, hosts, families, every = causes.of, causes.hosts, causes.families, self._open
        through, waiting = self.through.failed, self.waiting.failed
        self._failures += len(failures)
        for failed in failures:
            word = _STATUSES.get(failed.status)
            if word is None:
                continue
            known = of(failed)
            over = families[failed.ip]
            relay = failed.relay
            # Whose host it was; where none was reached, whose the cause or the domain is.
            receiver = hosts[relay] if relay else known.receiver
            place = (receiver, over, word, known.cause)
            opened = every.get(place)
            if opened is None:
                opened = every[place] = self._opened(Place(*place), failed, known.who)
            opened.stamps.append(failed.stamp)
            opened.recipients.append(failed.recipient)
            if failed.original is not None:
                opened.forwarded += 1
            if failed.sender is None:
                self.pending.append((failed.queue_id.encode(), opened.place))
            else:
                opened.senders.append(failed.sender)
            through(failed, over, word, receiver, known.cause)
            waiting(failed, opened.place)

    def _opened(self, place: Place, first: Failed, who: tuple[str, ...]) -> _Open:
        if place not in self.bad:
            self.bad[place] = Told(text=maillog.said(first.text), who=who, first=first.stamp)
        return _Open(place)

    def _measure(self, causes: Causes) -> None:
        """Add the four parts of each delay to its receiver's; what is not as Postfix writes it is left out."""
        groups: dict[str | None, list[bytes]] = {}
        for relay, delays in self._sampled:
            if delays.count(b"/") == 3:
                groups.setdefault(causes.relays[relay], []).append(delays)
        for receiver, every in groups.items():
            sketches = self.delays.get(receiver)
            if sketches is None:
                sketches = self.delays[receiver] = _sketches()
            parts = b"/".join(every).split(b"/")
            for place, sketch in enumerate(sketches):
                for delay, count in Counter(parts[place::4]).items():
                    sketch.add(delay, count)
        self._sampled = []


def _sketches() -> tuple[Sketch, ...]:
    return tuple(Sketch() for _ in range(4))


def _count(names: Counter[str], more: Iterable[str]) -> None:
    names.update(more)
    if len(names) > _NAMES:
        kept = names.most_common(_NAMES // 2)
        names.clear()
        names.update(dict(kept))


def _join(mine: Told, other: Told) -> None:
    mine.count += other.count
    mine.forwarded += other.forwarded
    mine.last = other.last
    for own, names in ((mine.domains, other.domains), (mine.senders, other.senders)):
        for name, count in names.items():  # a Counter's own update asks much of each that is small
            own[name] = own.get(name, 0) + count
        if len(own) > _NAMES:
            kept = own.most_common(_NAMES // 2)
            own.clear()
            own.update(dict(kept))


def reasons(rejected: Sequence[Rejected]) -> Counter[str]:
    """What our own server refused for, without the clients and the addresses."""
    if not rejected:
        return Counter()
    # All at once: one by one, the calls would cost more than the work.
    found = _REASON.findall("\n".join(["", *[each.text for each in rejected]]))
    words = _NAMED.sub("", "\n".join([f"{when}: {why}" if when else why for when, why in found]))
    out: Counter[str] = Counter()
    for text, count in Counter(words.split("\n")).items():
        out[" ".join(text.split())[:160]] += count
    return out
