"""bench log: one log, read by mailmend and by its peers in one run -> how fast each is, as ratios.

A machine is never quiet: the time of the processor is what compares, the time on the wall what is waited for. Each
run is a process of its own, so that its memory is its own too; its start is counted.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.jobs import report
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, ParseError
from mailmend.parse.logscan import BareKey, Scanner
from mailmend.system import logfiles, logsearch
from mailmend.system.logfiles import Part

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

PFLOGSUMM = "pflogsumm"
LOOP = "a plain Python loop"
_LINE = re.compile(r": to=<.*relay=([^,\[]*).*dsn=([^,]*), status=(\w+) ")


@dataclass(frozen=True, slots=True)
class Run:
    """*cpu* and *wall* in seconds; *outcomes* counted, None where it counts others. *memory*: MB at most, of all its
    processes. *error*: why there is no figure.
    """

    name: str
    cpu: float = 0.0
    wall: float = 0.0
    outcomes: int | None = None
    memory: int = 0
    error: str | None = None


def log(path: Path, step: Callable[[str], None]) -> tuple[int, tuple[Run, ...]]:
    """Its size in bytes, and each run. CannotLook, ParseError: *path* is no log that can be read."""
    parts = logfiles.parts([path])
    if any(part.packed for part in parts):
        raise CannotLook(f"{path} is packed", "unpack it: what is measured is the reading")
    if not logsearch.has_postfix(logsearch.Searched((path,))):
        raise ParseError(
            f"{path}: no line of Postfix is in it", "name Postfix's log: /var/log/mail.log, for one"
        )
    # A name, what is done, and in how many processes beside the first (None: in another program alone).
    every: list[tuple[str, Callable[[], int | None], int | None]] = [
        ("mailmend, counts, 1 process", partial(_counts, parts, 1), 0),
        ("mailmend, counts, 2 processes", partial(_counts, parts, 2), 1),
        ("mailmend report, 1 process", partial(reported, path, 1), 0),
        ("mailmend report, 2 processes", partial(reported, path, 2), 1),
        ("mailmend ingest, 1 process", partial(_ingest, path, 1), 0),
        ("mailmend ingest, 2 processes", partial(_ingest, path, 2), 1),
        (LOOP, partial(_plain, path), 0),
        (PFLOGSUMM, partial(_program, [PFLOGSUMM, str(path)]), None),
        ("rg -c", partial(_program, ["rg", "-c", "status=", str(path)]), None),
        ("grep -c", partial(_program, ["grep", "-c", "status=", str(path)]), None),
    ]
    runs = []
    for name, work, beside in every:
        step(name)
        runs.append(apart(name, work, beside))
    return sum(part.size for part in parts), tuple(runs)


def peers(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Those of *runs* that the others are compared with: pflogsumm, the plain loop, and one count of lines."""
    done = {run.name: run for run in runs if run.error is None}
    count = done.get("rg -c") or done.get("grep -c")
    return tuple(run for run in (done.get(PFLOGSUMM), done.get(LOOP), count) if run)


def apart(name: str, work: Callable[[], int | None], beside: int | None) -> Run:
    """*work* in a process of its own."""
    import multiprocessing

    spawned = multiprocessing.get_context("spawn")
    ours, theirs = spawned.Pipe(duplex=False)
    process = spawned.Process(target=_measured, args=(theirs, name, work, beside))
    begun = time.perf_counter()
    process.start()
    theirs.close()
    try:
        run: Run = ours.recv()
    except EOFError:
        run = Run(name, error="it was ended")
    process.join()
    whole = run.error is None and beside is not None
    return replace(run, wall=time.perf_counter() - begun) if whole else run


def _measured(pipe: Connection, name: str, work: Callable[[], int | None], beside: int | None) -> None:
    begun = time.perf_counter()
    try:
        outcomes = work()
    except CannotLook as missing:
        pipe.send(Run(name, error=missing.reason))
        return
    wall = time.perf_counter() - begun
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, memory = others.ru_utime + others.ru_stime, others.ru_maxrss
    if beside is not None:
        cpu, memory = cpu + own.ru_utime + own.ru_stime, own.ru_maxrss + beside * memory
    pipe.send(Run(name, cpu, wall, outcomes, memory >> 10))


def _counts(parts: Sequence[Part], processes: int) -> int:
    """Outcomes by relay, address family, code and status, and no more."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    if processes == 1 or len(parts) == 1:
        return sum(map(_counted, parts), Counter()).total()
    spawned = multiprocessing.get_context("spawn")
    taken = spawned.Value("i", 0)
    with ProcessPoolExecutor(processes - 1, spawned, _share, (taken,)) as pool:
        others = [pool.submit(_counted_in_turn, parts) for _ in range(processes - 1)]
        _share(taken)
        whole = _counted_in_turn(parts)
        return sum((other.result() for other in others), whole).total()


_taken: list[Synchronized[int]] = []  # how many parts were taken by the processes, shared by them


def _share(taken: Synchronized[int]) -> None:
    _taken[:] = [taken]


def _counted_in_turn(parts: Sequence[Part]) -> Counter[tuple[bytes, ...]]:
    """Those of *parts* that no other process has taken."""
    counts: Counter[tuple[bytes, ...]] = Counter()
    (taken,) = _taken
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(parts):
            return counts
        counts.update(_counted(parts[number]))


def _counted(part: Part) -> Counter[tuple[bytes, ...]]:
    scanner = Scanner(bare=True)
    for block in logfiles.blocks(part):
        scanner.scan(block)
    probes = [key for key in scanner.counts if BareKey(*key).status in (b"deliverable", b"undeliverable")]
    for key in probes:
        del scanner.counts[key]
    return scanner.counts


def reported(path: Path, processes: int) -> int:
    """How many outcomes a report on *path* tells."""
    return report.report(_nowhere, [path], processes=processes).report.total()


def _ingest(path: Path, processes: int) -> int:
    """Into a store of its own, which then goes."""
    from tempfile import TemporaryDirectory

    from mailmend.jobs.ingest import ingest
    from mailmend.system.probe import Recorded

    with TemporaryDirectory(prefix="mailmend-bench-") as folder:
        here = Here(Recorded({}), state=Path(folder))
        return ingest([path], here, processes=processes).deliveries


def _nowhere() -> Here:
    raise CannotLook("only the file is looked at")


def _plain(path: Path) -> int:
    """What one writes first: a pattern tried on each line. It can be deceived, and is here as a measure only."""
    counts: Counter[tuple[str, ...]] = Counter()
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if found := _LINE.search(line):
                counts[found.groups()] += 1
    return counts.total()


def _program(argv: list[str]) -> None:
    if shutil.which(argv[0]) is None:
        raise CannotLook("not installed")
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ended.returncode > 1:
        raise CannotLook(f"ended with {ended.returncode}")
