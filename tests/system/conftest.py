"""What the tests of the transaction stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmend.system.history import History
from system.server import MAIN, MASTER, Server


@pytest.fixture
def server(tmp_path: Path) -> Server:
    etc = tmp_path / "postfix"
    etc.mkdir()
    (etc / "main.cf").write_text(MAIN)
    (etc / "master.cf").write_text(MASTER)
    return Server(etc, History(tmp_path / "state"))
