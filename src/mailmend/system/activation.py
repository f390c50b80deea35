"""What is saved becomes what runs, the way this host does it, and is seen to (postfix(1), postmulti(1), systemctl(1)).

No exit status is believed: Debian 12's `systemctl restart postfix` succeeds whatever happens, `postfix reload`
succeeds while master dies of what it reads. A new master, or a new queue manager, is waited for.
"""

from __future__ import annotations

import itertools
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import TypeVar

from mailmend.model import Activation, CannotLook, Probe, Question, Refused
from mailmend.questions import Host, Instance, Instances, LogLines, Master, Running, Setting
from mailmend.system.probe import Remembering, now

_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": "", "TERM": "dumb"}
_UNIT = re.compile(r"postfix(@.+)?\.service\Z")
_GRAVE = re.compile(r"\b(fatal|panic|error):", re.IGNORECASE)
_POLL = 0.02  # seconds between two looks at the process table
_SETTLE = 0.15  # seconds after which a master that dies of its configuration is gone again
_AFTER_FAILURE = 1.0  # seconds that a command's effect is waited for after its exit status said no
_JITTER = timedelta(milliseconds=5)  # the kernel counts starts in steps of 10 ms
_epochs = itertools.count(1)
_A = TypeVar("_A")


@dataclass(frozen=True, slots=True)
class Ran:
    """A command's exit status and all that it printed, as on a terminal."""

    status: int
    output: str


Run = Callable[[tuple[str, ...]], Ran]


class Stopped(Refused):
    """The server did not follow, and no master runs now; *start* is the command that starts it on this host."""

    def __init__(self, reason: str, start: str) -> None:
        super().__init__(reason, f"{start} starts it, once that is put right")
        self.start = start


@dataclass(frozen=True, slots=True)
class Activator:
    """How this host activates: *way* in words, and the commands. *look* sees master afresh each time.

    *unit* is the systemd unit asked to start Postfix, None where Postfix's own commands are used.
    *complaints* is what the log has had to say since a time.
    """

    way: str
    stop: tuple[str, ...]
    start: tuple[str, ...]
    reload: tuple[str, ...]
    unit: str | None
    look: Callable[[], Running] = field(repr=False)
    complaints: Callable[[datetime], tuple[str, ...]] = field(repr=False)
    run: Run = field(repr=False)
    deadline: float = 30.0

    def activate(self, kind: Activation) -> None:
        """Do *kind* and see it happen. Where no master runs, a reload and a restart both start it.

        `none` and `map` do nothing: Postfix's daemons notice a changed table by themselves.
        Raises Refused, with what Postfix said, where the server did not follow within *deadline* seconds;
        Stopped where it does not run now.
        """
        if kind in ("none", "map"):
            return
        old, since = self.look(), now() - timedelta(seconds=1)
        if old.pid is None:
            self._start(old, since)
        elif kind == "reload":
            self._reload(old, since)
        else:
            self._stop(old, since)
            self._start(old, since)

    def _reload(self, old: Running, since: datetime) -> None:
        ran = self.run(self.reload)
        if not self._seen(ran, lambda new: _began_anew(old.reloaded, new.reloaded), needs_master=True):
            raise self._failed("Postfix did not load what is saved", ran, since)

    def _stop(self, old: Running, since: datetime) -> None:
        ran = self.run(self.stop)
        if not self._seen(ran, lambda new: new.pid != old.pid or _began_anew(old.since, new.since)):
            raise self._failed(f"Postfix did not stop: master {old.pid} still runs", ran, since)

    def _start(self, old: Running, since: datetime) -> None:
        ran = self.run(self.start)

        def started(new: Running) -> bool:
            return new.pid is not None and (new.pid != old.pid or _began_anew(old.since, new.since))

        if not self._seen(ran, started):
            raise self._failed("Postfix did not start", ran, since)

    def _seen(self, ran: Ran, wanted: Callable[[Running], bool], needs_master: bool = False) -> bool:
        """Whether *wanted* comes true in time, and stays true: what it reads may kill a master at once."""
        # A command that failed says so; one that says nothing may still be at it.
        end = time.monotonic() + min(self.deadline, _AFTER_FAILURE if ran.status else self.deadline)
        while True:
            new = self.look()
            if wanted(new):
                time.sleep(_SETTLE)
                return self.look().pid == new.pid
            if time.monotonic() >= end or (needs_master and new.pid is None):
                return False
            time.sleep(_POLL)

    def _failed(self, what: str, ran: Ran, since: datetime) -> Refused:
        said = [line for line in ran.output.splitlines() if _GRAVE.search(line)]
        if self.unit:
            journal = (
                "journalctl",
                "--no-pager",
                "-o",
                "cat",
                "-u",
                self.unit,
                "--since",
                f"@{since.timestamp():.0f}",
            )
            said += [line for line in self.run(journal).output.splitlines() if _GRAVE.search(line)]
        said += [line for line in self.complaints(since) if _GRAVE.search(line)]
        said = said or ran.output.splitlines()[-1:]
        unique = tuple(dict.fromkeys(line.strip() for line in said))
        reason = f"{what}: {'; '.join(unique[:3])}" if unique else what
        if self.look().pid is None:
            return Stopped(reason, " ".join(self.start))
        return Refused(reason, "postfix check, and the log, say more")


