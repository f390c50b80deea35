"""New lines of a log, while logrotate renames, truncates and compresses under our hands."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from mailmend.model import CannotLook
from mailmend.system import follow
from mailmend.system.follow import Place
from system.programs import for_programs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log"
    path.write_text("old 1\nold 2\n")
    return path


def append(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


def test_nothing_new_is_nothing(log: Path) -> None:
    mark = follow.mark(Place(log))
    assert follow.read(Place(log), mark) == ((), mark)


def test_only_what_came_after_the_mark(log: Path) -> None:
    mark = follow.mark(Place(log))
    append(log, "new 1\nnew 2\n")
    lines, after = follow.read(Place(log), mark)
    assert lines == ("new 1", "new 2")
    assert follow.read(Place(log), after)[0] == ()


def test_half_a_line_waits_for_its_end(log: Path) -> None:
    mark = follow.mark(Place(log))
    append(log, "whole\nha")
    lines, mark = follow.read(Place(log), mark)
    assert lines == ("whole",)
    append(log, "lf\n")
    assert follow.read(Place(log), mark)[0] == ("half",)


def test_a_log_that_does_not_exist_yet(tmp_path: Path) -> None:
    place = Place(tmp_path / "mail.log")
    mark = follow.mark(place)
    assert follow.read(place, mark)[0] == ()
    append(tmp_path / "mail.log", "first\n")
    assert follow.read(place, mark)[0] == ("first",)


def test_renamed_and_begun_anew(log: Path) -> None:
    mark = follow.mark(Place(log))
    append(log, "before\n")
    log.rename(log.with_name("mail.log.1"))
    append(log, "after\n")
    assert follow.read(Place(log), mark)[0] == ("before", "after")


def test_renamed_with_the_date_in_its_name(log: Path) -> None:
    mark = follow.mark(Place(log))
    append(log, "before\n")
    log.rename(log.with_name("mail.log-20261122"))
    append(log, "after\n")
    assert follow.read(Place(log), mark)[0] == ("before", "after")


def test_renamed_and_removed(log: Path) -> None:
    mark = follow.mark(Place(log))
    log.rename(log.with_name("mail.log.1"))
    append(log, "after\n")
    log.with_name("mail.log.1").unlink()
    assert follow.read(Place(log), mark)[0] == ("after",)


def test_cut_short_in_place(log: Path) -> None:
    mark = follow.mark(Place(log))
    os.truncate(log, 0)
    append(log, "anew\n")
    assert follow.read(Place(log), mark)[0] == ("anew",)


def test_waiting_ends_with_the_line_that_was_wanted(log: Path) -> None:
    mark = follow.mark(Place(log))
    writer = threading.Timer(0.2, append, (log, "noise\nstatus=sent\nmore\n"))
    writer.start()
    assert follow.wait_for(Place(log), mark, r"status=\w+", 10) == "status=sent"
    writer.join()


def test_waiting_ends_at_the_deadline(log: Path) -> None:
    begun = time.monotonic()
    assert follow.wait_for(Place(log), follow.mark(Place(log)), "never", 0.3) is None
    assert 0.3 <= time.monotonic() - begun < 3


def test_a_line_that_comes_at_the_deadline_is_still_seen(log: Path) -> None:
    mark = follow.mark(Place(log))
    append(log, "late\n")
    assert follow.wait_for(Place(log), mark, "late", 0) == "late"


def test_bytes_that_are_no_text_are_kept(log: Path) -> None:
    mark = follow.mark(Place(log))
    with log.open("ab") as stream:
        stream.write(b"caf\xe9 \x0c \xc2\x85 end\n")
    # Only a newline ends a line: form feed and U+0085, which str.splitlines takes for one, do not.
    assert follow.read(Place(log), mark)[0] == ("caf\udce9 \x0c \x85 end",)


# ---- where the log is -----------------------------------------------------------------------


def test_postfix_says_itself_where_it_logs(tmp_path: Path) -> None:
    assert follow.place(str(tmp_path / "maillog")) == Place(tmp_path / "maillog")


def test_a_container_that_logs_to_its_output_keeps_nothing() -> None:
    with pytest.raises(CannotLook, match="/dev/stdout, which keeps nothing"):
        follow.place("/dev/stdout")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /var/log of our own, without logs and without a journal."""
    names = tuple(str(tmp_path / Path(name).name) for name in follow.SYSLOG_FILES)
    monkeypatch.setattr(follow, "SYSLOG_FILES", names)
    monkeypatch.setattr(follow, "JOURNALS", (str(tmp_path / "journal"),))
    return tmp_path


def test_no_log_at_all(places: Path) -> None:
    with pytest.raises(CannotLook, match=r"no log of Postfix found: neither .*mail\.log"):
        follow.place()
    assert list(places.iterdir()) == []


def test_red_hat_has_maillog(places: Path) -> None:
    (places / "maillog").write_text("x\n")
    assert follow.place() == Place(places / "maillog")


def test_the_file_that_is_still_written_wins(places: Path) -> None:
    for name, age in (("mail.log", 90_000), ("maillog", 5)):
        (places / name).write_text("x\n")
        os.utime(places / name, (time.time() - age,) * 2)
    assert follow.place() == Place(places / "maillog")


@pytest.mark.skipif(not follow.host.has_command("journalctl"), reason="no journalctl here")
def test_without_a_file_it_is_the_journal(places: Path) -> None:
    (places / "journal").mkdir()
    assert follow.place() == Place(None) and str(Place(None)) == "the journal"


def test_a_file_that_syslog_left_behind_gives_way_to_the_journal(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "journal").mkdir()
    (places / "bin").mkdir()
    (places / "bin/journalctl").write_text(f"#!/bin/sh\necho {time.time():.6f} relay postfix/qmgr[1]: x\n")
    (places / "bin/journalctl").chmod(0o755)
    for_programs(monkeypatch, f"{places / 'bin'}:{os.environ['PATH']}")
    (places / "mail.log").write_text("x\n")
    assert follow.place() == Place(places / "mail.log")  # written just now
    os.utime(places / "mail.log", (time.time() - 90_000,) * 2)
    assert follow.place() == Place(None)
    (places / "bin/journalctl").write_text("#!/bin/sh\n")  # the journal has no mail at all
    assert follow.place() == Place(places / "mail.log")
