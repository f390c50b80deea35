"""The relay's first process: builds its machine, then does what the driver asks, each request in a child.

Python and mailmend are imported once; a child that runs a command line of mailmend starts warm, with real
standard streams, and ends with its exit status.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from mailmend.lab import control, kernel, machine, mailserver, packages
from mailmend.model import CannotLook

# What the commands of mailmend import where they use it.
HEAVY = (
    "click",
    "tomllib",
    "rich.console",
    "rich.table",
    "rich.progress",
    "dns.resolver",
    "dkim",
    "msgspec",
    "ssl",
    "email",
)


def begin(base: socket.socket, network: int, unpacked: Path, mount_point: Path) -> None:
    """Fork the relay off into its network and namespaces of its own; the parent returns."""
    if os.fork():
        return
    kernel.unshare(kernel.NEWNS | kernel.NEWUTS | kernel.NEWIPC | kernel.NEWPID | kernel.NEWCGROUP)
    kernel.enter(network)
    if os.fork():
        os._exit(0)
    failure = None
    try:
        # postconf(1) wants an active interface, and the network is wired meanwhile.
        kernel.loopback_up()
        machine.build(unpacked, mount_point)
        _log_daemon()
        mailserver.install(Path(f"{machine.HOST}{unpacked}"))
        packages.keep(Path(f"{machine.HOST}{unpacked}"))
        machine.forget_host()
    except (OSError, CannotLook) as trouble:
        failure = f"the relay cannot be built: {trouble}"
    try:
        _serve(base, failure)
    finally:
        os._exit(0)


def _serve(base: socket.socket, failure: str | None) -> None:
    # The first process of a PID namespace is every orphan's parent: let the kernel bury them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    warm = False
    while request := control.next_request(base):
        stream, fds = request
        operation, arguments = control.read_request(stream) or ("hello", {})
        if operation == "mailmend" and not warm:
            _warm_up()
            warm = True
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            base.close()
            _answer(stream, operation, arguments, fds, failure)
        stream.close()
        for fd in fds:
            os.close(fd)


def _answer(
    stream: socket.socket, operation: str, arguments: dict[str, Any], fds: list[int], failure: str | None
) -> NoReturn:
    """In a child: do it, reply, end."""
    try:
        if failure:
            reply, given = control.error(failure), []
        elif operation == "open":
            given = [os.open(arguments["path"], arguments["flags"], arguments["mode"])]
            reply = control.result(None)
        else:
            given, reply = [], control.result(_do(stream, operation, arguments, fds))
    except (CannotLook, OSError) as trouble:
        given, reply = [], control.error(str(trouble))
    except Exception:
        given, reply = [], control.error(traceback.format_exc())
    with contextlib.suppress(OSError):
        socket.send_fds(stream, [reply], given)
    os._exit(0)


def _do(stream: socket.socket, operation: str, arguments: dict[str, Any], fds: list[int]) -> Any:
    plain: dict[str, Callable[..., Any]] = {
        "hello": lambda: None,
        "reset": mailserver.reset,
        "start": mailserver.start,
        "stop": mailserver.stop,
        "reload": mailserver.reload,
        "remove_packages": packages.remove,
        "install_package": packages.install,
        "start_daemon": packages.start,
        "stop_daemon": packages.stop,
    }
    if operation in plain:
        return plain[operation](**arguments)
    argv, environment, folder = arguments["argv"], arguments["env"], arguments["cwd"]
    if operation == "run":
        process = subprocess.Popen(
            argv,
            env=environment,
            cwd=folder,
            stdin=fds[0],
            stdout=fds[1],
            stderr=fds[2],
            start_new_session=True,
        )
        _wait(stream, process.pid)
        return process.wait()
    pid = os.fork()
    if pid == 0:
        _become_mailmend(argv, environment, folder, fds, arguments["user"])
    _wait(stream, pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _wait(stream: socket.socket, pid: int) -> None:
    """Until the process ends, or is ended because the driver stopped waiting for it."""
    ended = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(stream, select.POLLIN | select.POLLHUP)
    if all(fd != ended for fd, _event in poll.poll()):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    os.close(ended)


def _become_mailmend(
    argv: list[str], environment: dict[str, str], folder: str, fds: list[int], user: int
) -> NoReturn:
    """`python -m mailmend ARGV` in this very process."""
    os.setsid()
    for number, fd in enumerate(fds[:3]):
        os.dup2(fd, number)
    # The streams that Python opened at its start know another file behind their number.
    sys.stdin, sys.stdout, sys.stderr = (
        open(0, encoding="utf-8", errors="surrogateescape"),  # noqa: SIM115 (descriptors)
        open(1, "w", encoding="utf-8", errors="surrogateescape"),  # noqa: SIM115
        open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1),  # noqa: SIM115
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    sys.argv = ["mailmend", *argv]
    status = 0
    try:
        runpy.run_module("mailmend", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1 if end.code else 0
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
    except BaseException:
        traceback.print_exc()
        status = 1
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(status)


def _warm_up() -> None:
    """Import what a command may need. What cannot be imported says so itself when it is used."""
    import mailmend

    own = [m.name for m in pkgutil.walk_packages(mailmend.__path__, "mailmend.") if ".lab" not in m.name]
    for name in (*HEAVY, *own):
        if not name.endswith("__main__"):
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _log_daemon() -> None:
    """A syslogd in a process of its own: /dev/log -> /var/log/mail.log, in the format of Debian's rsyslog."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind("/dev/log")
    Path("/dev/log").chmod(0o666)
    mailserver.LOG.touch(0o640)
    if os.fork():
        sock.close()
        return
    name = socket.gethostname().split(".")[0]
    with mailserver.LOG.open("ab", buffering=0) as log:
        while True:
            # `<22>Nov 22 10:56:24 postfix/smtp[7]: text` (RFC 3164); the time of arrival has microseconds.
            packet = sock.recv(65536)
            text = packet.partition(b">")[2][16:].rstrip(b"\n\0")
            at = datetime.now().astimezone().isoformat(timespec="microseconds")
            log.write(f"{at} {name} ".encode() + text + b"\n")
