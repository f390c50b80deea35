"""Who holds a lock of ours: a program that was stopped while it made a change holds it for ever."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType


def holder(path: Path) -> int | None:
    """The process that holds flock(2) on *path*, by /proc/locks (proc_locks(5)); None where nobody is seen to."""
    try:
        its = path.stat()
        lines = Path("/proc/locks").read_text("ascii").splitlines()
    except OSError:
        return None
    name = f"{os.major(its.st_dev):02x}:{os.minor(its.st_dev):02x}:{its.st_ino}"
    for line in lines:
        fields = line.split()
        # "->" in the second place: it only waits. A process of another namespace is number 0.
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5] == name and int(fields[4]) > 0:
            return int(fields[4])
    return None


def end_holder(path: Path) -> bool:
    """Kill what holds flock(2) on *path*. False where nobody is seen to, or it cannot be killed."""
    pid = holder(path)
    if pid is None or pid == os.getpid():
        return False
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


@contextmanager
def not_stopped_by_the_terminal() -> Iterator[None]:
    """Ctrl-Z, or a word to a terminal that has gone to others, does not stop this program half way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler and no SIG_IGN for Ctrl-Z: what this program starts is as it would be from the shell.
    before = {
        signal.SIGTSTP: signal.signal(signal.SIGTSTP, _go_on),
        signal.SIGTTOU: signal.signal(signal.SIGTTOU, signal.SIG_IGN),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _go_on(_number: int, _frame: FrameType | None) -> None:
    """What is half done is finished first."""
