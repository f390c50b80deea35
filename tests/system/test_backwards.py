"""A change in force that others wrote over is seen, and nothing of our own doing is taken for that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mailmend.model import FileEdit, Record
from mailmend.system.backwards import overwritten
from mailmend.system.merge import postfix
from mailmend.system.probe import now

OLD = "biff = no\nmyhostname = a\ninet_protocols = all\n"
NEW = OLD.replace("all", "ipv4")


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "main.cf"
    path.write_text(NEW)
    return path


def change(path: Path, before: str = OLD, after: str = NEW) -> Record:
    return Record(
        id="20261122-130501-set",
        at=now(),
        by="root",
        remedy=None,
        reason="",
        state="kept",
        files=(FileEdit(str(path), before, after),),
        activation="restart",
        diff="",
        digest="",
    )


def test_what_stands_is_no_news(main: Path) -> None:
    assert overwritten([change(main)], postfix) == ()


def test_an_edit_of_other_settings_is_no_news(main: Path) -> None:
    main.write_text(NEW.replace("myhostname = a", "myhostname = b"))
    assert overwritten([change(main)], postfix) == ()


def test_a_newer_change_of_ours_is_no_news(main: Path) -> None:
    newer = NEW.replace("ipv4", "ipv6")
    main.write_text(newer)
    assert overwritten([change(main, NEW, newer), change(main)], postfix) == ()


def test_what_we_took_back_ourselves_is_no_news(main: Path) -> None:
    main.write_text(OLD)
    undo = replace(change(main, NEW, OLD), undoes="20261122-130501-set")
    assert overwritten([undo, replace(change(main), state="undone")], postfix) == ()


@pytest.mark.parametrize(
    "text",
    [OLD, OLD + "# managed\n", NEW.replace("ipv4", "ipv6"), None],
    ids=["restored", "restored with more", "set anew", "removed"],
)
def test_what_others_wrote_over_is_told(main: Path, text: str | None) -> None:
    main.unlink() if text is None else main.write_text(text)
    ours = change(main)
    assert overwritten([ours], postfix) == ((ours, str(main)),)
