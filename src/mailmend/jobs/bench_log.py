"""bench log: one log, read by mailmend and by its peers in one run -> how fast each is, as ratios.

A machine is never quiet: the time of the processor is what compares, the time on the wall what is waited for.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mailmend.jobs import report
from mailmend.jobs.here import Here
from mailmend.model import CannotLook
from mailmend.parse.logscan import BareKey, Scanner
from mailmend.system import logfiles
from mailmend.system.logfiles import Part

_LINE = re.compile(r": to=<.*relay=([^,\[]*).*dsn=([^,]*), status=(\w+) ")


@dataclass(frozen=True, slots=True)
class Run:
    """*cpu* and *wall* in seconds; *outcomes* counted, None where it counts others. *memory*: MB of the largest
    process so far. *error*: why there is no figure.
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
    every: list[tuple[str, Callable[[], int | None]]] = [
        ("mailmend, counts, 1 process", partial(_counts, parts, 1)),
        ("mailmend, counts, 2 processes", partial(_counts, parts, 2)),
        ("mailmend report, 1 process", partial(_report, path, 1)),
        ("mailmend report, 2 processes", partial(_report, path, 2)),
        ("a plain Python loop", partial(_plain, path)),
        ("pflogsumm", partial(_program, ["pflogsumm", str(path)])),
        ("rg -c", partial(_program, ["rg", "-c", "status=", str(path)])),
        ("grep -c", partial(_program, ["grep", "-c", "status=", str(path)])),
    ]
    runs = []
    for name, work in every:
        step(name)
        runs.append(_timed(name, work))
    return sum(part.size for part in parts), tuple(runs)


def _timed(name: str, work: Callable[[], int | None]) -> Run:
    def used() -> float:
        return sum(
            seen.ru_utime + seen.ru_stime
            for seen in (
                resource.getrusage(resource.RUSAGE_SELF),
                resource.getrusage(resource.RUSAGE_CHILDREN),
            )
        )

    cpu, wall = used(), time.perf_counter()
    try:
        outcomes = work()
    except CannotLook as missing:
        return Run(name, error=missing.reason)
    largest = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Run(name, used() - cpu, time.perf_counter() - wall, outcomes, largest >> 10)


def _counts(parts: Sequence[Part], processes: int) -> int:
    """Outcomes by relay, address family, code and status, and no more."""
    if processes == 1 or len(parts) == 1:
        return sum(map(_counted, parts), Counter()).total()
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return sum(pool.imap_unordered(_counted, parts), Counter[tuple[bytes, ...]]()).total()


def _counted(part: Part) -> Counter[tuple[bytes, ...]]:
    scanner = Scanner(bare=True)
    for block in logfiles.blocks(part):
        scanner.scan(block)
    probes = [key for key in scanner.counts if BareKey(*key).status in (b"deliverable", b"undeliverable")]
    for key in probes:
        del scanner.counts[key]
    return scanner.counts


def _report(path: Path, processes: int) -> int:
    return report.report(_nowhere, [path], processes=processes).report.total()


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
