"""A change is applied, proven and kept, or everything is as it was: real files, real locks, real signals of trouble."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mailmend.model import (
    Activation,
    CannotLook,
    FileEdit,
    Proof,
    Refused,
)
from mailmend.system import activation, backwards, old_state, rename, swap
from system.server import MAIN, MAP, MASTER, Server, proof


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
