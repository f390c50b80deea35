"""With a process beside that reads, the store is the same to the row, whichever of the two is killed and when."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import heap
from pathlib import Path

import pytest

from jobs import logs
from jobs.kill_driver import There, there
from mailmend.jobs import ingest as job
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, ParseError
from mailmend.system.store import schema
from mailmend.system.store.sqlite import Store

DRIVER = Path(__file__).with_name("ingest_beside_driver.py")
SIZE = 4000  # messages: some 1.5 MB


@pytest.fixture(scope="module")
def text() -> bytes:
    return logs.write(11, SIZE)[0]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> There:
    """A host with commits so small that there are several."""
    (tmp_path / "log").mkdir()
    monkeypatch.setattr(job, "COMMIT", 1 << 18)
    return there(tmp_path / "state", tmp_path / "log" / "mail.log")


def held(here: Here) -> tuple[object, ...]:
    """All that a store tells, without the numbers and times that differ from run to run."""
    store = Store(job.folder(here))
    standing = store.standing()
    with schema.to_read(job.folder(here)) as db:
        left = sorted(db.execute("select host, queue_id, recipient, families from put_off"))
        domains = sorted(
            db.execute("select day, name, sum(count) from days join names on id=domain group by 1, 2")
        )
        moved = sorted(
            db.execute("select day, name, sum(count) from forwarded join names on id=sender group by 1, 2")
        )
    counts = (standing.lines, standing.unparsed, standing.deliveries, standing.failed)
    return store.report(), list(store.failures()), left, domains, moved, counts


def alone(here: There, folder: Path) -> tuple[object, ...]:
    """What one process makes of the same log."""
    other = there(folder, here.path)
    job.ingest([here.path], other)
    return held(other)


# ---- where there is nothing to gain --------------------------------------------------------


def test_little_is_read_by_one_process(here: There, text: bytes) -> None:
    here.path.write_bytes(text)
    seen: list[int] = []
    job.ingest(
        [here.path],
        here,
        processes=2,
        progress=lambda _read, _of: seen.append(len(multiprocessing.active_children())),
    )
    assert seen
    assert not any(seen)


def test_one_process_stays_one(here: There, text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "BESIDE", 0)
    here.path.write_bytes(text)
    seen: list[int] = []
    job.ingest([here.path], here, progress=lambda *_: seen.append(len(multiprocessing.active_children())))
    assert seen
    assert not any(seen)


# ---- the same --------------------------------------------------------------------------------


@pytest.fixture
def beside(here: There, monkeypatch: pytest.MonkeyPatch) -> There:
    monkeypatch.setattr(job, "BESIDE", 0)
    return here


def test_the_store_is_the_same(beside: There, text: bytes, tmp_path: Path) -> None:
    beside.path.write_bytes(text)
    seen: list[int] = []
    job.ingest(
        [beside.path],
        beside,
        processes=2,
        progress=lambda _read, _of: seen.append(len(multiprocessing.active_children())),
    )
    assert len(seen) >= 3
    assert all(seen)
    assert held(beside) == alone(beside, tmp_path / "alone")
    assert multiprocessing.active_children() == []


def test_stamps_of_other_kinds_and_packed_parts_in_their_order(
    beside: There, text: bytes, tmp_path: Path
) -> None:
    """The old part in a zone's stamps and packed, the new one without a year: how a time is read changes midway."""
    old = beside.path.with_name("mail.log.1.gz")
    old.write_bytes(gzip.compress(logs.write(5, 1500, rfc3339=True)[0]))
    os.utime(old, (1_000_000_000, 1_000_000_000))
    beside.path.write_bytes(logs.write(6, 300, rfc3339=True)[0] + text)
    other = there(tmp_path / "alone", beside.path)
    job.ingest([], beside, processes=2)
    job.ingest([], other)
    assert held(beside) == held(other)


def test_what_is_no_log_is_refused_and_what_is_broken_is_kept_as_far_as_it_goes(
    beside: There, text: bytes, tmp_path: Path
) -> None:
    beside.path.write_bytes(b"one of another program\n" * 60_000)
    with pytest.raises(ParseError, match="no line of Postfix"):
        job.ingest([beside.path], beside, processes=2)
    assert Store(job.folder(beside)).standing().lines == 0

    broken = beside.path.with_name("mail.log.2.gz")
    broken.write_bytes(gzip.compress(text)[:-20_000])
    with pytest.raises(CannotLook, match="end"):
        job.ingest([broken], beside, processes=2)
    one = there(tmp_path / "alone", beside.path)
    with pytest.raises(CannotLook, match="end"):
        job.ingest([broken], one)
    assert held(beside) == held(one)
    assert multiprocessing.active_children() == []


# ---- killed ----------------------------------------------------------------------------------


def seeds(slow: int) -> list[object]:
    return [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, slow))]


@pytest.mark.parametrize("seed", seeds(40))
def test_whoever_reads_is_killed(beside: There, text: bytes, tmp_path: Path, seed: int) -> None:
    """The other goes on alone, from what was kept."""
    beside.path.write_bytes(text)
    left = random.Random(seed).randrange(1, 5)  # noqa: S311
    killed: list[int] = []

    def kept(_read: int, _of: int) -> None:
        nonlocal left
        left -= 1
        for child in multiprocessing.active_children() if not left else ():
            assert child.pid
            os.kill(child.pid, signal.SIGKILL)
            killed.append(child.pid)

    job.ingest([beside.path], beside, processes=2, progress=kept)
    assert len(killed) == 1
    assert held(beside) == alone(beside, tmp_path / "alone")


def test_where_no_process_can_be_started_one_does_both(
    beside: There, text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.path.write_bytes(text)

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("multiprocessing.heap.Arena.__init__", no_room)
    monkeypatch.setattr("multiprocessing.heap.BufferWrapper._heap", heap.Heap())
    job.ingest([beside.path], beside, processes=2)
    assert held(beside) == alone(beside, tmp_path / "alone")


@pytest.mark.parametrize("seed", seeds(40))
def test_whoever_writes_is_killed(beside: There, text: bytes, tmp_path: Path, seed: int) -> None:
    """The one beside ends as well; the next to take it in goes on where the store stands."""
    beside.path.write_bytes(text)
    number = random.Random(seed).randrange(1, 5)  # noqa: S311
    said = tmp_path / "said"  # not a pipe, whose end would be waited for
    with said.open("w") as out:
        done = subprocess.run(
            [sys.executable, str(DRIVER), str(beside.state), str(beside.path), str(number)],
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONPATH": str(DRIVER.parent.parent)},
            check=False,
        )
    assert done.returncode == -signal.SIGKILL, said.read_text()
    assert ended(int(said.read_text()))
    some = Store(job.folder(beside)).standing().lines
    assert 0 < some < text.count(b"\n")

    job.ingest([beside.path], beside, processes=2)
    assert held(beside) == alone(beside, tmp_path / "alone")


def ended(pid: int) -> bool:
    """Whether that process ends within a time in which any machine gets to it."""
    for _ in range(600):
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.1)
                continue
        return True
    return False
