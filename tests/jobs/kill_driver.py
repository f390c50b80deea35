"""Follow a log into a store again and again, each time in a process that is killed at a random moment (SIGKILL).

    python kill_driver.py STATE LOG SEED KILLS

What takes long to load is loaded once; each follower is a fork. Prints how many were killed, and whatever one of them
said before. Exit status 1 where one ended by itself.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailmend import catalogue
from mailmend.jobs import ingest
from mailmend.jobs.here import Here
from mailmend.jobs.ingest_batch import Gather
from mailmend.system.follow import Place
from mailmend.system.probe import Recorded


@dataclass(frozen=True, slots=True)
class There(Here):
    """A host whose log is *path*."""

    path: Path = Path()

    def log(self) -> Place:
        return Place(self.path)


def there(state: Path, path: Path) -> There:
    nothing: Any = {}
    return There(Recorded(nothing), None, state, path)


def _follow(state: Path, path: Path) -> None:
    ingest.POLL = 0.01
    ingest.COMMIT = 1 << 16  # so that one look is many transactions
    ingest.follow(
        [],
        there(state, path),
        told=lambda _: None,
        trouble=lambda says: print(says, flush=True),
        stopped=lambda: False,
    )


def main() -> None:
    state, path, seed, kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    catalogue.load()
    Gather()
    dice = random.Random(seed)  # noqa: S311
    killed = 0
    for _ in range(kills):
        pid = os.fork()
        if pid == 0:
            try:
                _follow(state, path)
            finally:
                os._exit(1)
        time.sleep(0.01 + 0.25 * dice.random())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        killed += os.WIFSIGNALED(status)
    print(f"killed {killed}")
    sys.exit(killed != kills)


if __name__ == "__main__":
    main()
