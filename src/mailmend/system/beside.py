"""A daemon beside Postfix whose settings were changed is started anew, as this host starts it, and is seen to listen.

What is started anew is concluded from the files of a change alone: so its undo, its guard and whoever finds it
interrupted do the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mailmend.model import Refused
from mailmend.parse import milter_conf, postsrsd
from mailmend.system import detached
from mailmend.system.activation import on_terminal

# The daemon that reads a file once, when it starts.
_READ_BY = dict.fromkeys(postsrsd.FILES, "postsrsd") | {
    milter_conf.OPENDKIM: "opendkim",
    milter_conf.OPENDMARC: "opendmarc",
}
_PROGRAMS = {name: Path("/usr/sbin", name) for name in ("postsrsd", "opendkim", "opendmarc")}
# Where its init script keeps the number of the process that it started.
_PIDS = {
    "postsrsd": Path("/run/postsrsd.pid"),
    "opendkim": Path("/run/opendkim/opendkim.pid"),
    "opendmarc": Path("/run/opendmarc/opendmarc.pid"),
}
_SECONDS = 10.0  # until it listens
_AFTER_FAILURE = 1.0  # seconds that it is waited for after the exit status of its command said no
_SETTLE = 0.15  # seconds after which one that dies of what it reads is gone again
_POLL = 0.02


def daemons(paths: Iterable[str]) -> tuple[str, ...]:
    """The daemons that read one of *paths* and are installed here."""
    names = dict.fromkeys(_READ_BY[path] for path in paths if path in _READ_BY)
    return tuple(name for name in names if _PROGRAMS[name].exists())


def commands(paths: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """What starts them anew on this host, a command each."""
    return tuple(_command(name) for name in daemons(paths))


def units(paths: Iterable[str]) -> tuple[str, ...]:
    """The units of systemd that start them."""
    return tuple(f"{name}.service" for name in daemons(paths))


def require(paths: Iterable[str]) -> None:
    """Raise Refused where one of them runs and was started in a way that cannot be repeated from here."""
    for name in daemons(paths):
        running = _processes(_PROGRAMS[name])
        if running and not any(_is_services(pid, name) for pid in running):
            raise Refused(
                f"{name} has to be started anew, and was started by hand (process {min(running)})",
                f"kill {min(running)}, then {' '.join(_command(name, 'start'))}",
            )


def restart(paths: Iterable[str]) -> None:
    """Start them anew. Raises Refused, with what was said, where one does not listen again in time."""
    for name in daemons(paths):
        before = _processes(_PROGRAMS[name])
        ran = on_terminal(_command(name))
        end = time.monotonic() + (_AFTER_FAILURE if ran.status else _SECONDS)
        while not _is_new(_PROGRAMS[name], before):
            if time.monotonic() > end:
                said = ran.output.strip().rpartition("\n")[2].strip()
                raise Refused(
                    f"{name} did not start anew" + (f": {said}" if said else ""),
                    f"{' '.join(_command(name))}, and the log, say more",
                )
            time.sleep(_POLL)


def _command(name: str, act: str = "restart") -> tuple[str, ...]:
    if detached.SYSTEMD.is_dir():
        return ("systemctl", act, f"{name}.service")
    return (f"/etc/init.d/{name}", act)


def _is_services(pid: int, name: str) -> bool:
    """Whether the unit holds the process, or the init script's pid file names it."""
    with suppress(OSError):
        if detached.SYSTEMD.is_dir():
            groups = Path(f"/proc/{pid}/cgroup").read_text().split("\n")
            return any(group.endswith(f"/{name}.service") for group in groups)
        return _PIDS[name].read_text().split() == [str(pid)]
    return False


def _is_new(program: Path, before: dict[int, int]) -> bool:
    """Whether one that was not there *before* listens, on every socket that it opens, and stays."""
    first = _listening(program, before)
    if not first:
        return False
    time.sleep(_SETTLE)
    return _listening(program, before) == first


def _listening(program: Path, before: dict[int, int]) -> dict[int, frozenset[str]]:
    """By process the sockets that it listens on. One that a process forks for a connection is none of its own."""
    now = _processes(program)
    new = (pid for pid, parent in now.items() if pid not in before and parent not in now)
    return {pid: sockets for pid in new if (sockets := _sockets(pid))}


def _processes(program: Path) -> dict[int, int]:
    """The processes that run *program*, each with its parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            # One whose file was replaced by an upgrade is told as "(deleted)".
            if str((folder / "exe").readlink()).removesuffix(" (deleted)") == str(program.resolve()):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                found[int(folder.name)] = int(fields[1])
    return found


def _sockets(pid: int) -> frozenset[str]:
    """The inodes of its listening sockets (proc(5): state 0A of TCP; flag 00010000 of a Unix socket)."""
    mine = set()
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                mine.add(str(Path(entry.path).readlink()))
    found = set()
    for table, place, mark, inode in (("tcp", 3, "0A", 9), ("tcp6", 3, "0A", 9), ("unix", 3, "00010000", 6)):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[place] == mark and f"socket:[{fields[inode]}]" in mine:
                    found.add(fields[inode])
    return frozenset(found)
