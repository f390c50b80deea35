"""The power goes at one of a story's calls: what the disk had got by then is all there is, and the machine boots.

    python -m system.faults.power apply                every call that changes something, each of the ways
    python -m system.faults.power apply 30 7           30 of them, drawn with seed 7

A file system of its own (ext4 in a file) is shut down by EXT4_IOC_SHUTDOWN and mounted again, in a mount namespace
of its own. Prints one JSON document; exit status 3, with the reason, where that cannot be done.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from system.faults import tracer
from system.faults.calls import Call, NotHere
from system.faults.campaign import Fault, Report, changes, shm
from system.faults.judge import Judge
from system.faults.scene import Scene
from system.faults.stories import NAIVE, STORIES, Story

_GO_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN of <linux/ext4.h>
# What the disk gets before it goes: what was flushed and nothing more; besides, the journal (names, but not the
# bytes of files that nobody flushed); everything.
WAYS = {"nothing more": 2, "the journal": 1, "everything": 0}
_SIZE = 16 << 20
_PRIVATE = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE
_NEW_NAMESPACE = 0x00020000
AT_THE_END = 0  # the number of the point where the program has ended and told its result


@dataclass(frozen=True, slots=True)
class Disk:
    """An ext4 file system in the file *image*, mounted at *folder*."""

    image: Path
    folder: Path

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self.image), str(self.folder))

    def unmount(self) -> None:
        _run("umount", str(self.folder))

    def go_down(self, way: str) -> None:
        """From now on nothing reaches the disk."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _GO_DOWN, struct.pack("I", WAYS[way]))
        finally:
            os.close(fd)


@contextmanager
def disk(below: Path) -> Iterator[Disk]:
    """A disk that can lose its power. NotHere where this machine does not let us mount one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NAMESPACE) or libc.mount(b"none", b"/", None, _PRIVATE, None):
        raise NotHere(f"no mount namespace of our own: {os.strerror(ctypes.get_errno())}")
    made = Disk(below / "image", below / "mounted")
    made.folder.mkdir()
    with made.image.open("wb") as file:
        file.truncate(_SIZE)
    _run("mkfs.ext4", "-q", "-F", str(made.image))
    made.mount()
    try:
        yield made
    finally:
        made.unmount()


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotHere(f"there is no {command[0]}") from None
    if done.returncode:
        raise NotHere(f"{' '.join(command)}: {done.stderr.strip()}")


class _Cut(Fault):
    """The power goes before the call that is numbered *point*."""

    def __init__(self, place: Scene, disk: Disk, way: str, point: int) -> None:
        super().__init__(place, "KILL", point)
        self._disk, self._way = disk, way

    def __call__(self, call: Call) -> int:
        decision = super().__call__(call)
        if decision == tracer.KILL:
            self._disk.go_down(self._way)
        return decision


def cut(story: Story, disk: Disk, point: int, way: str, script: bool) -> Judge:
    """One point: the power goes, the machine boots, Postfix is started, and the next command comes.

    *script*: undo.sh is run before Postfix starts, as the unit does where systemd runs.
    """
    place = story.prepare(disk.folder)
    os.sync()
    decide = _Cut(place, disk, way, point)
    judge = Judge(replace(story, late=True), place, decide)  # a boot ends the time for a confirmation
    told = judge.act(power=True)
    if point == AT_THE_END:
        disk.go_down(way)
    disk.unmount()
    disk.mount()
    judge.boot(script)
    judge.recover(told)
    return judge


def campaign(story: Story, disk: Disk, sample: int | None, seed: int) -> Report:
    """Every call of *story* that changes something, and its end, in each of the ways; or *sample* of these."""
    begun = time.monotonic()
    report = Report(story.name, "power loss")
    numbers = [AT_THE_END, *changes(story, disk.folder)]
    points = [(number, way, script) for number in numbers for way in WAYS for script in (False, True)]
    report.of = len(points)
    if sample is not None and sample < len(points):
        points = sorted(random.Random(seed).sample(points, sample))  # noqa: S311
    for number, way, script in points:
        judge = cut(story, disk, number, way, script)
        report.add(judge, f"power lost at {number}, {judge.where} ({way}{', undo.sh' if script else ''})")
    report.seconds = round(time.monotonic() - begun, 1)
    return report


def main() -> None:
    """One campaign, as the first lines say; exit status 1 where anything was wrong."""
    name, *rest = sys.argv[1:]
    sample, seed = (int(rest[0]), int(rest[1]) if rest[1:] else 0) if rest else (None, 0)
    try:
        with tempfile.TemporaryDirectory(dir=shm()) as folder, disk(Path(folder)) as made:
            report = campaign({**STORIES, **NAIVE}[name], made, sample, seed)
    except NotHere as reason:
        sys.stderr.write(f"{reason}\n")
        sys.exit(3)
    json.dump(report.as_dict(), sys.stdout, indent=1)
    sys.exit(1 if report.bad else 0)


if __name__ == "__main__":
    main()
