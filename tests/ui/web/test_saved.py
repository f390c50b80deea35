"""That an edit is heard of, whoever made it and however."""

from __future__ import annotations

import os
from pathlib import Path

from mailmend.ui.web.saved import stamp


def test_what_nobody_touched_is_not_told_as_saved(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    before = stamp(str(tmp_path))
    (tmp_path / "main.cf").read_text()
    assert stamp(str(tmp_path)) == before


def test_a_file_that_came_back_with_its_old_time_was_saved_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "main.cf"
    file.write_text("inet_protocols = all\n")
    times = file.stat()
    before = stamp(str(tmp_path))
    file.write_text("inet_protocols = ipv4\n")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert stamp(str(tmp_path)) != before


def test_a_file_that_was_put_in_its_place_was_saved(tmp_path: Path) -> None:
    file, other = tmp_path / "master.cf", tmp_path / "master.cf.new"
    file.write_text("smtp inet n - y - - smtpd\n")
    other.write_text("smtp inet n - y - - smtpd\n")
    before = stamp(str(tmp_path))
    other.rename(file)
    assert stamp(str(tmp_path)) != before
