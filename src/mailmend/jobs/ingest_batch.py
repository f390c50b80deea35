"""Blocks of a log in their order -> batches for the delivery store: counted, explained, failures whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from mailmend import catalogue
from mailmend.jobs.ingest_beside import STATUSES, Beside, whys
from mailmend.model import Family
from mailmend.parse import maillog
from mailmend.parse.logscan import Failed, Rejected, Scanned, Scanner
from mailmend.road import tally
from mailmend.road.causes import Causes, Known
from mailmend.road.tally import Sketch
from mailmend.road.through import Message, Through
from mailmend.system import logfiles
from mailmend.system.store import times
from mailmend.system.store.identity import Reached
from mailmend.system.store.queries import Place
from mailmend.system.store.write import Batch

BY = ("hour", "domain", "relay", "family", "status", "moved")
_FAMILIES: dict[bytes, Family | None] = {b".": "ipv4", b":": "ipv6"}
_SENT = b"sent"


@dataclass(frozen=True, slots=True)
class _Clock:
    """How stamps of a log become times: *offset* None where they have none (`times.hour`)."""

    dated: datetime
    offset: tzinfo | None


@dataclass(frozen=True, slots=True)
class _Look:
    """What a block tells of itself: when its first and its last line were written, and how its stamps are read."""

    first: datetime | None
    last: datetime | None
    clock: _Clock


@dataclass(frozen=True, slots=True)
class Cut:
    """What the blocks up to *at* told, since the cut before. *any_time*: whether any line so far was Postfix's."""

    at: Reached
    batch: Batch
    any_time: bool


