"""A process outlives the program that starts it, its terminal and its login session.

Where systemd runs, as a transient service of its own (systemd-run(1)): logind ends what stays in a session
(KillUserProcesses=). Elsewhere in a session of its own (setsid(2)).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from mailmend.model import Refused

SYSTEMD = Path("/run/systemd/system")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_SECONDS = 10


def mailmend(*words: str) -> tuple[str, ...]:
    """The command line that runs mailmend as root, later and outside of this session.

    The person behind sudo, who may own the code (code.py) and is root now, is named in it: else it would be
    refused then what is granted today.
    """
    person = os.environ.get("SUDO_UID", "")
    named = ("/usr/bin/env", f"SUDO_UID={person}") if person.isdigit() else ()
    return (*named, sys.executable, "-P", "-m", "mailmend", *words)


def start(name: str, argv: tuple[str, ...]) -> None:
    """Run *argv* (its first word a full path) as root, detached. *name* is the unit's where systemd runs.

    Where systemd runs but does not take it, the session of its own is what remains.
    Raises Refused where it cannot be started at all.
    """
    if SYSTEMD.is_dir() and _as_service(name, argv):
        return
    try:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        try:
            actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
            pid = os.posix_spawn(argv[0], argv, ENVIRONMENT, file_actions=actions, setsid=True)
        finally:
            os.close(null)
        # A program that outlives it buries it.
        threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
    except OSError as error:
        raise Refused(f"{argv[0]} cannot be started: {error.strerror}") from None


def _as_service(name: str, argv: tuple[str, ...]) -> bool:
    command = (
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit={name}",
        "--property=Restart=on-abnormal",
        # A Postfix that it had to start outlives it.
        "--property=KillMode=process",
        "--",
        *argv,
    )
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            command,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        return done.returncode == 0
    return False
