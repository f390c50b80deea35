"""Who holds a lock is seen; the terminal stops nobody who does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from mailmend.system import swap
from mailmend.system.holder import end_holder, holder, not_stopped_by_the_terminal


def test_nobody_holds_what_nobody_locked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) is None
    path.touch()
    assert holder(path) is None
    assert not end_holder(path)


def test_who_waits_for_a_lock_of_ours_does_not_end_itself(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with swap.lock(path, 0.0, "busy"):
        assert holder(path) == os.getpid()
        assert not end_holder(path)


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
        assert end_holder(path)
        assert program.wait(10) == -signal.SIGKILL
    assert holder(path) is None


def test_ctrl_z_does_not_stop_what_is_half_done() -> None:
    before = signal.getsignal(signal.SIGTSTP)
    with not_stopped_by_the_terminal():
        os.kill(os.getpid(), signal.SIGTSTP)  # stopped, this test would never end
    assert signal.getsignal(signal.SIGTSTP) is before
