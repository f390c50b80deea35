"""Reading a log is measured beside others, and all that count outcomes count the same."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from mailmend.jobs import bench_log
from mailmend.model import CannotLook

HEAD = "Nov 22 10:00:00 mx1 postfix/smtp[7]: 4ABCDEF012: to=<a@b.org>, relay=mx.b.org[192.0.2.1]:25, "
LOG = f"{HEAD}delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n" * 500


def test_a_packed_log_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "mail.log.gz"
    path.write_bytes(gzip.compress(LOG.encode()))
    with pytest.raises(CannotLook, match="packed"):
        bench_log.log(path, lambda _: None)


def test_every_way_counts_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_text(LOG)
    told: list[str] = []
    size, runs = bench_log.log(path, told.append)
    assert size == len(LOG)
    assert told == [run.name for run in runs]
    assert {run.outcomes for run in runs if run.outcomes is not None} == {500}
    assert len([run for run in runs if run.name.startswith("mailmend") and run.error is None]) == 6


def test_each_run_has_its_own_memory_and_is_compared_with_the_peers_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_text(LOG)
    _, runs = bench_log.log(path, lambda _: None)
    assert all(run.memory for run in runs if run.error is None)
    compared = [run.name for run in bench_log.peers(runs)]
    assert bench_log.LOOP in compared
    missing = [replace(run, error="not installed") if run.name == "pflogsumm" else run for run in runs]
    assert "pflogsumm" not in [run.name for run in bench_log.peers(missing)]
