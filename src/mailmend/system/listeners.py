"""What really runs: master(8), the sockets it listens on, and how a server greets (proc(5), RFC 5321 4.2)."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import sys
import time
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import CannotLook
from mailmend.questions import Bindable, Greeting, Listener, Running
from mailmend.system import host
from mailmend.system.boot import boot_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailmend.system.postfix import Configuration

_LISTEN = "0A"  # TCP_LISTEN in include/net/tcp_states.h
_QUEUE_MANAGERS = ("qmgr", "oqmgr", "nqmgr")
_START_FG = ("postfix", "postfix-script", "postmulti", "postmulti-script")
_GREETING_SECONDS = 12.0  # postscreen holds its greeting back for 6 s
_LINE_CAP = 2048
_CLOCK_SET = 0.05  # seconds of difference that no two readings make


def master(configuration: Configuration) -> Running:
    """The master(8) that runs for this configuration directory.

    A pid file proves nothing: the process must be a master, and work in this queue or for this directory.
    """
    pid = _pid(configuration)
    if pid is None:
        return Running(None, None, None)
    try:
        since = _started(pid)
    except (OSError, ValueError):  # it ended while we looked
        return Running(None, None, None)
    reloaded, load = max(_managers_started(pid), default=(None, ""))
    return Running(pid, since, reloaded, unit(pid), _keeper(pid), load)


def _managers_started(pid: int) -> Iterator[tuple[datetime, str]]:
    """The starts of master's queue managers, and a name of each that no other has.

    One that ends while we look, as at every reload, is passed over.
    """
    for child in _children(pid):
        with contextlib.suppress(OSError, ValueError):
            if _name(child) in _QUEUE_MANAGERS:
                yield _started(child), f"{boot_id()}/{child}/{_ticks(child)}"


def _pid(configuration: Configuration) -> int | None:
    queue = Path(configuration.value("queue_directory") or "/var/spool/postfix")
    file = queue / "pid" / "master.pid"
    try:
        text = file.read_text("ascii", "replace").strip()
        if text.isdigit() and _is_master(int(text)) and _works_in(int(text), queue):
            return int(text)
    except FileNotFoundError:
        pass
    except PermissionError:
        raise CannotLook(f"{file} may not be read by {host.user()}", "run it as root") from None
    # queue_directory may have been edited under a running master, which keeps the old one.
    for pid in _processes():
        if _name(pid) == "master" and _is_master(pid) and _runs_for(pid, configuration.directory):
            return pid
    return None


def _is_master(pid: int) -> bool:
    try:
        # After an upgrade the running program is "... (deleted)".
        return Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)") == "master"
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        raise CannotLook(f"process {pid} may not be examined by {host.user()}", "run it as root") from None


def _works_in(pid: int, queue: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(queue)
    except OSError:
        return False


def _runs_for(pid: int, directory: Path) -> bool:
    """Whether master was started with MAIL_CONFIG (postfix(1) sets it) or `-c` naming *directory*."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if b"-t" in arguments:  # it only looks whether another one runs, and ends
        return False
    named = [entry.partition(b"=")[2] for entry in environment if entry.startswith(b"MAIL_CONFIG=")]
    named += [value for option, value in itertools.pairwise(arguments) if option == b"-c"]
    return any(os.path.realpath(os.fsdecode(name)) == os.path.realpath(directory) for name in named if name)


def unit(pid: int) -> str | None:
    """The systemd unit whose control group holds the process: `postfix@-.service`, `session-3.scope`."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    paths = [line.split(":", 2)[2] for line in lines if line.startswith("0::") or ":name=systemd:" in line]
    for path in paths:
        for part in reversed(path.split("/")):
            if part.endswith((".service", ".scope")):
                return part
    return None


def _keeper(pid: int) -> str | None:
    """The name of the process that waits for a master started with `postfix start-fg`, None for a daemon.

    `start-fg` becomes `master -i` where it is process 1, which gives ""; elsewhere its script waits for `master -s`.
    """
    if pid == 1:
        return ""
    try:
        if b"-s" not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return None
        while True:
            pid = int(_stat(pid)[1][1])
            if (name := _name(pid)) not in _START_FG:
                return name
    except (OSError, ValueError):  # it ended while we looked
        return None


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _stat(pid: int) -> tuple[str, list[str]]:
    """A process's name and the fields of /proc/PID/stat from the third on (the name may hold anything)."""
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()


def _name(pid: int) -> str:
    try:
        return _stat(pid)[0]
    except (OSError, ValueError):
        return ""


