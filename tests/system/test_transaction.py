"""A change is applied, proven and kept, or everything is as it was: real files, real locks, real signals of trouble."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailmend.model import (
    Activation,
    CannotLook,
    Change,
    Expectation,
    FileEdit,
    Judgement,
    Plan,
    Proof,
    Proposal,
    Refused,
)
from mailmend.system import activation, backwards, old_state, rename, swap, transaction
from mailmend.system.guard import Guard
from mailmend.system.history import History
from mailmend.system.probe import now

MAIN = "# ours\nmyhostname = relay.example.org\ninet_protocols = all\nrelayhost =\n"
MASTER = "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n  -o smtp_helo_timeout=5\n"
MAP = "/^[^ ]+\\.google(mail)?\\.com\\. [^ ]+ IN AAAA / IGNORE\n"


def proof(verdict: str = "holds") -> Proof:
    expected = Expectation("running", "listener", "[::]:25", "gone", "[::]:25 is gone")
    return Proof((Judgement(expected, verdict, says="looked at it"),), now())  # type: ignore[arg-type]


@dataclass
class Server:
    """A configuration folder and what was done to the server; *seen* is main.cf at each activation."""

    etc: Path
    history: History
    activated: list[Activation] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def guard(self) -> Guard:
        """Nobody waits outside: what that is worth is tested where a program is killed."""
        return Guard(self.history.state, launch=lambda name, argv: None)

    @property
    def main(self) -> Path:
        return self.etc / "main.cf"

    @property
    def map(self) -> Path:
        return self.etc / "ipv4_only_receivers"

    def activate(self, kind: Activation) -> None:
        self.activated.append(kind)
        self.seen.append(self.main.read_text("utf-8", "surrogateescape"))
        if self.trouble and (says := self.trouble.pop(0)):
            raise Refused(says)

    def plan(self, *edits: FileEdit, activation: Activation = "restart") -> Plan:
        edits = edits or (
            FileEdit(str(self.map), None, MAP),
            FileEdit(str(self.main), MAIN, MAIN.replace("= all", "= ipv4")),
        )
        change = Change("setting", "inet_protocols", "all", "ipv4", activation)
        return Plan(
            Proposal("ipv4-only", "contains", (change,)), (), edits, "diff", "0" * 64, reason="measured"
        )

    def apply(self, plan: Plan | None = None, verdict: str = "holds", old: str = "holds", **more):
        arguments = {
            "activate": self.activate,
            "prove": lambda: proof(verdict),
            "prove_old": lambda: proof(old),
            "history": self.history,
            "by": "root",
            "wait": 0.2,
            "guard": self.guard,
        }
        return transaction.apply(plan or self.plan(), **(arguments | more))

    def undo(self, record, **more):
        arguments = {
            "activate": self.activate,
            "prove": proof,
            "history": self.history,
            "by": "root",
            "wait": 0.2,
            "guard": self.guard,
        }
        return transaction.undo(record, **(arguments | more))

    def names(self) -> list[str]:
        return sorted(path.name for path in self.etc.iterdir())


@pytest.fixture
def server(tmp_path: Path) -> Server:
    etc = tmp_path / "postfix"
    etc.mkdir()
    (etc / "main.cf").write_text(MAIN)
    (etc / "master.cf").write_text(MASTER)
    return Server(etc, History(tmp_path / "state"))


def untouched(server: Server) -> None:
    assert server.main.read_text() == MAIN
    assert server.names() == ["main.cf", "master.cf"]
    assert server.history.records() == ()
    assert server.activated == []


# ---- declined, with nothing touched ---------------------------------------------------------


def test_a_file_changed_since_the_plan_is_left_alone(server: Server) -> None:
    plan = server.plan()
    server.main.write_text(MAIN + "biff = no\n")
    with pytest.raises(Refused, match="was changed since the plan was made"):
        server.apply(plan)
    assert server.main.read_text() == MAIN + "biff = no\n"
    assert server.names() == ["main.cf", "master.cf"]


def test_a_map_that_appeared_since_the_plan_is_left_alone(server: Server) -> None:
    server.map.write_text("# mine\n")
    with pytest.raises(Refused, match="appeared since the plan"):
        server.apply()
    assert (server.map.read_text(), server.main.read_text()) == ("# mine\n", MAIN)


def test_an_editor_that_saves_between_lock_and_swap_keeps_its_save(server: Server, monkeypatch) -> None:
    really = swap.swap

    def edited_meanwhile(targets: tuple[swap.Target, ...]) -> None:
        other = server.etc / "main.cf~"
        other.write_text(MAIN + "biff = no\n")
        other.rename(server.main)
        really(targets)

    monkeypatch.setattr(swap, "swap", edited_meanwhile)
    with pytest.raises(Refused, match="was changed since the plan was made"):
        server.apply()
    assert server.main.read_text() == MAIN + "biff = no\n"
    assert server.names() == ["main.cf", "master.cf"]
    assert server.history.records() == ()


def test_postconf_holding_its_lock_is_waited_for_and_then_left_alone(server: Server) -> None:
    held = os.open(server.etc / "main.cf.tmp", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(Refused, match="being changed by another program"):
            server.apply()
    finally:
        os.close(held)
    assert server.main.read_text() == MAIN
    assert server.history.records() == ()


def test_another_mailmend_in_another_process_is_waited_for(server: Server) -> None:
    server.history.state.mkdir()
    lock = server.history.state / "lock"
    hold = "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.flock(f,2); print('held',flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match="another mailmend"):
            server.apply()
        untouched(server)
        assert other.stdin is not None
        other.stdin.close()
    assert server.apply().record.state == "kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")
def test_a_link_into_a_folder_that_others_may_write_is_refused(server: Server, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    server.main.rename(shared / "main.cf")
    server.main.symlink_to(shared / "main.cf")
    with pytest.raises(Refused, match="is a link into"):
        server.apply()
    assert (shared / "main.cf").read_text() == MAIN


@pytest.mark.parametrize("content", ["folder", "fifo"])
def test_what_is_no_file_is_refused(server: Server, content: str) -> None:
    server.main.unlink()
    server.main.mkdir() if content == "folder" else os.mkfifo(server.main)
    with pytest.raises(Refused, match="not a regular file"):
        server.apply()
    assert server.history.records() == ()


def test_a_folder_that_is_not_there_is_one_line(server: Server) -> None:
    with pytest.raises(Refused, match="No such file or directory"):
        server.apply(server.plan(FileEdit(str(server.etc / "none/map"), None, MAP)))
    untouched(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("how", ["full disk", "read-only"])
def test_a_disk_that_takes_nothing_is_one_line_and_nothing_changed(server: Server, how: str) -> None:
    options = "size=64k" if how == "full disk" else "size=1m"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", server.etc], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        server.main.write_text(MAIN)
        (server.etc / "master.cf").write_text(MASTER)
        if how == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", server.etc], check=True)
        big = FileEdit(str(server.main), MAIN, MAIN + "# x\n" * 50_000)
        with pytest.raises(Refused, match="No space left" if how == "full disk" else "Read-only"):
            server.apply(server.plan(big))
        untouched(server)
    finally:
        subprocess.run(["umount", server.etc], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_no_permission_is_one_line(server: Server) -> None:
    for folder in (server.etc, *server.etc.parents):
        folder.chmod(folder.stat().st_mode | 0o555) if folder != Path("/") else None
    server.history.state.mkdir()
    os.chown(server.history.state, 65534, 65534)
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        try:
            server.apply()
        except Refused as refused:
            os._exit(0 if "Permission denied" in str(refused) else 2)
        except BaseException:
            os._exit(3)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert server.main.read_text() == MAIN


def test_a_history_that_cannot_be_written_stops_the_change(server: Server) -> None:
    server.history.state.mkdir()
    (server.history.state / "history").write_text("in the way")
    with pytest.raises((Refused, CannotLook)):
        server.apply()
    assert server.main.read_text() == MAIN
    assert server.names() == ["main.cf", "master.cf"]


def test_a_second_file_that_cannot_be_swapped_brings_the_first_back(server: Server, monkeypatch) -> None:
    def fails(one: Path, other: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(rename, "exchange", fails)
    with pytest.raises(Refused, match="Input/output error"):
        server.apply()
    monkeypatch.undo()
    # A process of Postfix that began in between has read the new table.
    assert server.activated == ["restart"]
    server.activated.clear()
    untouched(server)


# ---- kept ------------------------------------------------------------------------------------


def test_a_proven_change_is_kept_and_written_down(server: Server) -> None:
    applied = server.apply(reason="IPv6 refused by gmail")
    assert not applied.rolled_back
    assert server.main.read_text() == MAIN.replace("= all", "= ipv4")
    assert server.map.read_text() == MAP
    assert server.names() == ["ipv4_only_receivers", "main.cf", "master.cf"]
    assert server.activated == ["restart"]
    assert "inet_protocols = ipv4" in server.seen[0]
    (record,) = server.history.records()
    assert (record.state, record.remedy, record.by) == ("kept", "ipv4-only", "root")
    assert (record.reason, record.activation) == ("IPv6 refused by gmail", "restart")
    assert record.proof is not None
    assert record.proof.holds


def test_the_intent_is_on_the_disk_before_the_server_is_touched(server: Server) -> None:
    states = []
    server.apply(activate=lambda _: states.append(server.history.records()[0].state))
    assert states == ["intent"]


def test_bytes_that_are_no_text_survive_apply_and_undo(server: Server) -> None:
    raw = MAIN.encode() + b"smtpd_banner = caf\xe9\r\n"
    server.main.write_bytes(raw)
    before = raw.decode("utf-8", "surrogateescape")
    edit = FileEdit(str(server.main), before, before.replace("= all", "= ipv4"))
    applied = server.apply(server.plan(edit))
    assert server.main.read_bytes() == raw.replace(b"= all", b"= ipv4")
    assert server.undo(applied.record).identical
    assert server.main.read_bytes() == raw


@pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")
def test_mode_owner_and_attributes_stay_and_new_maps_are_root_s(server: Server) -> None:
    server.main.chmod(0o640)
    os.chown(server.main, 0, 12)
    try:
        os.setxattr(server.main, "user.note", b"kept")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    server.apply()
    state = server.main.stat()
    assert (stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid) == (0o640, 0, 12)
    assert os.getxattr(server.main, "user.note") == b"kept"
    made = server.map.stat()
    assert (stat.S_IMODE(made.st_mode), made.st_uid) == (0o644, 0)


def test_a_link_stays_a_link_and_its_target_is_edited(server: Server, tmp_path: Path) -> None:
    elsewhere = tmp_path / "managed"
    elsewhere.mkdir()
    server.main.rename(elsewhere / "main.cf")
    server.main.symlink_to("../managed/main.cf")
    applied = server.apply()
    assert server.main.readlink() == Path("../managed/main.cf")
    assert (elsewhere / "main.cf").read_text() == MAIN.replace("= all", "= ipv4")
    server.undo(applied.record)
    assert server.main.is_symlink()
    assert (elsewhere / "main.cf").read_text() == MAIN


def test_a_temporary_file_left_by_a_change_that_died_is_no_obstacle(server: Server) -> None:
    (server.etc / "main.cf.tmp").write_text("half")
    (server.etc / "main.cf.mailmend-old").write_text("older")
    assert server.apply().record.state == "kept"
    assert server.names() == ["ipv4_only_receivers", "main.cf", "master.cf"]


# ---- rolled back -----------------------------------------------------------------------------


def test_a_proof_that_fails_puts_the_old_bytes_back_activated_and_proven(server: Server) -> None:
    inode = server.main.stat().st_ino
    applied = server.apply(verdict="fails")
    assert applied.rolled_back
    assert "[::]:25 is gone" in applied.says
    assert server.main.read_text() == MAIN
    assert server.main.stat().st_ino == inode, "not a copy: the very file that was there"
    assert server.names() == ["main.cf", "master.cf"], "the map it made is gone too"
    assert server.activated == ["restart", "restart"]
    assert server.seen == [MAIN.replace("= all", "= ipv4"), MAIN]
    assert server.history.records()[0].state == "rolled-back"


def test_pending_is_no_failure_but_unknown_is(server: Server) -> None:
    assert server.apply(verdict="unknown").rolled_back
    assert not server.apply(verdict="pending").rolled_back


def test_a_server_that_does_not_start_gets_its_old_files_back(server: Server) -> None:
    server.trouble = ["fatal: config variable inet_interfaces: host not found: [::1]", ""]
    applied = server.apply()
    assert applied.rolled_back
    assert "host not found" in applied.says
    assert server.main.read_text() == MAIN


def test_an_interrupt_from_the_keyboard_leaves_the_old_state(server: Server) -> None:
    def interrupted() -> Proof:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        server.apply(prove=interrupted)
    assert server.main.read_text() == MAIN
    assert server.history.records()[0].state == "rolled-back"


def test_where_the_old_state_is_not_proven_either_it_says_degraded_and_what_to_run(server: Server) -> None:
    with pytest.raises(old_state.Degraded) as told:
        server.apply(verdict="fails", old="fails")
    assert str(told.value).startswith("DEGRADED: ")
    assert told.value.commands == ("postfix check", "mailmend status")
    assert server.main.read_text() == MAIN


def test_a_server_that_stays_down_is_degraded_with_the_command_that_starts_it(server: Server) -> None:
    def down(_: Activation) -> None:
        raise activation.Stopped("fatal: bind 192.0.2.99 port 2525", "systemctl start postfix@-.service")

    with pytest.raises(old_state.Degraded) as told:
        server.apply(activate=down, old="fails")
    assert told.value.commands == ("postfix check", "systemctl start postfix@-.service")
    assert "192.0.2.99" in str(told.value), "the reason is what Postfix said, not what is missing without it"
    assert server.main.read_text() == MAIN


def test_a_file_edited_while_on_trial_is_a_conflict_and_is_not_overwritten(server: Server) -> None:
    def edited() -> Proof:
        server.main.write_text("theirs\n")
        return proof("fails")

    with pytest.raises(backwards.Conflict) as told:
        server.apply(prove=edited)
    assert server.main.read_text() == "theirs\n"
    assert "+theirs" in told.value.difference


# ---- undone ----------------------------------------------------------------------------------


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
