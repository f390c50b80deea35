"""Who holds a lock of ours: a program that was stopped while it made a change holds it for ever."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told from another one that got its number later by *start* (proc_pid_stat(5), field 22)."""

    pid: int
    start: int

    @staticmethod
    def here() -> Process:
        """This one."""
        return Process(os.getpid(), _start(os.getpid()) or 0)

    @staticmethod
    def read(text: str) -> Process | None:
        """What `str` wrote; None where it is something else."""
        pid, _, start = text.partition("/")
        return Process(int(pid), int(start)) if pid.isdigit() and start.isdigit() else None

    def __str__(self) -> str:
        return f"{self.pid}/{self.start}"


def holder(path: Path) -> int | None:
    """A process that has *path* open and flock(2) on it (proc_pid_fdinfo(5)); None where none is seen to."""
    try:
        its = path.stat()
    except OSError:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(_locks(process, fd.name, its) for fd in (process / "fd").iterdir()):
                return int(process.name)
    return None


def end_holder(path: Path, maker: Process) -> bool:
    """Kill *maker*, if it holds flock(2) on *path*. False where it does not, or is gone."""
    try:
        fd = os.pidfd_open(maker.pid)  # from here on its number cannot become another's
    except OSError:
        return False
    try:
        its = path.stat()
        process = Path(f"/proc/{maker.pid}")
        if _start(maker.pid) != maker.start or maker.pid == os.getpid():
            return False
        if not any(_locks(process, number.name, its) for number in (process / "fd").iterdir()):
            return False
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


def _locks(process: Path, fd: str, its: os.stat_result) -> bool:
    try:
        if not os.path.samestat((process / "fd" / fd).stat(), its):
            return False
        return "FLOCK" in (process / "fdinfo" / fd).read_text("ascii")
    except OSError:
        return False  # closed meanwhile


def _start(pid: int) -> int | None:
    try:
        # The name in brackets may hold anything, spaces and brackets too.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


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
    """What is half done is finished first, by the commands that are at work for it too."""
    os.kill(0, signal.SIGCONT)
