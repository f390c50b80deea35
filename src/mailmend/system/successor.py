"""A text becomes a file beside the one that it will replace: its owner, mode, xattrs and ACL, and on the disk."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

_PAST_THE_NAP = 3.0  # seconds


def write(path: Path, text: str, like: Path, *, aged: bool) -> None:
    """*path* anew with *text* (surrogateescape), whole and flushed when this returns; OSError as it happens.

    Owner, mode and attributes are those of *like*; where that is not there, it is root's and readable by all.
    *aged*: it looks a few seconds old. Every process of Postfix naps until its configuration is 2 s old, for
    fear of reading half of it. Ours is whole, and without the nap a restart keeps the port closed for less long.
    """
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(text.encode("utf-8", "surrogateescape"))
        while rest:
            rest = rest[os.write(fd, rest) :]
        _dress(fd, like)
        if aged:
            os.utime(fd, (time.time() - _PAST_THE_NAP,) * 2)
        os.fsync(fd)
    finally:
        os.close(fd)


def _dress(fd: int, like: Path) -> None:
    try:
        old = like.stat()
    except FileNotFoundError:
        os.fchmod(fd, 0o644)
        return
    os.fchown(fd, old.st_uid, old.st_gid)
    os.fchmod(fd, stat.S_IMODE(old.st_mode))
    for name in _xattrs(like):
        value = os.getxattr(like, name)
        # A label that it has by itself may be one that nobody may set (SELinux in a container).
        if _xattr(fd, name) != value:
            os.setxattr(fd, name, value)


def _xattr(fd: int, name: str) -> bytes | None:
    try:
        return os.getxattr(fd, name)
    except OSError:
        return None


def _xattrs(path: Path) -> list[str]:
    """The names of the extended attributes: ACLs and SELinux labels are among them."""
    try:
        return os.listxattr(path)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise
