"""Files change their names between any two steps of whoever takes them in: nothing is lost or doubled."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs import logs
from jobs.kill_driver import There, there
from mailmend.jobs import ingest as job
from mailmend.system.store import identity
from mailmend.system.store.sqlite import Store
from mailmend.system.store.write import Writer

PARTS = 5


@pytest.fixture
def here(tmp_path: Path) -> There:
    """A log with three older parts, the oldest of them packed."""
    folder = tmp_path / "log"
    folder.mkdir()
    place = there(tmp_path / "state", folder / "mail.log")
    for number, piece in enumerate(pieces()[: PARTS - 1]):
        name = PARTS - 2 - number
        path = folder / (f"mail.log.{name}" if name else "mail.log")
        if name == PARTS - 2:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(piece))
        else:
            path.write_bytes(piece)
    return place


def pieces() -> list[bytes]:
    text, _ = logs.write(11, 600, rfc3339=True)
    lines = text.splitlines(keepends=True)
    size = len(lines) // PARTS + 1
    return [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]


def rotate(path: Path) -> None:
    """As logrotate(8) does: each part takes the next number, and a new log begins with what comes next."""
    for number in range(9, 0, -1):
        for ending in ("", ".gz"):
            old = path.with_name(f"{path.name}.{number}{ending}")
            if old.exists():
                old.rename(path.with_name(f"{path.name}.{number + 1}{ending}"))
    path.rename(path.with_name(f"{path.name}.1"))
    path.write_bytes(pieces()[-1])


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[], None]) -> list[int]:
    """*act* once, before the *step*-th time that a file is opened, looked into or read; counts the steps."""
    count = [0]

    def before(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            count[0] += 1
            if count[0] == step:
                act()
            return real(*given, **named)

        return call

    monkeypatch.setattr(identity, "open_log", before(identity.open_log))
    monkeypatch.setattr(identity, "resume", before(identity.resume))
    monkeypatch.setattr(identity.Plain, "blocks", before(identity.Plain.blocks))
    monkeypatch.setattr(identity.Packed, "blocks", before(identity.Packed.blocks))
    return count


def lines_held(here: There) -> int:
    return Store(job.folder(here)).standing().lines


@pytest.mark.parametrize("step", range(1, 3 * (PARTS - 1) + 1))
def test_one_look_misses_nothing_that_was_renamed_meanwhile(
    here: There, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    count = at_step(monkeypatch, step, lambda: rotate(here.path))
    taken = job.ingest([], here)
    assert count[0] >= step
    assert taken.errors == []
    every = sum(piece.count(b"\n") for piece in pieces())
    # Whether the new log was there before its name was opened is chance; nothing else is.
    assert lines_held(here) in (every, every - pieces()[-1].count(b"\n"))
    job.ingest([], here)
    assert lines_held(here) == every


@pytest.mark.parametrize("step", range(1, 3 * (PARTS - 1) + 1))
def test_whoever_follows_takes_no_file_for_another(
    here: There, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    at_step(monkeypatch, step, lambda: rotate(here.path))
    writer = Writer(job.folder(here))
    intake = job._Intake(writer)
    for _ in range(3):  # three looks of one follower, which remembers what it has read
        for path in job._rotated(here.log()):
            intake.file(path)
        assert intake.taken.errors == []
    writer.close()
    assert lines_held(here) == sum(piece.count(b"\n") for piece in pieces())


def test_a_file_that_was_named_and_is_gone_is_told(here: There, monkeypatch: pytest.MonkeyPatch) -> None:
    named = here.path.with_name("mail.log.1")
    at_step(monkeypatch, 2, named.unlink)
    with pytest.raises(identity.CannotLook, match=r"mail\.log\.1 is not there any more"):
        job.ingest([named], here)
