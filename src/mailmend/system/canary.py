"""A shadow of the configuration runs for a second, and what it does there is written down.

Its master(8) is started beside the real one; its daemons are made to start, its listeners are talked to, its
log is read. No message is sent, and none could leave: nothing in its queue is delivered (shadow.py).
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mailmend.parse.maillog import line as log_line
from mailmend.system import host
from mailmend.system.dialogue import STRANGERS, Patience, Talk, talk
from mailmend.system.shadow import Port, Shadow, program

# Daemons that do nothing before they are asked to: connecting starts them, and they open what they need.
_HARMLESS = frozenset(
    (
        "anvil", "bounce", "cleanup", "discard", "error", "flush", "lmtp", "local", "pipe", "proxymap", "scache",
        "showq", "smtp", "tlsmgr", "trivial-rewrite", "verify", "virtual",
    )
)  # fmt: skip
_LISTENING = 2.0  # seconds until master has to accept
_STARTING = 1.5  # seconds until a daemon that was started has to be there
_QUIET = 0.25  # seconds after which a daemon that has not complained is taken to run
_TALKING = 3.0  # seconds for all conversations
LONGER = 5.0  # the same where that was too short
_SETTLING = 1.0  # seconds more where it is looked at again: whatever dies has said so by then
_DYING = 0.3  # seconds that they go on once a daemon has died of its configuration
_LIFE = 40  # seconds after which master ends itself (master(8) -e), whatever became of us
_ENDING = 2.0  # seconds that the kernel may take to bury them
# Reads until the program that writes is gone: then it ends what the program started, and clears up.
_WATCH = 'read -r _ || { kill -s KILL -- "-$1"; sleep 1; rm -rf -- "$2"; }'
_LOG_CAP = 4 * 1024 * 1024
_SCRIPTS = ("postfix", "postfix-script", "post-install")
_LOOKING = 0.1  # seconds between two looks at the log
_NUMBERS = re.compile(r"\d+")
_DEATH = re.compile(r"/(?:smtpd|postscreen|proxymap|trivial-rewrite|cleanup)\[\d+\]: (?:fatal|panic): ")


@dataclass(frozen=True, slots=True)
class Complaint:
    """A line of the log that is no mere information: *daemon* said *text*, of *severity* fatal, panic, error or
    warning; *kind* is the text without what differs from run to run."""

    daemon: str
    severity: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Observed:
    """*ended*: why master is not running, "" where it is. *talks*: (service, client) -> what was said.

    *resolved*: recipient -> the transport by which trivial-rewrite(8) sends it, None where it did not say;
    *transports* are those that master.cf has.
    """

    ended: str
    complaints: tuple[Complaint, ...]
    talks: dict[tuple[str, str], Talk]
    resolved: dict[str, str | None]
    transports: frozenset[str] = frozenset()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Script:
    """What every canary is asked, the same of both: *ours* and *foreign* recipients, a foreign *sender*."""

    ours: tuple[str, ...]
    foreign: tuple[str, ...]
    sender: str


def observe(shadow: Shadow, script: Script, seconds: float = _TALKING) -> Observed:
    """Run *shadow* as *script* has it, talking for *seconds* at most. It is ended before this returns."""
    start = time.monotonic()
    if shadow.log is not None:
        shadow.log.unlink(missing_ok=True)  # of a run before this one
    with running(shadow) as (process, output):
        ended = _wait_listening(shadow, process)
        talks: dict[tuple[str, str], Talk] = {}
        resolved: dict[str, str | None] = {}
        if not ended:
            patience = Patience(time.monotonic() + seconds)
            with ThreadPoolExecutor(8) as pool:
                waking = pool.submit(_wake, shadow)
                jobs = {key: pool.submit(job) for key, job in _talks(shadow, script, patience)}
                while not all(job.done() for job in jobs.values()):
                    time.sleep(_LOOKING)
                    if _DEATH.search(_logged(shadow)):
                        # Master starts it again in a minute: nobody will answer now.
                        patience.cut(_DYING)
                talks = {key: job.result() for key, job in jobs.items()}
                waking.result()
            if seconds >= LONGER:
                time.sleep(_SETTLING)
            resolved = {r: _resolve(shadow, r) for r in (*script.ours[:1], *script.foreign[:1])}
            if process.poll() is not None:
                ended = "master ended while it was talked to"
        complaints = _complaints(shadow, output())
    if ended:
        ended = next((c.text for c in complaints if c.severity in ("fatal", "panic")), ended)
    transports = frozenset(s.name for s in shadow.services if s.type in ("unix", "fifo"))
    return Observed(ended, complaints, talks, resolved, transports, time.monotonic() - start)


@contextmanager
def running(shadow: Shadow) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """The running master in a session of its own, and what it has printed; ended with all that it started.

    Should this program be killed meanwhile, a shell ends it and clears up; master(8) ends itself besides.
    """
    printed = shadow.folder / "printed"
    argv = (str(shadow.daemons / "master"), "-c", str(shadow.running), "-d", "-e", str(_LIFE))
    environment = {**host.environment(), "MAIL_CONFIG": str(shadow.running)}
    with printed.open("wb") as out:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    try:
        with _watcher(process.pid, shadow):
            yield process, lambda: printed.read_bytes()[:65536].decode("utf-8", "replace")
    finally:
        _end(process)


@contextmanager
def _watcher(group: int, shadow: Shadow) -> Iterator[None]:
    """A shell at the other end of a pipe, which closes with this program, however it ends."""
    watcher = subprocess.Popen(
        ("/bin/sh", "-c", _WATCH, "sh", str(group), str(shadow.folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=host.environment(),
        cwd="/",
        start_new_session=True,
    )
    try:
        yield
    finally:
        watcher.communicate(b"done\n")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its children are of its session and group, which is gone with the last of them."""
    end = time.monotonic() + _ENDING
    while time.monotonic() < end:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            break
        process.poll()
        time.sleep(0.005)
    process.wait()


