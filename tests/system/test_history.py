"""What was changed can be looked up later: entries are whole, private, in order, and one bad one spoils no other."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailmend.model import (
    CannotLook,
    Change,
    Evidence,
    Expectation,
    FileEdit,
    Judgement,
    Proof,
    Record,
    Refused,
)
from mailmend.questions import Now
from mailmend.system import transaction
from mailmend.system.history import History

AT = datetime(2026, 11, 22, 13, 5, 1, tzinfo=UTC)


def record(record_id: str, at: datetime = AT) -> Record:
    expected = Expectation("running", "listener", "[::]:25", None, "[::]:25 is gone")
    looked = Judgement(expected, "holds", (Evidence(Now(), AT, None, AT),), "no such socket")
    return Record(
        id=record_id,
        at=at,
        by="root",
        remedy="ipv4-only",
        reason="20 of 40 refused",
        state="kept",
        files=(FileEdit("/etc/postfix/main.cf", "caf\udce9\n", None),),
        activation="restart",
        diff="-caf\udce9\n",
        digest="0" * 64,
        changes=(Change("setting", "inet_protocols", "all", "ipv4", "restart"),),
        expectations=(expected,),
        proof=Proof((looked,), AT),
    )


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "state")


def test_a_history_that_was_never_written_is_empty(history: History) -> None:
    assert (history.records(), history.damaged(), history.interrupted()) == ((), (), None)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "20261122-130501-none"])
def test_an_entry_that_is_not_there_is_refused(history: History, name: str) -> None:
    with pytest.raises(Refused, match="no entry"):
        history.get(name)


def test_an_entry_is_never_overwritten_by_a_new_one(history: History) -> None:
    history.add(record("20261122-130501-a"))
    with pytest.raises(Refused):
        history.add(record("20261122-130501-a"))


def test_an_entry_comes_back_whole_but_for_the_looks_behind_its_proof(history: History) -> None:
    history.add(record("20261122-130501-ipv4-only"))
    back = history.get("20261122-130501-ipv4-only")
    assert back.files == record("x").files
    assert back.proof is not None
    assert back.proof.holds
    assert back.proof.judgements[0].says == "no such socket"
    assert (back.at, back.changes) == (AT, record("x").changes)


def test_only_root_may_read_it(history: History) -> None:
    history.add(record("20261122-130501-a"))
    assert stat.S_IMODE(history.folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in history.folder.iterdir()] == [0o600]


def test_newest_first(history: History) -> None:
    for name, hours in (("20261122-140501-b", 1), ("20261122-130501-a", 0), ("20261122-150501-c", 2)):
        history.add(record(name, AT + timedelta(hours=hours)))
    assert [entry.id[-1] for entry in history.records()] == ["c", "b", "a"]


def test_ids_say_when_and_what_and_are_unique(history: History) -> None:
    first = history.new_id(AT, "ipv4-for-receiver")
    history.add(record(first))
    assert first == "20261122-130501-ipv4-for-receiver"
    assert history.new_id(AT, "ipv4-for-receiver") == f"{first}-2"
    assert history.new_id(AT, "Größe / x") == "20261122-130501-gr-e-x"


@pytest.mark.parametrize(
    "content", ["", "{", '{"id": 1}', "\x00\xff"], ids=["empty", "cut", "other", "binary"]
)
def test_a_damaged_entry_is_named_and_the_others_are_read(history: History, content: str) -> None:
    history.add(record("20261122-130501-a"))
    (history.folder / "20261122-120000-bad.json").write_text(content, "latin-1")
    assert [entry.id for entry in history.records()] == ["20261122-130501-a"]
    (line,) = history.damaged()
    assert "20261122-120000-bad.json" in line
    assert "\n" not in line
    with pytest.raises(CannotLook):
        history.get("20261122-120000-bad")


# ---- what is in force, what is only waited for ----------------------------------------------------

PUBLISHED = (Expectation("dns", "record-seen", "192.0.2.10 PTR", "relay.example.org.", "a PTR is published"),)


def test_what_is_watched_is_no_change_in_force(history: History) -> None:
    watched = history.watch(PUBLISHED, "root", "asked for")
    assert (history.in_force(), history.interrupted(), history.watched()) == ((), None, (watched,))
    assert (watched.state, watched.remedy, watched.files) == ("kept", "dns-records", ())
    assert watched.pending == PUBLISHED


def test_the_same_records_are_watched_once_until_they_are_ended(history: History) -> None:
    first = history.watch(PUBLISHED, "root", "asked for")
    assert history.watch(PUBLISHED, "root", "again") == first
    assert transaction.end(first, history=history).record.state == "undone"
    assert history.watched() == ()
    assert transaction.end(first, history=history).already
    assert history.watch(PUBLISHED, "root", "anew").id != first.id


def test_what_promised_nothing_of_postfix_is_no_change_in_force(history: History) -> None:
    history.add(record("20261122-130501-a"))
    history.add(replace(record("20261122-140501-b", AT + timedelta(hours=1)), expectations=()))
    history.add(replace(record("20261122-150501-c", AT + timedelta(hours=2)), undoes="20261122-130501-x"))
    history.add(replace(record("20261122-160501-d", AT + timedelta(hours=3)), state="undone"))
    assert [entry.id for entry in history.in_force()] == ["20261122-130501-a"]
