"""Whether the code that runs as root can be changed by somebody else."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import mailmend


def open_to_others() -> str | None:
    """The first file or folder of ours that another user may change; None where there is none.

    Ours are this package and the interpreter, with every folder above them. Root may write them, and the person
    behind sudo, who is root anyway. A sticky folder (/tmp) lets nobody replace another's file.
    """
    trusted = {0, os.geteuid()}
    if os.environ.get("SUDO_UID", "").isdigit():
        trusted.add(int(os.environ["SUDO_UID"]))
    return next((str(path) for path in _ours() if _writable(path, trusted)), None)


def _ours() -> Iterator[Path]:
    package = Path(mailmend.__file__).resolve().parent
    interpreter = Path(sys.executable).resolve()
    for place in (package, interpreter, Path(sys.prefix).resolve()):
        yield place
        yield from place.parents
    yield from package.rglob("*")


def _writable(path: Path, trusted: set[int]) -> bool:
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(seen.st_mode):
        return seen.st_uid not in trusted
    sticky = stat.S_ISDIR(seen.st_mode) and seen.st_mode & stat.S_ISVTX
    others = seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    # A group of one's own is the default of many systems: a user's file is that user's, group bit or not.
    own_group = seen.st_gid == seen.st_uid and not seen.st_mode & stat.S_IWOTH
    return seen.st_uid not in trusted or bool(others and not sticky and not own_group)
