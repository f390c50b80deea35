"""Several processes read a large log side by side: the report is the same, whatever becomes of one of them."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs import logs
from mailmend.jobs import report as job
from mailmend.jobs.here import Here
from mailmend.model import CannotLook
from mailmend.system import logfiles
from mailmend.system.logfiles import Part


def nowhere() -> Here:
    raise CannotLook("the files alone are looked at")


def parts(*sizes: int) -> list[Part]:
    return [
        Part(Path(str(number)), 0, size, size, None, datetime(2026, 11, 22, tzinfo=UTC))
        for number, size in enumerate(sizes)
    ]


# ---- what must not happen ------------------------------------------------------------------


@pytest.mark.parametrize("broken", [0, 1])
def test_a_file_that_ends_too_soon_is_told_whoever_reads_it(tmp_path: Path, broken: int) -> None:
    files = []
    for number in range(2):
        packed = gzip.compress(logs.write(number, 1500)[0])
        path = tmp_path / f"mail.log.{2 - number}.gz"
        path.write_bytes(packed[: len(packed) // 2] if number == broken else packed)
        os.utime(path, (1_770_000_000 + number, 1_770_000_000 + number))
        files.append(path)
    with pytest.raises(CannotLook, match=f"{files[broken].name} cannot be read to its end"):
        job.report(nowhere, files, processes=2)


# ---- what must -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "processes", "runs"),
    [
        ((32,), 2, [1]),
        ((32, 32), 1, [2]),
        ((32, 32), 8, [1, 1]),
        ((32, 32, 32, 1), 2, [2, 2]),
        ((1, 1, 1, 90), 2, [3, 1]),
        ((90, 1, 1, 1), 2, [1, 3]),
        ((10,) * 9, 3, [3, 3, 3]),
    ],
)
def test_each_process_has_one_run_of_about_the_same_size(
    sizes: tuple[int, ...], processes: int, runs: list[int]
) -> None:
    every = parts(*sizes)
    shared = job._runs(every, processes)
    assert [part for run in shared for part in run] == every
    assert [len(run) for run in shared] == runs


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_way_told_goes_forward_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(logs.write(7, 3000)[0])
    monkeypatch.setattr(logfiles, "PART", 50_000)
    steps: list[tuple[int, int]] = []
    job.report(nowhere, [path], processes=processes, progress=lambda at, of: steps.append((at, of)))
    assert [at for at, _ in steps] == sorted(at for at, _ in steps)
    assert steps[-1] == (path.stat().st_size, path.stat().st_size)
