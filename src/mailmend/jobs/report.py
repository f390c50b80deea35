"""report: the log, in files or the journal -> what became of the mail, counted and explained. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
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
    with _uncollected():
        whole, span = _read(found, window, processes, progress)
        told = road.report(whole, span)
    if not told.rows and not told.messages and not told.rejected and not any(span) and not (since or until):
        names = ", ".join(str(path) for path in files) or str(place)
        raise ParseError(
            f"{names}: no line of Postfix is in it", "name Postfix's log: /var/log/mail.log, for one"
        )
    return Told(told, road.turns(told, changes))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without collecting garbage: of many small objects and no cycles, looking for some takes a fifth of the time."""
    import gc

    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _store(here: Here) -> Store:
    from mailmend.jobs.ingest import folder
    from mailmend.system.store.sqlite import Store

    return Store(folder(here))


def _from_store(here: Here, since: datetime | None, until: datetime | None) -> Told:
    from mailmend.jobs import report_stored

    store = _store(here)
    found = report_stored.report(store, since, until, None if until else report_stored.held(here))
    return Told(found, road.turns(found, _changes(lambda: here), report_stored.uncut(found)), store.path)


def _read(
    parts: Sequence[Part],
    window: _Window,
    processes: int,
    progress: Step | None,
) -> tuple[tally.Tally, Span]:
    """The tallies of *parts* joined in their order, and the first and last time in them."""
    total = sum(part.size for part in parts)

    def done(at: int) -> None:
        if progress and total:
            progress(min(at, total), total)

    runs = _runs(parts, processes)
    if len(runs) < 2:
        counted, _, span = _read_run(_Reader(window, alone=True), parts, done)
        return counted, span
    return _side_by_side(runs, window, done)


def _runs(parts: Sequence[Part], processes: int) -> list[list[Part]]:
    """*parts* in their order, as so many runs of about the same size; fewer where there are fewer parts.

    Few and long runs: what is learned of one part serves the next, and little is sent from process to process.
    """
    runs: list[list[Part]] = [[]]
    size, left = 0, sum(part.size for part in parts)
    for part in parts:
        more = processes - len(runs)
        # Half of a part too much is as good as half of it too little.
        if runs[-1] and more > 0 and size + part.size / 2 > (left + size) / (more + 1):
            runs.append([])
            size = 0
        runs[-1].append(part)
        size += part.size
        left -= part.size
    return runs


_Counted = tuple[tally.Tally, Senders, Span]


def _side_by_side(
    runs: Sequence[Sequence[Part]], window: _Window, done: Callable[[int], None]
) -> tuple[tally.Tally, Span]:
    """The first of *runs* is read here, each other in a process of its own, and they are joined in their order."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # Spawned, not forked: the progress line has a thread. A Pool would wait for ever for a process that was killed.
    spawned = multiprocessing.get_context("spawn")
    # How far each has read; the first: -1 when all are to stop.
    far = spawned.Array("q", len(runs), lock=False)
    with ProcessPoolExecutor(len(runs) - 1, spawned, _share, (far,)) as pool:
        try:
            last_one = len(runs) - 1
            others = [pool.submit(_tallied, runs[n], window, n, n == last_one) for n in range(1, len(runs))]
            whole, senders, (first, last) = _read_run(
                _Reader(window, alone=True), runs[0], lambda at: done(at + sum(far[1:]))
            )
            for other in others:
                counted, learned, (began, ended) = other.result()
                whole.update(counted, senders)
                senders.update(learned)
                first = min((at for at in (first, began) if at), default=None)
                last = max((at for at in (last, ended) if at), default=None)
            done(sum(part.size for run in runs for part in run))
        except BrokenProcessPool:
            raise CannotLook(
                "a process that read the log was killed",
                "try it with --processes 1, and see whether memory is short",
            ) from None
        finally:
            far[0] = -1
    return whole, (first, last)


_causes: list[Causes] = []  # one of each process: what is learned of one log serves the next
_far: list[MutableSequence[int]] = []  # how far the processes have read, shared by them


def _share(far: MutableSequence[int]) -> None:
    import gc

    gc.disable()  # as `_uncollected`, for as long as this process is: what it tells is packed last
    _far[:] = [far]


def _tallied(run: Sequence[Part], window: _Window, number: int, is_last: bool) -> _Counted:
    def tell(at: int) -> None:
        if _far[0][0] < 0:
            raise CannotLook("another part of the log could not be read")
        _far[0][number] = at

    counted, senders, span = _read_run(_Reader(window), run, tell)
    if is_last:  # nobody asks for the last one's senders
        counted.through.close()
        senders = Senders()
    return counted, senders, span


def _read_run(read: _Reader, run: Sequence[Part], tell: Callable[[int], None]) -> _Counted:
    before = 0
    for part in run:
        read.part(part, lambda at, before=before: tell(before + at))  # type: ignore[misc]
        before += part.size
        tell(before)
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
        window, counted, scanner, causes = self._window, self._counted, self._scanner, _causes[0]
        dated = part.dated.astimezone(
            zone.HERE
        )  # a log without offsets may reach over the end of summer time
        block, last = b"", None
        for read in logfiles.blocks(part, window.since, at):
            lines = logfiles.within(read, dated, window.since, window.until)
            if not lines:
                continue
            block = lines
            began = logfiles.began(block, dated)
            # Without anything to cut at, the next block tells when this one ended.
            last = logfiles.ended(block, dated) if window.moments else None
            self._reaches(began, last)
            for clock, piece in _pieces(block, dated, (began, last), window.moments):
                counted.turn(clock, scanner, causes)
                counted.add(scanner.scan(piece), scanner, causes)
        self._reaches(None, last or logfiles.ended(block, dated))
        counted.fold(scanner, causes)

    def _reaches(self, first: datetime | None, last: datetime | None) -> None:
        """Lines of these times were read."""
        times = [at for at in (self._first, self._last, first, last) if at]
        self._first, self._last = min(times, default=None), max(times, default=None)

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
