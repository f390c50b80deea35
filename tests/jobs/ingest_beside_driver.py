"""Take a log in with a process beside, and end like a power cut at one of the places where some of it is kept.

    python ingest_beside_driver.py STATE LOG NUMBER

Prints the number of the process beside, then kills itself (SIGKILL) when NUMBER commits were done.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

from jobs.kill_driver import there
from mailmend.jobs import ingest


def main() -> None:
    state, path, number = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    ingest.COMMIT = 1 << 18
    ingest.BESIDE = 0
    done = 0

    def kept(_read: int, _of: int) -> None:
        nonlocal done
        done += 1
        if done == number:
            print(multiprocessing.active_children()[0].pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    ingest.ingest([path], there(state, path), processes=2, progress=kept)


if __name__ == "__main__":
    main()