def _children(pid: int) -> list[int]:
    found = []
    for other in _processes():
        try:
            if int(_stat(other)[1][1]) == pid:
                found.append(other)
        except (OSError, ValueError):  # ended meanwhile
            continue
    return found


def _started(pid: int) -> datetime:
    """When a process was started: field 22 counts ticks since boot, suspended time included."""
    return datetime.fromtimestamp(_booted() + _ticks(pid) / os.sysconf("SC_CLK_TCK"), UTC).astimezone()


def _ticks(pid: int) -> int:
    return int(_stat(pid)[1][19])


_boot: list[float] = []


def _booted() -> float:
    """The time of boot by today's clock, the same at every look: two clocks read in turn differ by microseconds.

    A clock that was set meanwhile moves it.
    """
    seen = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    if not _boot or abs(seen - _boot[0]) > _CLOCK_SET:
        _boot[:] = [seen]
    return _boot[0]


def listeners(configuration: Configuration) -> tuple[Listener, ...]:
    """Master's listening TCP sockets, by port and address; none where no master runs.

    Read through master's own /proc entry: right across network namespaces too. smtpd's share is not counted.
    """
    pid = _pid(configuration)
    return tuple(sorted(_listening(pid), key=lambda s: (s.port, ":" in s.address, s.address))) if pid else ()


def _listening(pid: int) -> Iterator[Listener]:
    sockets = _sockets(pid)
    for table in ("tcp", "tcp6"):
        try:
            rows = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except FileNotFoundError:  # no IPv6 in this kernel, or the process ended
            continue
        for row in rows:
            fields = row.split()
            fd = sockets.get(fields[9])
            if fields[3] == _LISTEN and fd is not None:
                digits, _, port = fields[1].partition(":")
                yield Listener(_address(digits), int(port, 16), pid, fd)


def _sockets(pid: int) -> dict[str, int]:
    """Inode of a socket -> the lowest descriptor that *pid* holds it by."""
    found: dict[str, int] = {}
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(entry.readlink())
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                inode, fd = target[8:-1], int(entry.name)
                found[inode] = min(fd, found.get(inode, fd))
    except PermissionError:
        raise CannotLook(
            f"the sockets of process {pid} may not be seen by {host.user()}", "run it as root"
        ) from None
    except FileNotFoundError:
        return {}
    return found


def _address(digits: str) -> str:
    """`0100007F` -> `127.0.0.1`: the kernel prints each 32 bits in its own byte order."""
    words = [bytes.fromhex(digits[at : at + 8]) for at in range(0, len(digits), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return str(ip_address(packed))


def bindable(question: Bindable) -> str:
    """ "" where a socket binds there as master(8) binds its own, else the kernel's reason.

    It never listens, so nobody can connect to it. A port that only root may bind is CannotLook for others.
    """
    family = socket.AF_INET6 if ":" in question.address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            # As inet_listen() of Postfix does: what lies in TIME_WAIT is no obstacle, [::] is IPv6 alone.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((question.address, question.port))
    except PermissionError:
        raise CannotLook(
            f"port {question.port} may not be bound by {host.user()}", "run it as root"
        ) from None
    except (OSError, OverflowError) as failure:
        return str(getattr(failure, "strerror", None) or failure)
    return ""


def socket_listing() -> str:
    """The whole output of `ss -lntp`."""
    done = host.command(["ss", "-lntp"])
    if done.returncode:
        raise CannotLook(f"ss -lntp failed: {done.stderr.strip() or done.returncode}")
    return done.stdout


def greeting(question: Greeting) -> str:
    """The first line that the SMTP server says; a connection that fails or stays silent is CannotLook."""
    where = (
        f"[{question.address}]:{question.port}"
        if ":" in question.address
        else f"{question.address}:{question.port}"
    )
    deadline = time.monotonic() + _GREETING_SECONDS
    try:
        with socket.create_connection((question.address, question.port), _GREETING_SECONDS) as sock:
            said = b""
            while b"\n" not in said and len(said) < _LINE_CAP:
                sock.settimeout(max(0.05, deadline - time.monotonic()))
                part = sock.recv(_LINE_CAP)
                if not part:
                    raise CannotLook(f"{where} closed the connection without a greeting")
                said += part
            sock.sendall(b"QUIT\r\n")
    except TimeoutError:
        raise CannotLook(f"{where} did not greet within {_GREETING_SECONDS:g} s") from None
    except OSError as failure:
        raise CannotLook(f"{where}: {failure.strerror}") from None
    return said.partition(b"\n")[0].decode("utf-8", "surrogateescape").rstrip("\r")