def detect(probe: Probe, *, run: Run | None = None, deadline: float = 30.0) -> Activator:
    """How Postfix is activated here. Raises CannotLook where that cannot be seen.

    systemd is asked where it holds the master, or would start it; a master that was started by hand under a
    systemd host is stopped by hand and started by systemd, for else it would die with this session.
    """
    run = run or on_terminal
    with _afresh(probe):
        host = _required(probe, Host())
        master = _required(probe, Master())
        postfix, several = _postfix(probe)
    held = master.cgroup_unit if master.cgroup_unit and _UNIT.match(master.cgroup_unit) else None
    unit = (held or host.unit) if host.init == "systemd" else None
    by_hand = master.pid is not None and held is None
    if unit is None:
        way, commands = " ".join(postfix), ((*postfix, "stop"), (*postfix, "start"), (*postfix, "reload"))
    elif by_hand:
        # `start` would do nothing for a unit that systemd still takes for active.
        way = f"started by hand, now by systemd's {unit}"
        commands = ((*postfix, "stop"), ("systemctl", "restart", unit), (*postfix, "reload"))
    else:
        way = f"systemd's {unit}"
        reload = (*postfix, "reload") if several else ("systemctl", "reload", unit)
        commands = (("systemctl", "stop", unit), ("systemctl", "start", unit), reload)
    return Activator(
        way, *commands, unit, lambda: _look(probe), lambda since: _complaints(probe, since), run, deadline
    )


def validate(probe: Probe, *, run: Run | None = None) -> None:
    """Raise Refused, with what it says, where `postfix check` finds that what is saved would not start."""
    with _afresh(probe):
        postfix, _ = _postfix(probe)
    ran = (run or on_terminal)((*postfix, "check"))
    said = [line.strip() for line in ran.output.splitlines() if _GRAVE.search(line)]
    if ran.status or said:
        lines = "; ".join(said[:3]) or ran.output.strip().rpartition("\n")[2] or f"exit status {ran.status}"
        raise Refused(f"what is saved would not start: {lines}", "correct it, then run it again")


def on_terminal(command: tuple[str, ...], seconds: float = 60.0) -> Ran:
    """Run *command* on a pseudo-terminal: up to 3.7, Postfix tells its errors to nothing else.

    Raises CannotLook where the program is not there, Refused where it does not end in time.
    """
    reader, writer = pty.openpty()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    except FileNotFoundError:
        os.close(reader)
        raise CannotLook(f"{command[0]} is not installed here") from None
    finally:
        os.close(writer)
    output = b""
    end = time.monotonic() + seconds
    try:
        # master keeps the terminal open, so the end of the command is what ends the reading.
        while time.monotonic() < end:
            ended = process.poll() is not None
            if select.select([reader], [], [], 0 if ended else 0.02)[0]:
                try:
                    chunk = os.read(reader, 65536)
                except OSError:  # EIO: the last writer closed it
                    chunk = b""
                if chunk:
                    output += chunk
                    continue
                process.wait(max(0.0, end - time.monotonic()))
                break
            if ended:
                break
        else:
            raise subprocess.TimeoutExpired(command, seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise Refused(f"{' '.join(command)} did not end within {seconds:.0f} s") from None
    finally:
        os.close(reader)
    return Ran(process.returncode, output.decode("utf-8", "replace").replace("\r\n", "\n"))


def _postfix(probe: Probe) -> tuple[tuple[str, ...], bool]:
    """(the command that manages this instance and no other, whether there are others)."""
    directory = _required(probe, Setting("config_directory")).value
    if not directory:
        raise CannotLook("Postfix does not say where its configuration is")
    instances: tuple[Instance, ...] = probe.ask(Instances()).answer or ()
    mine = [i for i in instances if PurePath(i.config_directory) == PurePath(directory)]
    if len(instances) > 1 and mine:
        # Plain postfix(1) acts on all instances of the host.
        return ("postmulti", "-i", mine[0].name or "-", "-p"), True
    return ("postfix", "-c", directory), False


def _began_anew(old: datetime | None, new: datetime | None) -> bool:
    """Whether these are the starts of two processes: one start, looked at twice, jitters by microseconds."""
    if old is None or new is None:
        return new is not None
    return abs(new - old) > _JITTER


def _required(probe: Probe, question: Question[_A]) -> _A:
    seen = probe.ask(question)
    if seen.answer is None:
        raise CannotLook(f"how Postfix runs here cannot be seen: {seen.error}", "run it as root")
    return seen.answer


@contextmanager
def _afresh(probe: Probe) -> Iterator[None]:
    """A probe that remembers is made to look again, and is then put back where it was."""
    if not isinstance(probe, Remembering):
        yield
        return
    before = probe.epoch
    probe.begin(f"activating-{next(_epochs)}")
    try:
        yield
    finally:
        probe.begin(before)


def _look(probe: Probe) -> Running:
    with _afresh(probe):
        return _required(probe, Master())


def _complaints(probe: Probe, since: datetime) -> tuple[str, ...]:
    with _afresh(probe):
        return probe.ask(LogLines(since)).answer or ()
