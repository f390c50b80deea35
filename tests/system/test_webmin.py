"""Webmin's Apply button runs mailmend, everything else of its configuration stays, and the old command comes back."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mailmend.model import CannotLook, Refused
from mailmend.system import webmin
from mailmend.system.history import History

OURS = "/opt/mailmend/bin/mailmend apply"
CONFIG = "postfix_control_command=/usr/sbin/postfix\nperpage=20\nmailq_cmd=postqueue -p\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return path


def test_without_webmin_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="not installed"):
        webmin.point(str(tmp_path / "config"), OURS, tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_a_command_with_a_second_line_is_refused(config: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        webmin.point(str(config), "a\nstop_cmd=b", tmp_path / "state")
    assert config.read_text() == CONFIG


def test_what_points_at_us_already_is_left_alone(config: Path, tmp_path: Path) -> None:
    config.write_text(f"{CONFIG}reload_cmd={OURS}\n")
    assert webmin.point(str(config), OURS, tmp_path / "state") == (OURS, OURS)
    assert History(tmp_path / "state").records() == ()


def test_nothing_to_take_back_is_said(config: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has not changed"):
        webmin.restore(str(config), tmp_path / "state")


@pytest.mark.parametrize(
    ("before", "old", "after"),
    [
        (CONFIG, None, f"{CONFIG}reload_cmd={OURS}\n"),
        (CONFIG.rstrip("\n"), None, f"{CONFIG}reload_cmd={OURS}\n"),
        ("", None, f"reload_cmd={OURS}\n"),
        (
            f"reload_cmd=systemctl reload postfix\n{CONFIG}",
            "systemctl reload postfix",
            f"reload_cmd={OURS}\n{CONFIG}",
        ),
        (f"reload_cmd=\n{CONFIG}", "", f"reload_cmd={OURS}\n{CONFIG}"),
        ("reload_cmd=a\nx=1\nreload_cmd=b\n", "b", f"x=1\nreload_cmd={OURS}\n"),
    ],
    ids=["no such key", "no final newline", "empty file", "another command", "empty value", "twice"],
)
def test_the_button_is_pointed_at_us_and_back(
    tmp_path: Path, config: Path, before: str, old: str | None, after: str
) -> None:
    config.write_text(before)
    state = tmp_path / "state"
    assert webmin.point(str(config), OURS, state) == (old, OURS)
    assert config.read_text() == after
    assert webmin.restore(str(config), state) == (OURS, old or "")
    assert config.read_text() == before
    with pytest.raises(Refused):
        webmin.restore(str(config), state)


@pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")
def test_mode_and_owner_stay(config: Path, tmp_path: Path) -> None:
    config.chmod(0o600)
    os.chown(config, 0, 2)
    webmin.point(str(config), OURS, tmp_path / "state")
    state = config.stat()
    assert (stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid) == (0o600, 0, 2)


def test_what_webmin_saved_since_stays(config: Path, tmp_path: Path) -> None:
    webmin.point(str(config), OURS, tmp_path / "state")
    config.write_text(config.read_text().replace("perpage=20", "perpage=50"))
    webmin.restore(str(config), tmp_path / "state")
    assert config.read_text() == CONFIG.replace("perpage=20", "perpage=50")


def test_a_command_that_somebody_set_since_is_theirs(config: Path, tmp_path: Path) -> None:
    webmin.point(str(config), OURS, tmp_path / "state")
    config.write_text(CONFIG + "reload_cmd=service postfix reload\n")
    with pytest.raises(Refused, match="CONFLICT"):
        webmin.restore(str(config), tmp_path / "state")
    assert config.read_text() == CONFIG + "reload_cmd=service postfix reload\n"


def test_pointing_again_after_a_move_and_back_twice_reaches_the_first_command(
    config: Path, tmp_path: Path
) -> None:
    webmin.point(str(config), "/old/mailmend apply", tmp_path / "state")
    webmin.point(str(config), OURS, tmp_path / "state")
    assert webmin.restore(str(config), tmp_path / "state") == (OURS, "/old/mailmend apply")
    assert webmin.restore(str(config), tmp_path / "state") == ("/old/mailmend apply", "")
    assert config.read_text() == CONFIG
