"""A booted machine of its own: systemd as process 1 in systemd-nspawn over a root of Debian, written to an overlay.

    with booted("bookworm", folder) as machine:
        machine.mailmend("status")

The control group tree is made unified for it (this machine's may be the old one), and it has a network of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mailmend.model import CannotLook
from system.hosts import roots

SOURCE = Path(__file__).resolve().parents[3]
# What runs mailmend inside is what runs these tests, at the same places, read-only.
SHOWN = tuple(dict.fromkeys((str(SOURCE), sys.prefix, sys.base_prefix)))
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "TERM": "dumb",
    "SYSTEMD_PAGER": "",
}
MAILMEND = (sys.executable, "-P", "-m", "mailmend")
RESOLVER = (sys.executable, "-P", str(Path(__file__).with_name("resolver.py")))
# A cable to nowhere: this kernel need not have the kind `dummy`.
NETWORK = (
    "link add eth0 type veth peer name wall",
    "link set wall up",
    "link set eth0 up",
    "addr add 192.0.2.10/24 dev eth0",
    "addr add 2001:db8:1::10/64 dev eth0 nodad",
    "route add default via 192.0.2.1",
    "-6 route add default via 2001:db8:1::1",
)
_BOOT = 180.0  # seconds; on an idle machine it takes two


class Machine:
    """Commands run in it as in sessions of their own: each in a scope below user.slice, as pam_systemd has it."""

    def __init__(self, suite: str, folder: Path, shown: Sequence[str]) -> None:
        self.suite = suite
        self._shown = (*SHOWN, *shown)
        self._lower = roots.prepared(suite)
        self._folder = folder
        self._group = Path()
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._sessions = 0
        self._boots = 0
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    # ---- power ----------------------------------------------------------------------------

    def boot(self) -> None:
        """Returns when systemd has reached its target. CannotLook, with the reason, where it cannot boot here."""
        command, environment = roots.nspawn()
        shown = [f"--bind-ro={place}" for place in self._shown]
        command = [
            *command,
            "--register=no", "--keep-unit", "--boot", "--machine=mail", "--private-network", "--console=pipe",
            "--resolv-conf=off", "--timezone=off", "--link-journal=no", f"--directory={self._folder / 'root'}", *shown,
        ]  # fmt: skip
        # A new one at every boot: in groups that were killed once, Linux 6.18 kills what is cloned into them.
        self._group = _own_group()
        self._boots += 1
        said = (self._folder / f"boot-{self._boots}.log").open("wb")
        into = [sys.executable, "-P", str(Path(__file__).with_name("into.py")), str(self._group)]
        layers = (
            f"lowerdir={self._lower},upperdir={self._folder / 'upper'},workdir={self._folder / 'work'}",
            str(self._folder / "root"),
        )
        with said:
            self._nspawn = subprocess.Popen(
                [*into, *layers, *command], env=environment | {"PYTHONPATH": str(SOURCE / "src")},
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + _BOOT
        while not self._is_up():
            if self._nspawn.poll() is not None or time.monotonic() > end:
                text = Path(said.name).read_text(errors="replace").strip()
                raise CannotLook(f"{self.suite} does not boot in systemd-nspawn here: {text[-300:]}")
            time.sleep(0.05)
        # A host with both families, and the lab's names.
        for command in NETWORK:
            done = self.enter("ip", *command.split())
            assert done.returncode == 0, f"{command}: {done.stderr}"
        for family in ("ipv4", "ipv6"):
            # Nobody is behind the router; that is to be known at once, not after three seconds.
            self.write(f"/proc/sys/net/{family}/neigh/eth0/retrans_time_ms", "20\n")
        self.enter(
            "systemd-run", "--quiet", "--unit=resolver", f"--setenv=PYTHONPATH={SOURCE / 'src'}", *RESOLVER
        )

    def _is_up(self) -> bool:
        with suppress(OSError, IndexError):
            self._leader = int((self._group / "payload/init.scope/cgroup.procs").read_text().split()[0])
            state = self.enter("systemctl", "is-system-running").stdout.strip()
            return state in ("running", "degraded")
        return False

    def power_off(self) -> None:
        """An orderly end: every unit is stopped."""
        assert self._nspawn is not None
        self.enter("systemctl", "--no-block", "poweroff")
        with suppress(subprocess.TimeoutExpired):
            self._nspawn.wait(_BOOT)
        self.power_cut()

    def power_cut(self) -> None:
        """Everything ends at once; what was written to files stays."""
        if self._nspawn is None:
            return
        (self._group / "cgroup.kill").write_text("1")
        self._nspawn.wait(10)
        self._nspawn, self._leader = None, 0
        end = time.monotonic() + 10
        while "populated 1" in (self._group / "cgroup.events").read_text() and time.monotonic() < end:
            time.sleep(0.02)
        for place, _folders, _files in os.walk(self._group, topdown=False):
            with suppress(OSError):
                Path(place).rmdir()

    # ---- what is done in it ---------------------------------------------------------------

    def enter(
        self, *argv: str, text: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """A command that belongs to no unit; what it starts would die with nobody, so nothing of Postfix's."""
        return subprocess.run(
            [*self._way_in(), *argv], env=ENVIRONMENT, input=text, capture_output=True, text=True, timeout=timeout,
            errors="surrogateescape", check=False,
        )  # fmt: skip

    def run(
        self, *argv: str, timeout: float = 90, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command in a login session of its own, which stays until nothing of it runs."""
        return self.enter(*self._session(argv), timeout=timeout, text=text)

    def mailmend(self, *argv: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        return self.run(*MAILMEND, *argv, timeout=timeout)

    def begin(self, *argv: str) -> tuple[str, subprocess.Popen[str]]:
        """(the session's scope, the command in it): it runs until it ends, or its session is ended."""
        session = self._session(argv)
        process = subprocess.Popen(
            [*self._way_in(), *session], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return f"session-{self._sessions}.scope", process

    def end_session(self, scope: str) -> None:
        """As when the connection breaks and logind ends what is left: everything in the scope is killed."""
        self.enter("systemctl", "kill", "--signal=KILL", scope)

    def read(self, path: str) -> str:
        done = self.enter("cat", path)
        if done.returncode:
            raise FileNotFoundError(path)
        return done.stdout

    def write(self, path: str, text: str) -> None:
        self.enter("tee", path, text=text)

    def master(self, queue: str = "/var/spool/postfix") -> int:
        """The pid in the pid file of *queue*, if a master runs under it; else 0."""
        try:
            pid = self.read(f"{queue}/pid/master.pid").strip()
        except FileNotFoundError:
            return 0
        name = self.enter("cat", f"/proc/{pid}/comm").stdout.strip()
        return int(pid) if name == "master" else 0

    def unit_of(self, pid: int) -> str:
        """The last part of the path of the control group that holds *pid*."""
        return self.read(f"/proc/{pid}/cgroup").strip().rpartition("/")[2]

    def sockets(self) -> set[str]:
        """What listens, as `ss` writes it: `0.0.0.0:25`."""
        return {line.split()[3] for line in self.enter("ss", "-Hlnt").stdout.splitlines()}

    def _way_in(self) -> list[str]:
        return ["nsenter", f"--target={self._leader}", "--all", "--wdns=/root", "--"]

    def _session(self, argv: Sequence[str]) -> list[str]:
        self._sessions += 1
        unit = f"--unit=session-{self._sessions}"
        return ["systemd-run", "--quiet", "--scope", "--collect", "--slice=user.slice", unit, "--", *argv]


@contextmanager
def booted(suite: str, folder: Path, *shown: str) -> Iterator[Machine]:
    """A machine that has booted, with *shown* of this one in it, read-only, as --bind-ro= of systemd-nspawn has them.

    CannotLook where it cannot be had here, with the reason.
    """
    machine = Machine(suite, folder, shown)
    try:
        machine.boot()
        yield machine
    finally:
        machine.power_cut()


def _own_group() -> Path:
    """A new control group in this machine's unified tree. CannotLook where it has none that can be written."""
    mounts = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    places = [Path(fields[4]) for fields in mounts if fields[fields.index("-") + 1] == "cgroup2"]
    if not places:
        raise CannotLook("there is no cgroup2 here")
    group = places[0] / f"mailmend-hosts-{os.getpid()}-{time.monotonic_ns()}"
    try:
        group.mkdir()
    except OSError as failure:
        raise CannotLook(f"no control group can be made here: {failure}") from None
    return group
