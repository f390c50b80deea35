"""A story, stopped or hurt at one of its calls, then recovered as the next command would -> what is wrong with it.

    python -m system.faults.campaign apply KILL            every point of it
    python -m system.faults.campaign apply ENOSPC 30 7     30 of them, drawn with seed 7
    python -m system.faults.campaign undo TWICE 200        killed, and its recovery killed
    python -m system.faults.campaign all ANY 100 7         100 points of all stories and faults
    python -m system.faults.campaign all NONE              every story, undisturbed
    python -m system.faults.campaign try BOOT              killed, then undo.sh at the boot (or NOW, EDITED)

Prints one JSON document. Needs tests/ and src/ on the path.
"""

from __future__ import annotations

import errno
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from system.faults import tracer
from system.faults.calls import Call, NotHere
from system.faults.judge import Judge
from system.faults.scene import Scene
from system.faults.stories import NAIVE, STORIES, Story, recovery_of

ERRORS = ("ENOSPC", "EIO", "EROFS", "EPERM", "EDQUOT")
# From that call on, not once: a disk that is full, or turned read-only, stays so.
STAYING = ("ENOSPC+", "EROFS+", "EIO+")
# Killed, and before Python comes to it: undo.sh at the boot, undo.sh by hand, an edit of somebody's.
AFTERWARDS = ("BOOT", "NOW", "EDITED")
_AFTERWARDS = {"boot": "undo.sh boot", "now": "undo.sh now", "edited": "an edit by others"}
FAULTS = ("KILL", *ERRORS, *STAYING)
_GROWS = {
    "openat",
    "write",
    "mkdir",
    "mkdirat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "fsetxattr",
    "setxattr",
}
_HARMLESS = {"close", "flock", "fsync"}


@dataclass
class Report:
    """*points* were tried, *of* so many that there are (None: pairs, of which nobody counted all).

    *wrong* is how many of them failed, *bad* what was wrong there; *ends* counts how the acts ended.
    """

    story: str
    fault: str
    points: int = 0
    of: int | None = None
    wrong: int = 0
    bad: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    seconds: float = 0.0

    def add(self, judge: Judge, where: str) -> None:
        self.points += 1
        self.wrong += bool(judge.wrong)
        self.ends[judge.end] += 1
        self.slowest = max(self.slowest, judge.slowest)
        self.bad += [f"{self.story}, {where}: {wrong}" for wrong in judge.wrong]

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "ends": dict(self.ends), "slowest": round(self.slowest, 3)}


def campaign(
    story: Story, fault: str, folder: Path, sample: int | None = None, seed: int = 0, afterwards: str = ""
) -> Report:
    """Try *fault* at every point of *story*, or at *sample* of them; *afterwards* as for `hurt`."""
    begun = time.monotonic()
    report = Report(story.name, f"{fault}, then {_AFTERWARDS[afterwards]}" if afterwards else fault)
    points = list(_points(story, fault, folder))
    report.of = len(points)
    if sample is not None and sample < len(points):
        points = sorted(random.Random(seed).sample(points, sample))  # noqa: S311
    for point in points:
        judge = hurt(story, fault, point, folder, afterwards)
        report.add(judge, f"{fault} at {point}, {judge.where}")
    report.seconds = round(time.monotonic() - begun, 1)
    return report


def hurt(story: Story, fault: str, point: int, folder: Path, afterwards: str = "") -> Judge:
    """One point: the story is prepared, hurt, and what it left is recovered and judged.

    *afterwards*: undo.sh with this word comes before Python does, or somebody has `edited` a file.
    """
    place = story.prepare(folder)
    judge = Judge(story, place, Fault(place, fault, point))
    judge.act()
    if afterwards == "boot":
        judge.boot(script=True)
    elif afterwards == "edited":
        judge.edited()
    elif afterwards:
        judge.undo_sh(afterwards)
    judge.recover()
    return judge


def changes(story: Story, folder: Path) -> list[int]:
    """The numbers of the calls of *story* that change something on the disk."""
    return list(_points(story, "EROFS", folder))


def _points(story: Story, fault: str, folder: Path) -> Iterable[int]:
    """The numbers of the calls that *fault* can be tried at."""
    place = story.prepare(folder)
    counted = Fault(place, "none", 0)
    ended = tracer.run(lambda channel: story.act(place, channel), counted, place.postfix.serve)
    if ended.answer is None and ended.status:
        raise RuntimeError(f"{story.name} does not even run undisturbed: {ended}")
    for number, call in enumerate(counted.seen, 1):
        if fault == "KILL" or (call.paths and (fault == "EIO" or not call.looks)):
            yield number


