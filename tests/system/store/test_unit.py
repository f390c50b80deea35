"""The unit that follows the log may read logs and write the store, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailmend.system.store import unit
from mailmend.ui import cli

TEXT = unit.text(["/opt/mailmend/bin/python", "-P", "-m", "mailmend", "ingest", "--follow"])
WORST = 2.0  # of `systemd-analyze security`: 0 is closed, 10 open


def test_it_is_printed_and_nothing_is_installed() -> None:
    printed = CliRunner().invoke(cli.mailmend, ["ingest", "--print-unit"])
    assert printed.exit_code == 0
    assert "ingest --follow\n" in printed.stdout
    assert f"User={unit.USER}\n" in printed.stdout
    assert all(len(line) < 200 for line in printed.stdout.splitlines())
    document = json.loads(CliRunner().invoke(cli.mailmend, ["--json", "ingest", "--print-unit"]).stdout)
    assert document["unit"] == printed.stdout
    assert not Path(f"/etc/systemd/system/{unit.NAME}").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_it_closed(tmp_path: Path) -> None:
    path = tmp_path / unit.NAME
    path.write_text(TEXT.replace("/opt/mailmend/bin/python", "/bin/true"))
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={int(WORST * 10)}", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unrecognized option" in said.stderr:
        pytest.skip("this systemd-analyze cannot look at a file")
    assert said.returncode == 0, said.stdout[-500:] + said.stderr
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    assert unit.NAME not in verified.stderr, verified.stderr
