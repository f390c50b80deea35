"""Logs are read whole and in their order, whatever they are packed in; what is no log is said in one line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailmend.model import CannotLook, ParseError
from mailmend.system import logfiles

LINE = "Nov 22 {:02}:{:02}:00 mx1 postfix/qmgr[7]: 4ABCDEF012: removed\n"
LOG = "".join(LINE.format(hour, minute) for hour in range(24) for minute in range(60)).encode()


def read(*paths: Path) -> bytes:
    return b"".join(block for part in logfiles.parts(paths) for block in logfiles.blocks(part))


@pytest.mark.parametrize("what", ["directory", "nothing there", "binary", "cut gz", "cut xz"])
def test_what_is_no_log_is_said_in_one_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "mail.log"
    if what == "directory":
        path.mkdir()
    elif what == "binary":
        path.write_bytes(bytes(range(256)) * 1000)
    elif what != "nothing there":
        noise = LOG + os.urandom(300_000).hex().encode()
        path.write_bytes((gzip if "gz" in what else lzma).compress(noise)[:-20_000])
    with pytest.raises((CannotLook, ParseError)) as said:
        read(path)
    assert str(path) in said.value.reason
    assert "\n" not in said.value.reason
    assert isinstance(said.value, ParseError) == (what in ("binary", "directory"))


@pytest.mark.parametrize("packing", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_log_is_known_by_its_first_bytes(tmp_path: Path, packing: object) -> None:
    path = tmp_path / "saved"
    path.write_bytes(packing(LOG))  # type: ignore[operator]
    assert read(path) == LOG


def test_parts_begin_where_lines_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfiles, "PART", 1000)
    path = tmp_path / "mail.log"
    path.write_bytes(LOG)
    parts = logfiles.parts([path])
    assert len(parts) > 50
    assert all(b"".join(logfiles.blocks(part)).startswith(b"Nov 22 ") for part in parts)
    assert read(path) == LOG
    assert sum(part.size for part in parts) == len(LOG)


def test_files_are_read_in_the_order_of_their_time(tmp_path: Path) -> None:
    half = LOG.index(b"Nov 22 12:")
    (tmp_path / "mail.log").write_bytes(LOG[half:])
    (tmp_path / "mail.log.1.gz").write_bytes(gzip.compress(LOG[:half]))
    found = logfiles.rotated(tmp_path / "mail.log", None)
    assert read(*reversed(found)) == LOG


def test_a_log_that_is_named_twice_is_not_counted_twice(tmp_path: Path) -> None:
    log, link = tmp_path / "mail.log", tmp_path / "link"
    log.write_bytes(LOG)
    link.symlink_to(log)
    for names in ((log, log), (log, link)):
        with pytest.raises(ParseError, match="is the same file as"):
            logfiles.parts(names)


def test_a_part_that_is_being_packed_is_read_once(tmp_path: Path) -> None:
    """logrotate(8) packs beside the part, and then removes it."""
    (tmp_path / "mail.log").write_bytes(LOG)
    (tmp_path / "mail.log.1").write_bytes(LOG)
    (tmp_path / "mail.log.1.gz").write_bytes(gzip.compress(LOG)[:30])
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(LOG))
    found = logfiles.rotated(tmp_path / "mail.log", None)
    assert {each.name for each in found} == {"mail.log", "mail.log.1", "mail.log.2.gz"}


def test_a_line_without_an_end_costs_no_memory_and_no_other_line(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(LOG + b"x" * 3_000_000 + b"\n" + LOG)
    got = read(path)
    assert len(got) == 2 * len(LOG) + logfiles.LONGEST + 1
    assert got.endswith(LOG)


def test_a_last_line_that_is_being_written_is_given_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(LOG[:-5])
    assert read(path) == LOG[:-5] + b"\n"


def test_since_and_until_cut_within_a_block() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    since, until = datetime(2026, 11, 22, 10, tzinfo=UTC), datetime(2026, 11, 22, 11, tzinfo=UTC)
    kept = logfiles.within(LOG + b"no time\n", now, since, until).decode()
    assert kept == "".join(LINE.format(10, minute) for minute in range(60))
    assert logfiles.within(LOG, now, until.replace(day=23), None) == b""
    assert logfiles.within(LOG, now, None, None) is LOG


@pytest.mark.parametrize("packing", ["plain", "gz", "bz2", "xz", "zst"])
def test_how_far_is_told_by_what_lies_on_disk(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "mail.log"
    noise = b"".join(
        b"%s x\n" % os.urandom(30).hex().encode() for _ in range(200_000 if packing == "zst" else 30_000)
    )
    if packing == "zst":
        if shutil.which("zstd") is None:
            pytest.skip("there is no zstd")
        path.write_bytes(noise)
        subprocess.run(["zstd", "-q", "--rm", str(path)], check=True)
        path = tmp_path / "mail.log.zst"
    else:
        packers: dict[str, Callable[[bytes], bytes]] = {
            "plain": bytes,
            "gz": gzip.compress,
            "bz2": bz2.compress,
            "xz": lzma.compress,
        }
        path.write_bytes(packers[packing](noise))
    told: list[int] = []
    (part,) = logfiles.parts([path])
    assert b"".join(logfiles.blocks(part, at=told.append)) == noise
    assert told == sorted(told)
    assert len({*told}) > 2
    assert told[-1] <= part.size
    assert told[-1] > part.size // 2
