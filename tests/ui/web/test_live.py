"""That a page hears of an edit, whoever made it and however."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mailmend.ui.helper.sessions import Sessions
from mailmend.ui.web.console import Console
from mailmend.ui.web.pages import live


def console(folder: Path) -> Console:
    return Console(Sessions(), frozenset({"localhost"}), config_directory=str(folder))


def test_what_nobody_touched_is_not_told_as_saved(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    before = live.saved(console(tmp_path))
    (tmp_path / "main.cf").read_text()
    assert live.saved(console(tmp_path)) == before


def test_a_file_that_came_back_with_its_old_time_was_saved_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "main.cf"
    file.write_text("inet_protocols = all\n")
    times = file.stat()
    before = live.saved(console(tmp_path))
    file.write_text("inet_protocols = ipv4\n")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert live.saved(console(tmp_path)) != before


def test_a_file_that_was_put_in_its_place_was_saved(tmp_path: Path) -> None:
    file, other = tmp_path / "master.cf", tmp_path / "master.cf.new"
    file.write_text("smtp inet n - y - - smtpd\n")
    other.write_text("smtp inet n - y - - smtpd\n")
    before = live.saved(console(tmp_path))
    other.rename(file)
    assert live.saved(console(tmp_path)) != before


@pytest.mark.parametrize(("by", "here"), [("root", False), ("console:0123abcd@::1", True)])
def test_a_change_on_trial_is_ended_where_it_was_begun(by: str, here: bool) -> None:
    asked = Console(Sessions(), frozenset({"localhost"}), helper=Path("/run/mailmend/helper.sock"))
    record = {"id": "20260101-000000-set", "by": by, "confirm_by": None}
    session: Any = type("Session", (), {"token": "t"})
    text = asked.templates.get_template("_banner.html").render(
        console=asked,
        session=session,
        act=None,
        under_way=False,
        trials=[record],
        interrupted=None,
        not_live=[],
    )
    assert ('id="confirm"' in text) is here
    assert ("begun in a terminal" in text) is not here
    assert ("mailmend confirm 20260101-000000-set" in text) is not here
