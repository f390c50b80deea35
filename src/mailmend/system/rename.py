"""Two names exchange their files, or one is given only where it is free: in one step that no crash can halve.

renameat2(2), which Python does not have. A file system without it says so by `Unsupported`.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_NOREPLACE = 1
_EXCHANGE = 2
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


class Unsupported(OSError):
    """This file system, kernel or C library cannot do it (NFS, some FUSE)."""


def exchange(one: Path, other: Path) -> None:
    """*one* and *other*, which both exist, change places. OSError as rename(2)."""
    _renameat2(one, other, _EXCHANGE)


def rename_new(source: Path, target: Path) -> None:
    """*source* becomes *target*; FileExistsError where that name is taken already."""
    try:
        _renameat2(source, target, _NOREPLACE)
    except Unsupported:
        # link(2) never replaces either; a crash between the two leaves both names of one file.
        os.link(source, target)
        source.unlink()


def _renameat2(old: Path, new: Path, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        call = libc.renameat2
    except AttributeError:
        raise Unsupported(errno.ENOSYS, "no renameat2 in this C library", str(new)) from None
    if call(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags):
        number = ctypes.get_errno()
        kind = Unsupported if number in _UNSUPPORTED else OSError
        raise kind(number, os.strerror(number), str(new))
