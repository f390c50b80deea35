"""What was loaded is kept as it was seen, and never told of another load, another file or another time."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailmend.places import loaded as kept_at
from mailmend.questions import Running
from mailmend.system import loaded

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
RUNS = Running(198, AT, AT, load="boot/200/77")


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """main.cf, saved an hour before it was loaded."""
    path = tmp_path / "main.cf"
    path.write_text("inet_protocols = all\n")
    os.utime(path, (0, AT.timestamp() - 3600))
    return path


@pytest.mark.parametrize(
    "running",
    [
        Running(198, AT, AT, load="boot/201/99"),  # reloaded since
        Running(198, AT, AT, load="another boot/200/77"),
        Running(198, AT, AT),
        Running(None, None, None),
    ],
)
def test_nothing_is_told_of_another_load(main: Path, tmp_path: Path, running: Running) -> None:
    loaded.note(tmp_path, [str(main)], RUNS)
    assert loaded.text(tmp_path, str(main), running) is None


@pytest.mark.parametrize("running", [Running(198, AT, None, load="boot/200/77"), Running(198, AT, AT)])
def test_nothing_is_kept_where_the_reload_was_not_seen(main: Path, tmp_path: Path, running: Running) -> None:
    loaded.note(tmp_path, [str(main)], running)
    assert not kept_at(tmp_path).exists()


def test_what_was_saved_after_it_is_not_what_was_loaded(main: Path, tmp_path: Path) -> None:
    os.utime(main, (0, (AT + timedelta(seconds=1)).timestamp()))
    loaded.note(tmp_path, [str(main)], RUNS)
    assert loaded.text(tmp_path, str(main), RUNS) is None


@pytest.mark.parametrize("text", [b"\xff\xfe", b"#" * (1 << 21)])
def test_what_is_no_configuration_is_not_kept(main: Path, tmp_path: Path, text: bytes) -> None:
    main.write_bytes(text)
    os.utime(main, (0, AT.timestamp() - 3600))
    loaded.note(tmp_path, [str(main)], RUNS)
    assert loaded.text(tmp_path, str(main), RUNS) is None


@pytest.mark.parametrize("broken", ["", "[]", '{"/etc/postfix/main.cf": 7}', "\x00"])
def test_a_broken_record_tells_nothing_and_is_written_anew(main: Path, tmp_path: Path, broken: str) -> None:
    kept_at(tmp_path).write_text(broken)
    assert loaded.text(tmp_path, str(main), RUNS) is None
    loaded.note(tmp_path, [str(main)], RUNS)
    assert loaded.text(tmp_path, str(main), RUNS) == "inet_protocols = all\n"


def test_what_was_loaded_stays_known_while_the_file_is_edited(main: Path, tmp_path: Path) -> None:
    other = tmp_path / "master.cf"
    other.write_text("smtp inet n - y - - smtpd\n")
    os.utime(other, (0, AT.timestamp() - 7200))
    loaded.note(tmp_path, [str(main), str(other)], RUNS)
    main.write_text("inet_protocols = ipv4\n")
    loaded.note(tmp_path, [str(main), str(other)], RUNS)
    assert loaded.text(tmp_path, str(main), RUNS) == "inet_protocols = all\n"
    assert loaded.text(tmp_path, str(other), RUNS) == "smtp inet n - y - - smtpd\n"
    assert kept_at(tmp_path).stat().st_mode & 0o777 == 0o600
