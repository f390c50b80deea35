"""report: the log, in files or the journal -> what became of the mail, counted and explained. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend import catalogue
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, MailmendError, ParseError
from mailmend.parse.logscan import Scanner, Senders
from mailmend.road import report as road
from mailmend.road import tally
from mailmend.road.causes import Causes
from mailmend.road.tally import Clock
from mailmend.system import logfiles, zone
from mailmend.system.logfiles import Part

if TYPE_CHECKING:
    from mailmend.system.store.sqlite import Store

Step = Callable[[int, int], None]
Span = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class Told:
    """The report, and what changes of mailmend's own brought, as far as the log reaches.

    *store* is the delivery store that it comes from, None where the log was read.
    """

    report: road.Report
    turns: tuple[road.Turn, ...]
    store: Path | None = None


@dataclass(frozen=True, slots=True)
class _Window:
    """What is read of a log, and the *moments*, in their order, at which its hours are cut."""

    since: datetime | None
    until: datetime | None
    moments: tuple[datetime, ...]


def report(
    here: Callable[[], Here],
    files: Sequence[Path],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    processes: int = 1,
    progress: Step | None = None,
    stored: bool | None = False,
) -> Told:
    """Report on *files*; without any, on this host's own log and its rotated parts.

    *stored*: from the delivery store; None: from it where it knows all that this host's log does of that time.
    *progress* is called with the bytes read, of how many (0: nobody knows). CannotLook: one cannot be read to its
    end. ParseError: there is no line of Postfix in them.
    """
    if stored and files:
        raise ParseError("the store is asked, and files are to be read", "leave out --stored or the files")
    if stored:
        return _from_store(here(), since, until)
    place = None if files else here().log()
    if stored is None and not files:
        from mailmend.jobs import report_stored

        if report_stored.knows(_store(here()), place, since, until):
            return _from_store(here(), since, until)
    if place and place.path is None:
        found: tuple[Part, ...] = (logfiles.journal(),)
    else:
        found = logfiles.parts(
            files or logfiles.rotated(place.path, since) if place and place.path else files
        )
    changes = _changes(here)
    window = _Window(since, until, tuple(at for _, at in changes))
    whole, span = _read(found, window, processes, progress)
    told = road.report(whole, span)
    if not told.rows and not told.messages and not told.rejected and not any(span) and not (since or until):
        names = ", ".join(str(path) for path in files) or str(place)
        raise ParseError(
            f"{names}: no line of Postfix is in it", "name Postfix's log: /var/log/mail.log, for one"
        )
    return Told(told, road.turns(told, changes))


def _store(here: Here) -> Store:
    from mailmend.jobs.ingest import folder
    from mailmend.system.store.sqlite import Store

    return Store(folder(here))


def _from_store(here: Here, since: datetime | None, until: datetime | None) -> Told:
    from mailmend.jobs import report_stored

    store = _store(here)
    found = report_stored.report(store, since, until)
    return Told(found, road.turns(found, _changes(lambda: here), report_stored.uncut(found)), store.path)


def _read(
    parts: Sequence[Part],
    window: _Window,
    processes: int,
    progress: Step | None,
) -> tuple[tally.Tally, Span]:
    """The tallies of *parts* joined in their order, and the first and last time in them."""
    total = sum(part.size for part in parts)
    before = 0

    def done(at: int) -> None:
        if progress and total:
            progress(min(before + at, total), total)

    if processes < 2 or len(parts) < 2:
        read = _Reader(window, alone=True)
        for part in parts:
            read.part(part, done)
            before += part.size
            done(0)
        counted, _, span = read.ended()
        return counted, span
    whole, senders = tally.Tally(), Senders()
    first = last = None
    for part, (counted, learned, (began, ended)) in zip(
        parts, _mapped(parts, window, processes), strict=True
    ):
        whole.update(counted, senders)
        senders.update(learned)
        first = min((at for at in (first, began) if at), default=None)
        last = max((at for at in (last, ended) if at), default=None)
        before += part.size
        done(0)
    return whole, (first, last)


_Counted = tuple[tally.Tally, Senders, Span]


def _mapped(parts: Sequence[Part], window: _Window, processes: int) -> Iterator[_Counted]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # Spawned, not forked: the progress line has a thread. A Pool would wait for ever for a process that was killed.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(parts)), mp_context=spawned) as pool:
        try:
            yield from pool.map(partial(_tallied, window=window), parts)
        except BrokenProcessPool:
            raise CannotLook(
                "a process that read the log was killed",
                "try it with --processes 1, and see whether memory is short",
            ) from None


_causes: list[Causes] = []  # one of each process: what is learned of one part serves the next


def _tallied(part: Part, window: _Window) -> _Counted:
    read = _Reader(window)
    read.part(part)
    return read.ended()


class _Reader:
    """Reads parts that follow each other; *alone*: all that there are."""

    def __init__(self, window: _Window, *, alone: bool = False) -> None:
        if not _causes:
            _causes.append(Causes(catalogue.load()))
        self._window = window
        self._scanner = Scanner(by=tally.BY, sampled=tally.SAMPLED)
        self._counted = tally.Tally(alone=alone)
        self._first: datetime | None = None
        self._last: datetime | None = None

    def part(self, part: Part, at: Callable[[int], None] | None = None) -> None:
        """*at* is told how many of its bytes have been read."""
        import gc

        window, counted, scanner, causes = self._window, self._counted, self._scanner, _causes[0]
        dated = part.dated.astimezone(
            zone.HERE
        )  # a log without offsets may reach over the end of summer time
        collecting = gc.isenabled()
        gc.disable()  # many small objects and no cycles: collecting costs a fifth of the time
        try:
            for read in logfiles.blocks(part, window.since, at):
                block = logfiles.within(read, dated, window.since, window.until)
                if not block:
                    continue
                began, ended = logfiles.edges(block, dated)
                self._first = min((each for each in (self._first, began) if each), default=None)
                self._last = max((each for each in (self._last, ended) if each), default=None)
                for clock, piece in _pieces(block, dated, (began, ended), window.moments):
                    counted.turn(clock, scanner, causes)
                    counted.add(scanner.scan(piece), scanner, causes)
        finally:
            if collecting:
                gc.enable()
        counted.fold(scanner, causes)

    def ended(self) -> _Counted:
        return self._counted, self._scanner.senders, (self._first, self._last)


def _pieces(
    block: bytes, dated: datetime, edges: Span, moments: tuple[datetime, ...]
) -> Iterator[tuple[Clock, bytes]]:
    """*block* cut at the *moments* (in their order) within it, each piece with the clock that its hours go by.

    Lines of one block are taken to have one offset, that of its first.
    """
    began, ended = edges
    offset = began.tzinfo if began else None
    before = [at for at in moments if began and at <= began]
    cuts = [at for at in moments if began and ended and began < at <= ended]
    if not cuts:
        yield Clock(dated, offset, before[-1] if before else None), block
        return
    for start, end in pairwise([None, *cuts, None]):
        if piece := logfiles.within(block, dated, start, end):
            yield Clock(dated, offset, start or (before[-1] if before else None)), piece


def _changes(here: Callable[[], Here]) -> list[tuple[str, datetime]]:
    """The changes that were kept, oldest first; none where there is no history to be read."""
    from mailmend.jobs.history import history

    try:
        kept = [(record.id, record.at) for record in history(here()) if record.state == "kept"]
    except MailmendError:
        return []
    return sorted(kept, key=lambda each: each[1])
