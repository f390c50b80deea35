"""Somebody always watches a hold, and never two."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmend.model import CannotLook
from mailmend.system import detached, host, queue, vigil
from mailmend.system.vigil import Vigil


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vigil:
    """A state folder without a hold, on a host without systemd."""
    monkeypatch.setattr(detached, "SYSTEMD", tmp_path / "no-systemd")
    return Vigil(tmp_path / "state", launch=lambda _name, _argv: None)


def test_there_is_nothing_to_watch_before_and_after(nobody: Vigil) -> None:
    assert not nobody.kept()
    nobody.begin("/etc/postfix-out")
    assert nobody.kept()
    assert nobody.instance() == "/etc/postfix-out"
    nobody.end()
    nobody.end()
    assert not nobody.kept()
    assert nobody.instance() is None


def test_only_one_watches_at_a_time(nobody: Vigil) -> None:
    nobody.begin(None)
    with nobody.alone() as first, Vigil(nobody.state).alone() as second:
        assert (first, second) == (True, False)
    with nobody.alone() as again:
        assert again


def test_where_systemd_runs_a_unit_watches_after_a_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detached, "SYSTEMD", tmp_path)
    monkeypatch.setattr(vigil, "UNITS", tmp_path / "units")
    monkeypatch.setattr(vigil, "_reload_systemd", lambda: None)
    started: list[tuple[str, ...]] = []
    watched = Vigil(tmp_path / "state", launch=lambda _name, argv: started.append(argv))
    watched.begin(None)
    unit = (tmp_path / "units/mailmend-hold.service").read_text()
    assert f"ExecStart={' '.join(watched.command)}\n" in unit
    assert f"ConditionPathExists={tmp_path}/state/hold\n" in unit
    assert (tmp_path / "units/multi-user.target.wants/mailmend-hold.service").resolve().is_file()
    watched.watch()
    assert started == [watched.command]
    watched.end()
    assert [path.name for path in (tmp_path / "units").rglob("*.service")] == []


def test_a_table_that_postfix_complains_about_is_told_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "postmap"
    program.write_text("#!/bin/sh\necho 'postmap: warning: regexp map, line 1: unmatched (' >&2\n")
    program.chmod(0o755)
    monkeypatch.setattr(host, "environment", lambda: {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    with pytest.raises(CannotLook, match=r"unmatched \("):
        queue.answers("/(/ 4", ("5.7.1 x",), tmp_path / "state")
    assert list((tmp_path / "state").iterdir()) == []


def test_a_queue_that_may_not_be_seen_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "postqueue"
    program.write_text(
        "#!/bin/sh\necho 'postqueue: fatal: Queue report unavailable - mail system is down' >&2\nexit 69\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(host, "environment", lambda: {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    with pytest.raises(CannotLook, match="mail system is down"):
        queue.waiting()
