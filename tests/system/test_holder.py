"""Who holds a lock is seen; the terminal stops nobody who does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from mailmend.system import swap
from mailmend.system.holder import Process, end_holder, holder, not_stopped_by_the_terminal


def test_nobody_holds_what_nobody_locked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) is None
    path.touch()
    assert holder(path) is None
    assert not end_holder(path, Process.here())


def test_who_waits_for_a_lock_of_ours_does_not_end_itself(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with swap.lock(path, 0.0, "busy"):
        assert holder(path) == os.getpid()
        assert not end_holder(path, Process.here())


def test_a_program_that_holds_it_and_is_stopped_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holds = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holds, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.send_signal(signal.SIGSTOP)
        assert holder(path) == program.pid
        its = Process.read(f"{program.pid}/{began(program.pid)}")
        assert its is not None
        assert not end_holder(path, Process(its.pid, its.start + 1)), "another one that got its number"
        assert not end_holder(tmp_path, its), "it holds something else"
        assert program.poll() is None
        assert end_holder(path, its)
        assert program.wait(10) == -signal.SIGKILL
    assert holder(path) is None


def began(pid: int) -> str:
    """When it started, in ticks since the boot, as ps(1) reads it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_a_process_is_written_and_read() -> None:
    assert Process.read(str(Process.here())) == Process(os.getpid(), int(began(os.getpid())))
    assert Process.read("") is None
    assert Process.read("12/x") is None


def test_what_runs_for_it_goes_on_too(tmp_path: Path) -> None:
    """The terminal tells the whole group; a command that stays stopped would be waited for in vain."""
    script = (
        "import os, signal, subprocess, sys\n"
        "from mailmend.system.holder import not_stopped_by_the_terminal\n"
        "with not_stopped_by_the_terminal():\n"
        "    child = subprocess.Popen(['sleep', '0.3'])\n"
        "    os.kill(0, signal.SIGTSTP)\n"
        "    sys.exit(child.wait(10))\n"
    )
    argv = [sys.executable, "-c", script]
    assert subprocess.run(argv, start_new_session=True, timeout=20, check=False).returncode == 0


def test_ctrl_z_does_not_stop_what_is_half_done() -> None:
    before = signal.getsignal(signal.SIGTSTP)
    with not_stopped_by_the_terminal():
        os.kill(os.getpid(), signal.SIGTSTP)  # stopped, this test would never end
    assert signal.getsignal(signal.SIGTSTP) is before
