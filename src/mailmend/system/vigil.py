"""A hold is watched from outside the program that made it: by a detached process, and by a unit after a boot.

*state*/hold says that there is one to be watched, *state*/hold.lock is held by whoever watches.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mailmend.places import hold
from mailmend.system import detached
from mailmend.system.durable import sync, write

UNIT = "mailmend-hold.service"
UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True, slots=True)
class Vigil:
    """*launch* starts the process that watches, as `detached.start` does."""

    state: Path
    launch: Callable[[str, tuple[str, ...]], None] = field(default=detached.start, repr=False)

    @property
    def mark(self) -> Path:
        return hold(self.state)

    def kept(self) -> bool:
        """Whether there is a hold to be watched. OSError where that cannot be seen."""
        return self.mark.exists()

    def begin(self, config_directory: str | None) -> None:
        """From now on there is a hold of that instance; on the disk when this returns. OSError where it cannot be."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(self.mark, f"{config_directory or ''}\n", 0o600)
        if detached.SYSTEMD.is_dir():
            self._install()

    def instance(self) -> str | None:
        """The configuration directory that `begin` was given."""
        try:
            return self.mark.read_text("utf-8", "surrogateescape").strip() or None
        except FileNotFoundError:
            return None

    def watch(self) -> None:
        """Start the process that watches. Refused where it cannot be."""
        self.launch(f"mailmend-hold-{os.getpid()}", self.command)

    def end(self) -> None:
        """There is no hold any more."""
        self.mark.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            sync(self.state)
        if detached.SYSTEMD.is_dir():
            for path in (UNITS / "multi-user.target.wants" / UNIT, UNITS / UNIT):
                path.unlink(missing_ok=True)
            _reload_systemd()

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else watches; for as long as the block lasts, nobody else does."""
        fd = os.open(self.state / "hold.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(fd)

    @property
    def command(self) -> tuple[str, ...]:
        return detached.mailmend("hold", "watch", "--state", str(self.state))

    def _install(self) -> None:
        wants = UNITS / "multi-user.target.wants"
        wants.mkdir(mode=0o755, parents=True, exist_ok=True)
        write(UNITS / UNIT, self.unit(), 0o644)
        with suppress(FileExistsError):
            (wants / UNIT).symlink_to(UNITS / UNIT)
        sync(wants)
        _reload_systemd()

    def unit(self) -> str:
        """The unit that watches after a boot (systemd.service(5))."""
        return f"""\
[Unit]
Description=End mailmend's hold on refused mail when its time is over
After=postfix.service postfix@-.service
ConditionPathExists={self.mark}

[Service]
ExecStart={" ".join(self.command)}
Restart=on-abnormal

[Install]
WantedBy=multi-user.target
"""


def _reload_systemd() -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ("systemctl", "daemon-reload"),
            env=detached.ENVIRONMENT,
            capture_output=True,
            timeout=30,
            check=False,
        )
