"""Whatever happens to whoever takes a log in, and to the log meanwhile: each line is in the store, and none twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.kill_driver import there
from jobs.rotating import Rotating
from mailmend.jobs import ingest
from mailmend.system.store import schema
from mailmend.system.store.sqlite import Store

DRIVER = Path(__file__).with_name("kill_driver.py")


@pytest.mark.parametrize(
    ("seed", "kills"),
    [
        pytest.param(1, 25, id="25"),
        pytest.param(2, 400, id="400", marks=pytest.mark.slow),
        *(pytest.param(seed, 1000, id=f"1000-{seed}", marks=pytest.mark.full) for seed in range(3, 13)),
    ],
)
def test_killed_while_files_rotate_nothing_is_lost_or_doubled(tmp_path: Path, seed: int, kills: int) -> None:
    logs, state = tmp_path / "log", tmp_path / "state"
    logs.mkdir()
    path = logs / "mail.log"
    path.touch()
    writer = Rotating(path, seed, pause=0.02)
    writer.start()
    try:
        done = subprocess.run(
            [sys.executable, str(DRIVER), str(state), str(path), str(seed), str(kills)],
            capture_output=True,
            text=True,
            check=False,
        )
        while writer.is_alive() and not all(writer.ways[way] for way in ("rename", "copytruncate", "in two")):
            time.sleep(0.05)  # a busy machine writes little in the time that the kills take
    finally:
        writer.stop()
    assert done.stdout == f"killed {kills}\n", done.stderr
    assert done.returncode == 0

    ingest.ingest([], there(state, path))  # what was written after the last kill
    held = Store(ingest.folder(there(state, path))).standing()
    assert held.lines == held.deliveries == sum(writer.written.values())
    assert held.failed == writer.written["bounced"]
    assert held.unparsed == 0
    with schema.to_read(ingest.folder(there(state, path))) as db:
        rows, ids = db.execute("select count(*), count(distinct queue_id) from failed").fetchone()
        assert rows == ids == writer.written["bounced"]
        assert db.execute("select sum(count) from days").fetchone()[0] == held.deliveries
        assert db.execute("select sum(count) from hits where kind=0").fetchone()[0] == held.failed
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
