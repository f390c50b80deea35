"""A log full of strangers' words is reported on and kept as it is true: whole, in parts, packed, growing, stored."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from jobs.kill_driver import There, there
from mailmend.jobs import ingest
from mailmend.jobs import report as job
from mailmend.jobs.here import Here
from mailmend.model import CannotLook
from mailmend.system import logfiles
from mailmend.system.store.sqlite import Store
from parse.forged import Log, Truth

FAMILIES = {".": "ipv4", ":": "ipv6", "": None}
Places = Counter[tuple[str | None, str | None, str]]


def nowhere() -> Here:
    raise CannotLook("the files alone are looked at")


@pytest.fixture
def here(tmp_path: Path) -> There:
    (tmp_path / "log").mkdir()
    return there(tmp_path / "state", tmp_path / "log" / "mail.log")


def truly(truth: Truth) -> Places:
    out: Places = Counter()
    for (relay, family, _, status), count in truth.outcomes.items():
        out["google" if "google" in relay else None, FAMILIES[family], status] += count
    return out


def places(rows: Iterable[tuple[str | None, str | None, str, int]]) -> Places:
    """Where no relay was reached, a report tells whose mail it was by the recipient's domain: not what is held here."""
    out: Places = Counter()
    for receiver, family, status, count in rows:
        out[receiver if family else None, family, status] += count
    return out


def is_true(found: job.Told, truth: Truth) -> None:
    told = found.report
    rows = ((r.place.receiver, r.place.family, r.place.status, r.count) for r in told.rows)
    assert places(rows) == truly(truth)
    assert (told.lines, told.unparsed, told.messages) == (truth.lines, truth.unparsed, truth.messages)
    assert sum(count for _, count in told.rejected) == truth.rejected


# ---- what must not be told ----------------------------------------------------------------


def test_nobody_wrote_or_got_what_strangers_name(here: There) -> None:
    log = Log(11).fill(800)
    here.path.write_bytes(log.text)
    ingest.ingest([], here)
    store = Store(ingest.folder(here))
    for word in ("boss@example.org", "x@gmail.com", "4ABCDEF012", "4jXQxN61F0zLdf9", "joined@example.net"):
        assert not list(store.deliveries_of(word))
    told = job.report(nowhere, [here.path]).report
    assert not {name for row in told.rows for name, _ in row.senders} & {"boss@example.org"}
    domains = {name for row in told.rows for name, _ in row.domains}
    assert domains <= {"gmail.com", "example.net", "xn--e1afmkfd.example"}


# ---- what must ----------------------------------------------------------------------------


@pytest.mark.parametrize("rfc3339", [False, True])
def test_report_in_parts_packed_and_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rfc3339: bool
) -> None:
    log = Log(21, rfc3339=rfc3339).fill(1500)
    path = tmp_path / "mail.log"
    path.write_bytes(log.text)
    is_true(job.report(nowhere, [path]), log.truth)
    packed = tmp_path / "mail.log.1.gz"
    packed.write_bytes(gzip.compress(log.text))
    is_true(job.report(nowhere, [packed]), log.truth)
    monkeypatch.setattr(logfiles, "PART", 40_000)
    monkeypatch.setattr(logfiles, "BLOCK", 7_000)
    assert len(logfiles.parts([path])) > 10
    is_true(job.report(nowhere, [path]), log.truth)
    is_true(job.report(nowhere, [path], processes=2), log.truth)


def test_before_and_after_any_moment_there_is_all(tmp_path: Path) -> None:
    log = Log(22, rfc3339=True).fill(800)
    path = tmp_path / "mail.log"
    path.write_bytes(log.text)
    began = datetime(2026, 11, 22, tzinfo=timezone(timedelta(hours=1)))
    for minutes in (7, 19, 31):
        at = began + timedelta(minutes=minutes)
        parts = [job.report(nowhere, [path], since=at), job.report(nowhere, [path], until=at)]
        assert sum(part.report.lines for part in parts) == log.truth.lines
        assert sum(part.report.unparsed for part in parts) == log.truth.unparsed
        assert sum(part.report.total() for part in parts) == log.truth.outcomes.total()
        assert min(part.report.total() for part in parts) > 0


@pytest.mark.parametrize("rfc3339", [False, True])
def test_what_is_kept_while_it_is_written_is_true(here: There, rfc3339: bool) -> None:
    """A log that grows by pieces that end in the middle of lines, is renamed and packed."""
    log, dice = Log(31, rfc3339=rfc3339).fill(800), random.Random(31)  # noqa: S311
    text, at = bytes(log.text), 0
    with here.path.open("wb") as file:
        while at < len(text):
            size = dice.choice((1, 100, 30_000, 90_000))
            file.write(text[at : at + size])
            file.flush()
            at += size
            ingest.ingest([], here)
    assert text.endswith(b"\n")
    old = here.path.with_name("mail.log.1")
    here.path.rename(old)
    here.path.write_bytes(b"")
    ingest.ingest([], here)
    old.with_name("mail.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    ingest.ingest([], here)
    _kept(here, log.truth)


def _kept(here: There, truth: Truth) -> None:
    store = Store(ingest.folder(here))
    standing, summary = store.standing(), store.report()
    rows = ((c.place.receiver, c.place.family, c.place.status, c.count) for c in summary.counts)
    assert places(rows) == truly(truth)
    assert (standing.lines, standing.unparsed) == (truth.lines, truth.unparsed)
    assert (summary.lines, summary.unparsed, summary.messages) == (
        truth.lines,
        truth.unparsed,
        truth.messages,
    )
    assert sum(count for _, count in summary.rejected) == truth.rejected
    kept = list(store.failures())
    assert Counter(each.line.sender for each in kept) == truth.senders
    sent = sum(count for (_, _, _, status), count in truth.outcomes.items() if status == "sent")
    assert standing.deliveries == truth.outcomes.total()
    assert len(kept) == standing.failed == standing.deliveries - sent


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 220))
def test_more_logs_are_reported_and_kept_as_they_are(here: There, seed: int) -> None:
    log = Log(seed, rfc3339=seed % 2 > 0).fill(4000)
    here.path.write_bytes(log.text)
    is_true(job.report(nowhere, [here.path]), log.truth)
    ingest.ingest([], here)
    _kept(here, log.truth)
