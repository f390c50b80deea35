"""The log or the delivery store -> the report that the pages show; a long log is read by a process of its own."""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from mailmend.jobs import report as job
from mailmend.jobs import report_stored
from mailmend.jobs.ingest import folder
from mailmend.model import CannotLook, MailmendError, ParseError
from mailmend.road import report as road
from mailmend.system import logfiles
from mailmend.system.store.sqlite import Store
from mailmend.ui.helper import verbs
from mailmend.ui.helper.client import Helper

if TYPE_CHECKING:
    from pathlib import Path

    from mailmend.ui.web.console import Console
    from mailmend.ui.web.works import Says

# Bytes of a log that are read beside the pages: what takes longer would make them wait for the interpreter.
_SHORT = 4 << 20
_POLL = 0.2  # seconds
_MB = 1_000_000

_far: list[MutableSequence[int]] = []  # in the reading process: bytes read, of how many


@dataclass(frozen=True, slots=True)
class Found:
    """What was read; *note* where it was not read by this process, or is less than was asked for."""

    told: job.Told
    note: str = ""


def read(console: Console, grant: str, days: int, says: Says) -> Found:
    """What became of the mail of the last *days* (0: all that is known), as `mailmend report` tells it.

    Where only root reads the log, or the history, the helper is asked for it with *grant*. *says* is told how far it
    is. CannotLook, ParseError as that job has them; Refused as the helper has it.
    """
    try:
        told = _read_here(console, days, says)
    except (CannotLook, ParseError) as failure:
        # A journal whose mail nobody shows this user looks like one in which Postfix never wrote.
        if isinstance(failure, ParseError) and _is_file(console):
            raise
        return _read_by_root(console, grant, days, says, failure)
    if told.turns or console.helper is None:
        return Found(told)
    return Found(replace(told, turns=_turns(told.report, Helper(console.helper), grant)))


def _is_file(console: Console) -> bool:
    try:
        return console.here().log().path is not None
    except CannotLook:
        return False


def _read_by_root(console: Console, grant: str, days: int, says: Says, failure: MailmendError) -> Found:
    if console.helper is None:
        raise failure
    says("root's helper reads the log")
    within = min(days, verbs.REPORTED) if days else verbs.REPORTED
    told = Helper(console.helper).report(grant, within, lambda line: says(f"root's helper: {line.says}"))
    where = "the delivery store" if told.store else "the log"
    less = "" if within == days else f", {within} days of it at most; all of it: sudo mailmend report"
    return Found(told, f"Not readable from here ({failure.reason}): root's helper has read {where}{less}.")


def _turns(found: road.Report, helper: Helper, grant: str) -> tuple[road.Turn, ...]:
    """What the kept changes brought, as `jobs.report` has it; () where the history cannot be had."""
    try:
        history = helper.look(grant, "history")
    except MailmendError:
        return ()
    kept = [
        (each["id"], datetime.fromisoformat(each["at"]))
        for each in history["records"]
        if each["state"] == "kept"
    ]
    # The hours were not cut at changes that the reading process could not see.
    return road.turns(found, sorted(kept, key=lambda each: each[1]), report_stored.uncut(found))


def _read_here(console: Console, days: int, says: Says) -> job.Told:
    since = datetime.now(UTC) - timedelta(days=days) if days else None
    says("looking for the log")
    here = console.here()
    place, progress = here.log(), partial(_progress, says)
    if report_stored.knows(Store(folder(here)), place, since, None):
        return job.report(console.here, (), since=since, stored=True)
    files = logfiles.rotated(place.path, since) if place.path else []
    if files and sum(map(_size, files)) <= _SHORT:
        return job.report(console.here, files, since=since, progress=progress)
    return apart(console.config_directory, console.state, files, since, progress)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # rotated away a moment ago; or reading says what is wrong with it
        return 0


def _progress(says: Says, done: int, total: int) -> None:
    if total:
        says(f"{done / _MB:,.0f} of {total / _MB:,.0f} MB of the log are read")


def apart(
    config_directory: str | None,
    state: Path,
    files: Sequence[Path],
    since: datetime | None,
    progress: Callable[[int, int], None],
) -> job.Told:
    """The report on *files* (none: on this host's log) by a process that gives way to all others.

    *progress* is told the bytes read, of how many. CannotLook, ParseError as `jobs.report` has them.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures import TimeoutError as NotYet
    from concurrent.futures.process import BrokenProcessPool

    spawned = multiprocessing.get_context("spawn")
    far = spawned.Array("q", 2, lock=False)
    with ProcessPoolExecutor(1, spawned, _begin, (far,)) as pool:
        reading = pool.submit(_read, config_directory, state, files, since)
        while True:
            try:
                return reading.result(_POLL)
            except NotYet:
                progress(far[0], far[1])
            except BrokenProcessPool:
                raise CannotLook(
                    "the process that read the log was killed", "see whether memory is short, then look again"
                ) from None


def _begin(far: MutableSequence[int]) -> None:
    import os

    os.nice(10)
    _far[:] = [far]


def _read(
    config_directory: str | None, state: Path, files: Sequence[Path], since: datetime | None
) -> job.Told:
    from mailmend.jobs.here import here

    def tell(done: int, total: int) -> None:
        _far[0][0], _far[0][1] = done, total

    return job.report(partial(here, config_directory, state), files, since=since, progress=tell)
