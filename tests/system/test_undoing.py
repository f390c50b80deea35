"""What was changed is taken back byte for byte, what others changed since is kept, and a death in it loses nothing."""

from __future__ import annotations

import os

import pytest

from mailmend.model import FileEdit, Refused
from mailmend.system import backwards, swap
from system.server import MAIN, MAP, MASTER, Server, proof


def test_undo_is_byte_for_byte_and_removes_the_map(server: Server) -> None:
    record = server.apply().record
    undone = server.undo(record)
    assert undone.identical
    assert undone.record.state == "undone"
    assert server.main.read_text() == MAIN
    assert server.names() == ["main.cf", "master.cf"]
    assert server.activated == ["restart", "restart"]
    newest, first = server.history.records()
    assert (newest.undoes, newest.state, first.state) == (first.id, "kept", "undone")


def test_undoing_twice_says_so_and_does_nothing(server: Server) -> None:
    record = server.apply().record
    server.undo(record)
    again = server.undo(record)
    assert again.already
    assert "undone" in again.says
    assert server.activated == ["restart", "restart"]


def test_undo_keeps_what_others_changed_in_other_settings(server: Server) -> None:
    record = server.apply().record
    server.main.write_text(server.main.read_text() + "biff = no\n")
    undone = server.undo(record)
    assert not undone.identical
    assert server.main.read_text() == MAIN + "biff = no\n"


def test_undo_in_master_cf_keeps_what_others_changed(server: Server) -> None:
    master = server.etc / "master.cf"
    after = MASTER.replace("- smtp\nrelay", "- smtp\n  -o inet_protocols=ipv4\nrelay")
    after += "smtp-ipv4 unix - - n - - smtp\n  -o inet_protocols=ipv4\n"
    record = server.apply(server.plan(FileEdit(str(master), MASTER, after))).record
    master.write_text(after.replace("timeout=5", "timeout=9"))
    server.undo(record)
    assert master.read_text() == MASTER.replace("timeout=5", "timeout=9")


@pytest.mark.parametrize("what", ["the same setting", "the map"])
def test_undo_of_what_was_changed_again_is_a_conflict_that_touches_nothing(server: Server, what: str) -> None:
    record = server.apply().record
    if what == "the map":
        server.map.write_text(MAP + "# mine\n")
    else:
        server.main.write_text(MAIN.replace("= all", "= ipv6"))
    before = server.main.read_text()
    with pytest.raises(backwards.Conflict, match="CONFLICT") as told:
        server.undo(record)
    assert "+# mine" in told.value.difference or "+inet_protocols = ipv6" in told.value.difference
    assert server.main.read_text() == before
    assert server.map.exists()
    assert server.activated == ["restart"]


def test_an_undo_that_cannot_be_proven_leaves_the_change_in_force(server: Server) -> None:
    record = server.apply().record
    with pytest.raises(Refused, match="in force again"):
        server.undo(record, prove=lambda: proof("fails"))
    assert server.main.read_text() == MAIN.replace("= all", "= ipv4")
    assert server.history.get(record.id).state == "kept"


def test_a_change_that_died_half_way_is_taken_back_before_the_next(server: Server) -> None:
    pid = os.fork()
    if pid == 0:
        server.apply(activate=lambda _: os._exit(9))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert server.main.read_text() != MAIN
    with pytest.raises(Refused, match="was interrupted; mailmend undo"):
        server.apply(server.plan(FileEdit(str(server.etc / "other"), None, "x\n")))
    left = server.history.interrupted()
    assert left is not None
    server.undo(left)
    assert server.main.read_text() == MAIN
    assert server.apply().record.state == "kept"


# ---- undone, and died in it ------------------------------------------------------------------


FILTER = "smtp_dns_reply_filter = regexp:{}\n"


@pytest.fixture
def filtered(server: Server) -> Server:
    """A server on which a table was made and main.cf names it."""
    after = MAIN + FILTER.format(server.map)
    edits = FileEdit(str(server.map), None, MAP), FileEdit(str(server.main), MAIN, after)
    promised = tuple(judged.expectation for judged in proof().judgements)
    server.apply(server.plan(*edits, activation="reload"), expectations=promised)
    return server


def dies_in_undo(server: Server, after: int) -> None:
    """mailmend is killed when *after* files are in place."""
    pid = os.fork()
    if pid == 0:
        really, done = swap._put, []

        def put(target: swap.Target) -> None:
            if len(done) == after:
                os._exit(9)
            really(target)
            done.append(target)

        swap._put = put
        try:
            server.undo(server.history.in_force()[0], activate=lambda _: os._exit(9))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.parametrize("after", [0, 1, 2])
def test_at_no_moment_of_an_undo_is_a_table_named_that_is_gone(filtered: Server, after: int) -> None:
    dies_in_undo(filtered, after)
    assert filtered.map.exists() or filtered.map.name not in filtered.main.read_text()


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("named", ["the change", "the undo"])
def test_an_undo_that_died_is_finished_and_settled_by_either_name(
    filtered: Server, after: int, named: str
) -> None:
    dies_in_undo(filtered, after)
    left, change = filtered.history.interrupted(), filtered.history.in_force()[0]
    assert left is not None and left.undoes == change.id
    with pytest.raises(Refused, match=f"mailmend undo {change.id}"):
        filtered.apply(filtered.plan(FileEdit(str(filtered.etc / "other"), None, "x\n")))
    undone = filtered.undo(left if named == "the undo" else change)
    assert undone.identical
    assert (filtered.main.read_text(), filtered.names()) == (MAIN, ["main.cf", "master.cf"])
    assert filtered.history.interrupted() is None
    assert filtered.history.get(change.id).state == "undone"
    again = filtered.undo(left)
    assert again.already, "it is not applied anew"
    assert filtered.main.read_text() == MAIN


def test_an_undo_is_not_undone_by_its_own_name(filtered: Server) -> None:
    filtered.undo(filtered.history.in_force()[0])
    with pytest.raises(Refused, match="took back"):
        filtered.undo(filtered.history.records()[0])
    assert filtered.main.read_text() == MAIN


@pytest.mark.parametrize(
    "by", ["-o smtp_dns_reply_filter=regexp:{}", "-o x=regexp:$config_directory/{.name}"]
)
def test_a_table_that_another_service_names_stays_and_is_said_to(filtered: Server, by: str) -> None:
    master = filtered.etc / "master.cf"
    master.write_text(MASTER + f"  {by.format(filtered.map)}\n")
    undone = filtered.undo(filtered.history.in_force()[0])
    assert filtered.map.read_text() == MAP
    assert filtered.main.read_text() == MAIN
    assert undone.says == f"{filtered.map} is kept: {master} still names it"
    assert not undone.identical


def test_a_comment_names_no_table(filtered: Server) -> None:
    master = filtered.etc / "master.cf"
    master.write_text(MASTER + f"# {filtered.map}\n")
    filtered.undo(filtered.history.in_force()[0])
    assert not filtered.map.exists()
