"""Which boot of the kernel this is, and how far into it: a clock that nobody can set (clock_gettime(2))."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from mailmend.model import Deadline
from mailmend.system.probe import now

_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The kernel's random name for this boot; empty where it cannot be read, which is then no new boot."""
    try:
        return _ID.read_text("ascii").strip()
    except OSError:
        return ""


def after(duration: timedelta) -> Deadline:
    """The moment *duration* from now."""
    return Deadline(
        now() + duration, boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME) + duration.total_seconds()
    )


def left(deadline: Deadline) -> float:
    """Seconds until *deadline*, 0 where it has passed or the machine was booted since."""
    if deadline.boot != boot_id():
        return 0.0
    return max(0.0, deadline.seconds - time.clock_gettime(time.CLOCK_BOOTTIME))
