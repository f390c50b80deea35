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
from mailmend.questions import (
    File,
    Host,
    HostFacts,
    Instance,
    Instances,
    LogLines,
    Master,
    Running,
    Setting,
)
from mailmend.system.probe import Remembering, now

_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": "", "TERM": "dumb"}
_UNIT = re.compile(r"postfix(@.+)?\.service\Z")
# These start what they keep whenever it ends; of others that is not known (runsv(8), s6-supervise, supervise(8)).
_START_ANEW = ("runsv", "s6-supervise", "supervise", "perpd")
# Debian's init script, up to 12, fills the chroot of an instance before each start; `postfix start` does not.
_INIT_SCRIPT, _FILL_CHROOT = "/etc/init.d/postfix", "/usr/lib/postfix/configure-instance.sh"
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
    *complaints* is what the log has had to say since a time. *start* is empty where a supervisor starts Postfix
    anew by itself. *prepare* is what this host does before each start. *fixed*: why Postfix cannot be restarted
    from here, and what to do instead.
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
    prepare: tuple[str, ...] = ()
    fixed: Refused | None = None

    def require(self, kind: Activation) -> None:
        """Raise Refused, before anything is touched, where *kind* cannot be done on this host."""
        if kind == "restart" and self.fixed is not None:
            raise self.fixed

    def activate(self, kind: Activation) -> None:
        """Do *kind* and see it happen. Where no master runs, a reload and a restart both start it.

        `none` and `map` do nothing: Postfix's daemons notice a changed table by themselves.
        Raises Refused, with what Postfix said, where the server did not follow within *deadline* seconds;
        Stopped where it does not run now.
        """
        if kind in ("none", "map"):
            return
        self.require(kind)
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
        if self.prepare:
            self.run(self.prepare)
        ran = self.run(self.start) if self.start else Ran(0, "")

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
                settled = self.look()
                # What has ended may have been started anew meanwhile, by a supervisor.
                return wanted(settled) and new.pid in (None, settled.pid)
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
            return Stopped(reason, " ".join(self.start) or "postfix start")
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
        postfix, several, name = _postfix(probe)
    how = _by_unit(host, master, postfix, several) or _by_keeper(host, master, postfix, run)
    way, commands, unit, fixed = how or (
        " ".join(postfix),
        ((*postfix, "stop"), (*postfix, "start"), (*postfix, "reload")),
        None,
        None,
    )
    return Activator(
        way,
        *commands,
        unit,
        lambda: _look(probe),
        lambda since: _complaints(probe, since),
        run,
        deadline,
        prepare=() if how else _prepare(probe, host, name),
        fixed=fixed,
    )


_Commands = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
_How = tuple[str, _Commands, str | None, Refused | None]


def _by_unit(host: HostFacts, master: Running, postfix: tuple[str, ...], several: bool) -> _How | None:
    """Through systemd, where it runs and holds the master, or would start it."""
    if host.init != "systemd":
        return None
    unit = master.cgroup_unit or ""
    if master.keeper == "systemd" and unit.endswith(".service") and not _UNIT.match(unit):
        # A unit of the operator's own, which need not know how to reload.
        start = ("systemctl", "start", unit)
        return f"systemd's {unit}", (("systemctl", "stop", unit), start, (*postfix, "reload")), unit, None
    held = unit if _UNIT.match(unit) else None
    if held is None and host.unit is None:
        return None
    unit = held or host.unit or ""
    if master.pid is not None and held is None and master.keeper is None:
        # `start` would do nothing for a unit that systemd still takes for active.
        commands = ((*postfix, "stop"), ("systemctl", "restart", unit), (*postfix, "reload"))
        return f"started by hand, now by systemd's {unit}", commands, unit, None
    if held is None and master.keeper is not None:
        return None
    # Debian 13 makes every other instance PartOf= the main one: they would be reloaded and stopped with it.
    alone = ("--job-mode=ignore-dependencies",) if several else ()
    reload = (*postfix, "reload") if several else ("systemctl", "reload", unit)
    how = (("systemctl", "stop", *alone, unit), ("systemctl", "start", unit), reload)
    return f"systemd's {unit}", how, unit, None


def _by_keeper(host: HostFacts, master: Running, postfix: tuple[str, ...], run: Run) -> _How | None:
    """Where Postfix runs in the foreground (`postfix start-fg`): through whoever keeps it, if that is known."""
    keeper, reload = master.keeper, (*postfix, "reload")
    if keeper is None or master.pid is None:
        return None
    if keeper in _START_ANEW:
        return f"kept by {keeper}", ((*postfix, "stop"), (), reload), None, None
    if keeper == "supervisord" and (program := _supervised(run)):
        commands = (("supervisorctl", "stop", program), ("supervisorctl", "start", program), reload)
        return f"supervisord's {program}", commands, None, None
    whose = (
        f"{keeper}, which waits for it, may end with it" if keeper else "it is process 1 of this container"
    )
    fixed = Refused(
        f"Postfix would have to be stopped and started, and {whose}: that would end more than Postfix",
        f"from outside, docker restart {host.hostname} or the like loads what is saved",
    )
    return "in the foreground", ((*postfix, "stop"), (), reload), None, fixed


def _supervised(run: Run) -> str | None:
    """The one program of supervisord that is called after Postfix: `NAME  RUNNING  pid 12, uptime 0:01:00`."""
    try:
        ran = run(("supervisorctl", "status"))
    except CannotLook:
        return None
    running = (line.split() for line in ran.output.splitlines())
    names = [words[0] for words in running if words[1:2] == ["RUNNING"] and "postfix" in words[0]]
    return names[0] if len(names) == 1 else None


def _prepare(probe: Probe, host: HostFacts, name: str) -> tuple[str, ...]:
    """What Debian's init script does for instance *name* before it starts it; empty where there is no such script."""
    if host.init != "sysv" or not name:
        return ()
    script = probe.ask(File(_INIT_SCRIPT)).answer
    return (_FILL_CHROOT, name) if script and f"{_FILL_CHROOT} $INSTANCE" in script.text else ()


def validate(probe: Probe, *, run: Run | None = None) -> None:
    """Raise Refused, with what it says, where `postfix check` finds that what is saved would not start."""
    with _afresh(probe):
        postfix, *_ = _postfix(probe)
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


def _postfix(probe: Probe) -> tuple[tuple[str, ...], bool, str]:
    """(the command that manages this instance and no other, whether there are others, its name).

    The name of the main one is `-`, of one that postmulti(1) does not know empty.
    """
    directory = _required(probe, Setting("config_directory")).value
    if not directory:
        raise CannotLook("Postfix does not say where its configuration is")
    instances: tuple[Instance, ...] = probe.ask(Instances()).answer or ()
    mine = [i for i in instances if PurePath(i.config_directory) == PurePath(directory)]
    name = (mine[0].name or "-") if mine else ""
    if len(instances) > 1 and mine:
        # Plain postfix(1) acts on all instances of the host.
        return ("postmulti", "-i", name, "-p"), True, name
    return ("postfix", "-c", directory), False, name


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
