"""What the running master was started with, as far as its process shows it.

postfix(1) hands the settings that only a start reads to what it starts, and they stay in its environment; where
master was started by itself, its folder, its program and its open files tell of some.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from mailmend.model import CannotLook
from mailmend.parse.listing import words
from mailmend.system import host, listeners
from mailmend.system.postfix import Configuration

# Settings that postfix(1) exports under their own names.
EXPORTED = (
    "config_directory", "queue_directory", "data_directory", "daemon_directory", "command_directory",
    "meta_directory", "shlib_directory", "mail_owner", "setgid_group",
)  # fmt: skip


def started_with(configuration: Configuration) -> tuple[tuple[str, str], ...]:
    """(name, value) of settings; `import_environment/NAME` for each NAME=VALUE that import_environment sets.

    Raises CannotLook where nothing runs, or where somebody else's process may not be looked into.
    """
    pid = listeners.master(configuration).pid
    if pid is None:
        raise CannotLook("Postfix is not running")
    try:
        environment = _environment(pid)
        found = {
            "queue_directory": str(Path(f"/proc/{pid}/cwd").readlink()),
            "daemon_directory": str(Path(f"/proc/{pid}/exe").readlink().parent),
            **_data_directory(pid),
        }
    except PermissionError:
        raise CannotLook(f"process {pid} may not be looked into by {host.user()}", "run it as root") from None
    except FileNotFoundError:
        raise CannotLook("Postfix ended while it was looked at") from None
    found |= {name: environment[name] for name in EXPORTED if name in environment}
    for name, value in found.items():
        saved = configuration.value(name)
        if value.startswith("/") and os.path.realpath(saved) == os.path.realpath(value):
            # The same folder by another name, through a link, is the same.
            found[name] = saved
    # Of a master that postfix(1) did not start, the environment is whatever its starter had.
    by_postfix = "MAIL_CONFIG" in environment and "daemon_directory" in environment
    for word in words(configuration.value("import_environment")) if by_postfix else ():
        name, equals, _ = word.strip("{} ").partition("=")
        if equals:
            found[f"import_environment/{name.strip()}"] = environment.get(name.strip(), "")
    return tuple(sorted(found.items()))


def _environment(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    pairs = (os.fsdecode(entry).partition("=") for entry in entries if entry)
    return {name: value for name, _, value in pairs}


def _data_directory(pid: int) -> dict[str, str]:
    """Master keeps a lock file open there."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = PurePosixPath(fd.readlink())
        except FileNotFoundError:
            continue
        if target.name == "master.lock":
            return {"data_directory": str(target.parent)}
    return {}