def drawn(folder: Path, sample: int, seed: int = 0) -> Report:
    """*sample* points of all stories and faults, drawn with *seed*."""
    begun = time.monotonic()
    draw = random.Random(seed)  # noqa: S311
    report = Report("all stories", "any fault")
    counted: dict[tuple[str, str], list[int]] = {}
    while report.points < sample:
        story, fault = draw.choice([*STORIES.values()]), draw.choice(FAULTS)
        afterwards = draw.choice(("", "", "boot", "now", "edited")) if fault == "KILL" else ""
        points = counted.setdefault((story.name, fault), list(_points(story, fault, folder)))
        point = draw.choice(points)
        judge = hurt(story, fault, point, folder, afterwards)
        report.add(
            judge, f"{story.name}: {fault} at {point}, {judge.where}, {afterwards or 'then recovered'}"
        )
    report.seconds = round(time.monotonic() - begun, 1)
    return report


def undisturbed(folder: Path) -> Report:
    """Every story with nothing wrong: what would be found here would say nothing about faults."""
    report = Report("all stories", "none")
    for story in STORIES.values():
        report.add(hurt(story, "none", 0, folder), story.name)
    return report


def twice(story: Story, folder: Path, sample: int, seed: int = 0) -> Report:
    """The story is killed at one of its points, and its recovery at one of *its* points: *sample* such pairs."""
    begun = time.monotonic()
    draw = random.Random(seed)  # noqa: S311
    report = Report(f"recovery of {story.name}", "KILL")
    firsts = list(_points(story, "KILL", folder))
    while report.points < sample:
        first = draw.choice(firsts)
        second_story = recovery_of(story, lambda place, at=first: Fault(place, "KILL", at))  # type: ignore[misc]
        seconds = list(_points(second_story, "KILL", folder))
        for second in draw.sample(seconds, min(len(seconds), max(1, sample // 100))):
            judge = hurt(second_story, "KILL", second, folder)
            report.add(judge, f"killed at {first}, recovery killed at {second}, {judge.where}")
    report.seconds = round(time.monotonic() - begun, 1)
    return report


class Fault:
    """Decides of every call: counts those that are about the scene, and hurts the one it is meant for."""

    def __init__(self, place: Scene, fault: str, point: int) -> None:
        self._ours = tuple(f"{place.root}/{name}" for name in ("etc", "site", "state", "units"))
        self._fault, self._point = fault, point
        self.seen: list[Call] = []
        self.at = "the end"
        self.stays = fault.endswith("+")

    def __call__(self, call: Call) -> int:
        if call.paths and not any(path.startswith(self._ours) for path in call.paths):
            return tracer.GO_ON
        self.seen.append(call)
        number = len(self.seen)
        if number == self._point:
            self.at = str(call)
        if self._fault == "KILL":
            return tracer.KILL if number == self._point else tracer.GO_ON
        if not call.paths or number < self._point or (number > self._point and not self.stays):
            return tracer.GO_ON
        if self.stays and not self._hits(call):
            return tracer.GO_ON
        return int(getattr(errno, self._fault.rstrip("+")))

    def _hits(self, call: Call) -> bool:
        if self._fault == "ENOSPC+":
            return call.name in _GROWS and not call.looks
        return call.name not in _HARMLESS and (self._fault == "EIO+" or not call.looks)


def main() -> None:
    """One campaign, as the first lines say. Exit status 1 where anything was wrong, 3 where it cannot be done."""
    name, fault, *rest = sys.argv[1:]
    sample, seed = (int(rest[0]), int(rest[1]) if rest[1:] else 0) if rest else (None, 0)
    try:
        with tempfile.TemporaryDirectory(dir=shm()) as folder:
            report = _asked(name, fault, Path(folder), sample, seed)
    except NotHere as reason:
        sys.stderr.write(f"{reason}\n")
        sys.exit(3)
    json.dump(report.as_dict(), sys.stdout, indent=1)
    sys.exit(1 if report.bad else 0)


def _asked(name: str, fault: str, folder: Path, sample: int | None, seed: int) -> Report:
    if name == "all":
        return undisturbed(folder) if fault == "NONE" else drawn(folder, sample or 100, seed)
    story = {**STORIES, **NAIVE}[name]
    if fault == "TWICE":
        return twice(story, folder, sample or 1000, seed)
    if fault in AFTERWARDS:
        return campaign(story, "KILL", folder, sample, seed, afterwards=fault.lower())
    return campaign(story, fault, folder, sample, seed)


def shm() -> str | None:
    """Memory, where a file can have attributes in it: a disk would only make the same calls slower."""
    memory = Path("/dev/shm")  # noqa: S108
    try:
        with tempfile.NamedTemporaryFile(dir=memory) as file:
            os.setxattr(file.name, "user.mailmend.test", b"1")
    except OSError:
        return None
    return str(memory)


if __name__ == "__main__":
    main()
