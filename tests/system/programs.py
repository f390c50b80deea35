"""Stand-in programs for the looks that run one: root's own PATH is fixed, everybody else's is the environment's."""

from __future__ import annotations

import pytest

from mailmend.system import host


def for_programs(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Programs are found on *path*, whoever runs the tests."""
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(host, "SYSTEM_PATH", path)
