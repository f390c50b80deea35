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


def test_every_part_is_searched_the_oldest_first(log: Path) -> None:
    where = logsearch.own(Place(log), None)
    assert [line for _, line in logsearch.find(where, [b"4ABCDEF012"])] == [
        LINE.format(number)[:-1] for number in range(3)
    ]


@pytest.mark.parametrize("name", ["mail.log.1", "mail.log"])
def test_what_was_renamed_since_it_was_listed_is_told(log: Path, name: str) -> None:
    where = logsearch.own(Place(log), None)
    log.with_name(name).rename(log.with_name("elsewhere"))
    with pytest.raises(CannotLook, match=rf"{name} is not there any more"):
        list(logsearch.find(where, [b"4ABCDEF012"]))


def test_what_is_renamed_while_it_is_read_is_read_to_its_end(log: Path) -> None:
    where = logsearch.own(Place(log), None)
    found = logsearch.find(where, [b"4ABCDEF012"])
    next(found)
    log.with_name("mail.log.2").rename(log.with_name("mail.log.3"))
    assert len(list(found)) == 2


def test_a_part_that_goes_while_the_parts_are_listed_is_not_recent(log: Path) -> None:
    """A link to nothing looks so for as long as one likes."""
    log.with_name("mail.log.3").symlink_to(log.with_name("nowhere"))
    where = logsearch.own(Place(log), datetime(2026, 1, 1, tzinfo=UTC))
    assert [path.name for path in where.paths] == ["mail.log.2", "mail.log.1", "mail.log"]