class Gather:
    """Reads blocks, and hands out what they told since the last `batch` or `cut`. What one block tells of senders
    and of mail put off serves the next, also of the next file. *put_off* is what was told before (`Batch`).

    Blocks are read as they are given, until `beside`: from then on some are `behind`.
    """

    def __init__(self, put_off: Mapping[Message, int] | None = None) -> None:
        self.causes = Causes(catalogue.load())
        self.scanner = Scanner(by=BY, sampled=tally.SAMPLED, forwarded=True)
        self._counts = self.scanner.counts
        self._beside: Beside | None = None
        self._given: _Clock | None = None  # that of the last block which was given
        self._cuts: list[Cut] = []
        self._through = Through(alone=True, put_off=put_off or {})
        self._batch = Batch()
        self._bad: Counter[tuple[Place, int, str, bool]] = Counter()
        self._sketches: dict[tuple[int, str | None], tuple[Sketch, ...]] = {}
        self._sampled: dict[int, list[tuple[bytes, bytes]]] = {}  # by day, not added up yet
        self.any_time = False  # whether any line was one of Postfix's
        self._clock: _Clock | None = None
        self._hours: dict[str, int] = {}
        self._now = 0  # the hour of the block: for lines without a time
        self._places: dict[tuple[str | None, Family | None, str, str | None], Place] = {}

    @property
    def is_beside(self) -> bool:
        """Whether blocks are read in a process beside."""
        return self._beside is not None

    def beside(self) -> None:
        """Read what is given from now on in a process beside. Gone: it cannot be started, all is as it was."""
        if self._beside is None:
            self._beside = Beside(BY, tally.SAMPLED, self.scanner.senders)
            self._fold()
            self._counts = Counter()
            self.scanner = Scanner(by=BY, sampled=tally.SAMPLED)  # its senders are told there

    def close(self) -> None:
        """Drop what was given and not handed out."""
        if self._beside:
            self._beside.close()

    def block(self, block: bytes, dated: datetime) -> None:
        """Take whole lines to be read; *dated* as `logfiles.Part` has it. Gone: none of what is behind will be."""
        first, last = logfiles.edges(block, dated)
        # A stamp without an offset is given that of *dated* itself.
        offset = first.tzinfo if first and first.tzinfo is not dated.tzinfo else None
        look = _Look(first, last, _Clock(dated, offset))
        if self._beside is None:
            self._set(look.clock)
            seen = self.scanner.scan(block)
            self._read(look, seen, whys(self.causes, seen.failed))
            return
        if look.clock != self._given:
            self._beside.counts(self._counts.update)  # by the clock of those before
            self._given = look.clock
        self._beside.give(block, lambda seen, known: self._read(look, seen, known))

    def cut(self, at: Reached) -> None:
        """All that was given since the last cut is one `Cut`."""
        if self._beside is None:
            self._cuts.append(Cut(at, self._told(), self.any_time))
            return

        def counted(counts: Mapping[tuple[bytes, ...], int]) -> None:
            self._counts.update(counts)
            self._cuts.append(Cut(at, self._told(), self.any_time))

        self._beside.counts(counted)

    def cuts(self, *, wait: bool = False) -> Iterator[Cut]:
        """The cuts whose blocks were read, each once, in their order; with *wait* all of them. Gone: as `block`."""
        while True:
            while self._cuts:
                yield self._cuts.pop(0)
            if self._beside is None or not self._beside.answer(wait=wait):
                return

    @property
    def behind(self) -> bool:
        """Whether more was given than was handed out in cuts."""
        return bool(self._cuts or (self._beside and self._beside.waiting))

    def _read(self, look: _Look, seen: Scanned, known: Iterable[Known | None]) -> None:
        """Keep what a block told, in the order of the log; *known* is why each failed."""
        self._set(look.clock)
        first, last, dated, offset = look.first, look.last, look.clock.dated, look.clock.offset
        self.any_time = self.any_time or first is not None
        began, ended = (_unix(at, offset) if at else None for at in (first, last))
        if began is not None and first is not None:
            self._now = began - first.minute * 60 - first.second
        elif not self._now:
            self._now = int(dated.timestamp()) // 3600 * 3600
        told = self._batch.seen.setdefault(self._now, [0, 0, 0, began or self._now, ended or self._now])
        told[0] += seen.lines
        told[1] += seen.unparsed
        told[2] += seen.messages
        told[3] = min(told[3], began or told[3])
        told[4] = max(told[4], ended or told[4])
        for (written, domain, relay, family), count in seen.forwarded.items():
            taken = self._place(self.causes.relays[relay], _FAMILIES.get(family), "sent", None)
            hour = self._hour(written.decode("ascii", "replace"))
            self._batch.forwarded[times.day(hour), domain, taken] += count
        for passed in seen.passed_on:
            self._through.passed_on(passed)
        for failed, why in zip(seen.failed, known, strict=True):
            self._failed(failed, why)
        for (who, over, cause), count in self._through.fell.items():
            self._batch.fell[self._now, who, over, cause] += count
        self._through.fell.clear()
        self._rejected(seen.rejected)
        self._sampled.setdefault(times.day(self._now), []).extend(seen.delays)

    def warm(self, block: bytes) -> None:
        """Learn the senders from what was read before by somebody else, and what attempts are under way."""
        other = Scanner(by=BY)
        seen = other.scan(block)
        self.scanner.senders.update(other.senders)
        for passed in seen.passed_on:
            self._through.passed_on(passed)

    def batch(self) -> Batch:
        """What the blocks since the last batch told; not while any is behind."""
        return self._told()

    def _told(self) -> Batch:
        self._fold()
        for day, sampled in self._sampled.items():
            self._delays(day, sampled)
        self._sampled = {}
        for (day, receiver), sketches in self._sketches.items():
            for part, sketch in enumerate(sketches):
                for step, count in enumerate(sketch.counts):
                    if count:
                        self._batch.delays[day, receiver, part, step] = count
        self._sketches = {}
        self._batch.put_off = self._through.changed()
        done, self._batch = self._batch, Batch()
        return done

    def _set(self, clock: _Clock) -> None:
        if clock != self._clock:
            self._fold()
            self._clock = clock
            self._hours = {}

    def _hour(self, written: str) -> int:
        known = self._hours.get(written)
        if known is None:
            clock = self._clock
            at = times.hour(written, clock.dated, clock.offset) if clock else None
            known = self._hours[written] = self._now if at is None else at
        return known

    def _fold(self) -> None:
        """Add up what was counted since the last time."""
        batch, relays = self._batch, self.causes.relays
        for (hour, domain, relay, family, status, moved), count in self._counts.items():
            if status != _SENT:
                continue
            place = self._place(relays[relay], _FAMILIES.get(family), "sent", None)
            began = self._hour(hour.decode("ascii", "replace"))
            sums = batch.sums.setdefault((place, began), [0, 0])
            sums[0] += count
            sums[1] += count if moved else 0
            batch.days[times.day(began), domain.decode("utf-8", "backslashreplace").lower(), place] += count
        self._counts.clear()
        for (place, began, to, forwarded), count in self._bad.items():
            sums = batch.sums.setdefault((place, began), [0, 0])
            sums[0] += count
            sums[1] += count if forwarded else 0
            batch.days[times.day(began), to.lower(), place] += count
        self._bad.clear()

    def _failed(self, failed: Failed, known: Known | None) -> None:
        if known is None:
            return
        word = STATUSES[failed.status]
        causes, batch = self.causes, self._batch
        over = causes.families[failed.ip]
        receiver = causes.hosts[failed.relay] if failed.relay else known.receiver
        place = self._place(receiver, over, word, known.cause)
        if place not in batch.about:
            batch.about[place] = (" ".join(known.who), maillog.said(failed.text))
        written, _, rest = failed.stamp.partition(":")
        hour = self._hour(written) if rest else self._now
        self._bad[place, hour, failed.recipient.rpartition("@")[2], failed.original is not None] += 1
        batch.failed.append((place, hour + _into(rest), failed))
        self._through.failed(failed, over, word, receiver, known.cause)

    def _place(self, receiver: str | None, over: Family | None, word: str, cause: str | None) -> Place:
        key = (receiver, over, word, cause)
        return self._places.get(key) or self._places.setdefault(key, Place(*key))

    def _rejected(self, rejected: list[Rejected]) -> None:
        hours: dict[str, list[Rejected]] = {}
        for each in rejected:
            hours.setdefault(each.stamp.partition(":")[0], []).append(each)
        for written, these in hours.items():
            hour = self._hour(written) if written else self._now
            for reason, count in tally.reasons(these).items():
                self._batch.rejected[hour, reason] += count

    def _delays(self, day: int, seen: Iterable[tuple[bytes, bytes]]) -> None:
        groups: dict[str | None, list[bytes]] = {}
        for relay, delays in seen:
            if delays.count(b"/") == 3:
                groups.setdefault(self.causes.relays[relay], []).append(delays)
        for receiver, every in groups.items():
            key = (day, receiver)
            sketches = self._sketches.get(key)
            if sketches is None:
                sketches = self._sketches[key] = tuple(Sketch() for _ in range(4))
            parts = b"/".join(every).split(b"/")
            for place, sketch in enumerate(sketches):
                for delay, count in Counter(parts[place::4]).items():
                    sketch.add(delay, count)


def _unix(at: datetime, offset: tzinfo | None) -> int:
    """*at*, read by this host's rules where its stamp had no offset."""
    return int((at if offset else at.replace(tzinfo=None)).timestamp())


def _into(rest: str) -> int:
    """Seconds into the hour of `15:32` or `15:32.123456+00:00`; 0 where that is none."""
    try:
        return int(rest[:2]) * 60 + int(rest[3:5])
    except ValueError:
        return 0
