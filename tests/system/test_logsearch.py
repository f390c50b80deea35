"""Logs are rotated while they are searched: what is gone is told in one line, and what is there is found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailmend.model import CannotLook
from mailmend.system import logsearch
from mailmend.system.follow import Place

LINE = "2026-11-22T10:00:0{}+00:00 mx1 postfix/qmgr[9]: 4ABCDEF012: removed\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for number, name in enumerate(("mail.log.2", "mail.log.1", "mail.log")):
        (tmp_path / name).write_text(LINE.format(number))
    return tmp_path / "mail.log"


def lines(where: logsearch.Searched) -> list[str]:
    return [line for _, line in logsearch.find(where, [b"4ABCDEF012"])]


EVERY = [LINE.format(number)[:-1] for number in range(3)]


def test_every_part_is_searched_the_oldest_first(log: Path) -> None:
    with logsearch.own(Place(log), None) as where:
        assert lines(where) == EVERY


@pytest.mark.parametrize("name", ["mail.log.1", "mail.log"])
def test_a_named_file_that_went_since_is_told(log: Path, name: str) -> None:
    where = logsearch.given([str(log), str(log.with_name("mail.log.1"))], None)
    log.with_name(name).rename(log.with_name("elsewhere"))
    with pytest.raises(CannotLook, match=rf"{name} is not there any more"):
        lines(where)


def test_a_log_of_ones_own_is_searched_as_it_was_however_it_is_renamed(log: Path) -> None:
    """Also by a second search: the trace of a message takes several."""
    with logsearch.own(Place(log), None) as where:
        assert lines(where) == EVERY
        rotate(log)
        assert lines(where) == EVERY
        log.with_name("mail.log.3").unlink()
        assert lines(where) == EVERY
    with logsearch.own(Place(log), None) as where:
        assert lines(where) == [*EVERY[1:], LINE.format(3)[:-1]]


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
def test_a_log_that_is_rotated_while_it_is_opened_is_searched_once(
    log: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    held, left = logsearch._held, calls

    def opened(path: Path) -> object:
        nonlocal left
        left -= 1
        if not left:
            rotate(log)
        return held(path)

    monkeypatch.setattr(logsearch, "_held", opened)
    with logsearch.own(Place(log), None) as where:
        assert lines(where) == [*EVERY, LINE.format(3)[:-1]][: 4 if calls < 4 else 3]


def rotate(log: Path) -> None:
    """As logrotate(8) does, and the next line is logged."""
    for number in (2, 1):
        log.with_name(f"mail.log.{number}").rename(log.with_name(f"mail.log.{number + 1}"))
    log.rename(log.with_name("mail.log.1"))
    log.write_text(LINE.format(3))


def test_what_is_renamed_while_it_is_read_is_read_to_its_end(log: Path) -> None:
    with logsearch.own(Place(log), None) as where:
        found = logsearch.find(where, [b"4ABCDEF012"])
        next(found)
        log.with_name("mail.log.2").rename(log.with_name("mail.log.3"))
        assert len(list(found)) == 2


def test_a_part_that_goes_while_the_parts_are_listed_is_not_recent(log: Path) -> None:
    """A link to nothing looks so for as long as one likes."""
    log.with_name("mail.log.3").symlink_to(log.with_name("nowhere"))
    for since in (datetime(2026, 1, 1, tzinfo=UTC), None):
        with logsearch.own(Place(log), since) as where:
            assert [path.name for path in where.paths] == ["mail.log.2", "mail.log.1", "mail.log"]
