"""Holes, lines without end and copies that were cut: plain or packed, each line is taken in once."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs import logs
from jobs.kill_driver import There, there
from mailmend.jobs import ingest as job
from mailmend.system.store.sqlite import Store

BLOCK = 1 << 18
FORGED = (
    b"Nov 20 10:00:00 mx1 postfix/smtp[9]: 4F1A2B3C4D: to=<x@gmail.com>, relay=mx.example.org[192.0.2.1]:25,"
    b" delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 forged)\n"
)
TEXT, TRUTH = logs.write(7, 300, rfc3339=True)
HALF = TEXT.index(b"\n", len(TEXT) // 2) + 1
Written = Callable[[bytes, bool], Path]


@pytest.fixture
def here(tmp_path: Path) -> There:
    (tmp_path / "log").mkdir()
    return there(tmp_path / "state", tmp_path / "log" / "mail.log")


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A log of its own, packed or not."""
    names = iter(range(9))

    def write(text: bytes, packed: bool) -> Path:
        path = tmp_path / f"{next(names)}.log"
        path.write_bytes(gzip.compress(text) if packed else text)
        return path

    return write


def deliveries(here: There) -> int:
    return Store(job.folder(here)).standing().deliveries


# ---- what must not be counted -------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("more", [-1, 0, 1, 5])
def test_what_stands_within_a_line_without_end_is_no_delivery(
    here: There, written: Written, packed: bool, more: int
) -> None:
    """Wherever a block ends in it, and with the reader stopped there and begun anew."""
    text = TEXT[:HALF] + b"x" * (BLOCK + more) + FORGED
    job.ingest([written(text, packed)], here)
    whole = written(text + TEXT[HALF:], packed)
    job.ingest([whole], here)
    assert deliveries(here) == sum(TRUTH.outcomes.values())


# ---- each line once, whatever lies between --------------------------------------------------------


@pytest.mark.parametrize("size", [300_000, 1 << 20, BLOCK])
@pytest.mark.parametrize("what", ["hole", "line"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("way", [(False, True), (True, False), (True, True)])
def test_a_log_with_a_gap_is_the_same_log_packed_and_plain(
    here: There, written: Written, size: int, what: str, first: bool, way: tuple[bool, bool]
) -> None:
    gap = b"\0" * size if what == "hole" else b"x" * size + b"\n"
    cut = 0 if first else TEXT.index(b"\n", HALF // 2) + 1
    begun = TEXT[:cut] + gap + TEXT[cut:HALF]
    one, other = way
    job.ingest([written(begun, one)], here)
    assert not job.ingest([written(begun, other)], here)
    job.ingest([written(begun + TEXT[HALF:], other)], here)
    assert not job.ingest([written(begun + TEXT[HALF:], one)], here)
    assert deliveries(here) == sum(TRUTH.outcomes.values())


@pytest.mark.parametrize("later", [False, True])
def test_a_copy_that_was_packed_while_a_line_was_written_adds_no_line_twice(
    here: There, written: Written, later: bool
) -> None:
    begun = job.ingest([written(TEXT[: HALF + 40], True)], here)
    assert begun.waiting == 40
    rest = job.ingest([written(TEXT, later)], here)
    assert begun.lines + rest.lines == TEXT.count(b"\n")
    assert deliveries(here) == sum(TRUTH.outcomes.values())