def _wait_listening(shadow: Shadow, process: subprocess.Popen[bytes]) -> str:
    """ "" once every listener accepts, else why not."""
    end = time.monotonic() + _LISTENING
    waiting = list(shadow.ports)
    while True:
        if process.poll() is not None:
            return f"master ended with {process.returncode}"
        waiting = [port for port in waiting if not _accepts(port)]
        # Without a listener: the queue manager's socket is what shows that master is at work.
        if not waiting and (shadow.queue / "public" / "qmgr").exists():
            return ""
        if time.monotonic() > end:
            names = ", ".join(port.service for port in waiting) or "the queue manager"
            return f"{names} does not listen within {_LISTENING:g} s"
        time.sleep(0.01)


def _accepts(port: Port) -> bool:
    """Whether somebody listens there, told without a connection that would start a daemon."""
    table = "tcp6" if ":" in port.host else "tcp"
    wanted = f":{port.port:04X}"
    rows = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    return any(fields[3] == "0A" and fields[1].endswith(wanted) for fields in map(str.split, rows))


def _wake(shadow: Shadow) -> None:
    """Start every daemon that waits for requests, so that it reads its settings and opens its tables.

    What has a word of its own to say first has started; of the others only the log tells.
    """
    with ExitStack() as stack:
        waiting: dict[int, socket.socket] = {}
        for service in shadow.services:
            if service.type != "unix" or program(service) not in _HARMLESS:
                continue
            place = shadow.queue / ("private" if service.private in ("y", "-") else "public") / service.name
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.settimeout(0.2)
            with suppress(OSError):
                sock.connect(_short(stack, place))
                waiting[sock.fileno()] = sock
        poll = select.poll()
        for fd in waiting:
            poll.register(fd, select.POLLIN)
        end = time.monotonic() + _STARTING
        while waiting and time.monotonic() < end:
            events = poll.poll(_QUIET * 1000)
            for fd, _ in events:
                poll.unregister(fd)
                del waiting[fd]
            if not events:
                break


def _short(stack: ExitStack, place: Path) -> str:
    """A name of the socket that fits into the 108 bytes of sun_path (unix(7))."""
    folder = os.open(place.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, folder)
    return f"/proc/self/fd/{folder}/{place.name}"


def _talks(
    shadow: Shadow, script: Script, patience: Patience
) -> Iterator[tuple[tuple[str, str], Callable[[], Talk]]]:
    """One conversation for each smtpd(8) and client; postscreen(8) is greeted, its smtpd talked to itself."""
    for port in shadow.ports:
        if port.program not in ("smtpd", "postscreen"):
            continue
        clients: tuple[str, ...] = ("this host", *(STRANGERS if port.program == "smtpd" else ()))
        wrapped = dict(port.overrides).get("smtpd_tls_wrappermode", "no") == "yes"
        for client in clients:
            recipients = (*script.ours, *script.foreign) if port.program == "smtpd" else ()
            if client == "stranger over IPv6":
                recipients = script.foreign

            def conversation(
                port: Port = port,
                client: str = client,
                to: tuple[str, ...] = recipients,
                wrapped: bool = wrapped,
            ) -> Talk:
                stranger = client if client in STRANGERS else None
                return talk(
                    port.host, port.port, to,
                    sender=script.sender, stranger=stranger, wrapped=wrapped, patience=patience,
                )  # fmt: skip

            yield (port.service, client), conversation


def _resolve(shadow: Shadow, recipient: str) -> str | None:
    """The transport that trivial-rewrite(8) chooses: its own protocol of names and values, each ended by a NUL."""
    request = ("request", "resolve", "sender", "", "address", recipient)
    with ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_UNIX))
        sock.settimeout(1.0)
        try:
            sock.connect(_short(stack, shadow.queue / "private" / "rewrite"))
            sock.sendall("".join(f"{word}\0" for word in request).encode("utf-8", "surrogateescape") + b"\0")
            said = b""
            while b"recipient\0" not in said:
                part = sock.recv(4096)
                if not part:
                    return None
                said += part
        except OSError:
            return None
    words = said.decode("utf-8", "replace").split("\0")
    with suppress(ValueError, IndexError):
        return words[words.index("transport") + 1]
    return None


def _logged(shadow: Shadow) -> str:
    if shadow.log is None:
        return ""
    try:
        return shadow.log.read_bytes()[:_LOG_CAP].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _complaints(shadow: Shadow, printed: str) -> tuple[Complaint, ...]:
    """What the canary's log and its terminal complain of, each kind once."""
    parsed = (log_line(each) for each in _logged(shadow).splitlines())
    # `postfix check` logs here too; what it says is judged by itself.
    lines = [(e.service, e.message) for e in parsed if e is not None and e.service not in _SCRIPTS]
    for each in printed.splitlines():
        head, _, rest = each.partition(": ")
        lines.append((head.rpartition("/")[2], rest))
    found: dict[tuple[str, str], Complaint] = {}
    for daemon, message in lines:
        severity, _, text = message.partition(": ")
        if severity not in ("fatal", "panic", "error", "warning"):
            continue
        text = text.replace(str(shadow.folder), "")
        kind = _NUMBERS.sub("0", text)
        found.setdefault((severity, kind), Complaint(daemon, severity, text, kind))
    return tuple(found.values())
