"""However long a log is, each delivery in it is counted once, by one process or two."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from jobs import logs
from mailmend.jobs import report as job
from mailmend.jobs.here import Here
from mailmend.model import CannotLook
from mailmend.parse.logscan import Scanner
from mailmend.system import logfiles

MB = 1 << 20
CHUNK = 20_000  # messages, some 14 MB, that are written at a time
SIZES = [
    pytest.param(12 * MB, id="12 MB"),
    pytest.param(1 << 30, marks=pytest.mark.full, id="1 GB"),
]


def nowhere() -> Here:
    raise CannotLook("the file alone is looked at")


def written(path: Path, seed: int, size: int, *, rfc3339: bool) -> logs.Truth:
    whole = logs.Truth()
    with path.open("wb") as file:
        for chunk in range(seed * 1000, seed * 1000 + 1000):
            text, truth = logs.write(chunk, CHUNK, rfc3339=rfc3339)
            file.write(text)
            whole.outcomes.update(truth.outcomes)
            whole.senders.update(truth.senders)
            whole.rejected += truth.rejected
            whole.unparsed += truth.unparsed
            whole.messages += truth.messages
            if file.tell() >= size:
                return whole
    raise AssertionError("it is too long")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("seed", "rfc3339", "processes"), [(1, False, 1), (2, True, 2)])
def test_every_delivery_of_a_long_log_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, seed: int, rfc3339: bool, processes: int
) -> None:
    if size < 1 << 30:
        monkeypatch.setattr(logfiles, "PART", 2 * MB)
    path = tmp_path / "mail.log"
    truth = written(path, seed, size, rfc3339=rfc3339)
    assert len(logfiles.parts([path])) > 1
    found = job.report(nowhere, [path], processes=processes).report
    outcomes: Counter[tuple[str | None, str | None, str]] = Counter()
    senders: Counter[str] = Counter()
    for row in found.rows:
        outcomes[row.place.receiver, row.place.family, row.place.status] += row.count
        senders.update(dict(row.senders))
    assert outcomes == truth.outcomes
    assert senders == truth.senders
    assert (found.messages, found.unparsed) == (truth.messages, truth.unparsed)
    assert sum(count for _, count in found.rejected) == truth.rejected
    bare, whole = Scanner(bare=True), Scanner(by=("relay", "status"))
    for part in logfiles.parts([path]):
        for block in logfiles.blocks(part):
            bare.scan(block)
            whole.scan(block)
    assert bare.counts.total() == whole.counts.total() == truth.outcomes.total()
