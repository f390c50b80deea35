"""Several files become others, all or none: locked as Postfix locks them, staged beside, renamed, put back.

edit_file(3) of Postfix: whoever changes FILE opens FILE.tmp with mode 0600, holds flock(2) on it, writes it
and renames it over FILE. postconf -e does, so we do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mailmend.model import FileEdit, Refused

_FULL = {errno.ENOSPC, errno.EDQUOT}
CONFIGURATION = ("main.cf", "master.cf")
_PAST_THE_NAP = 3.0  # seconds
_FORBIDDEN = {errno.EACCES, errno.EPERM}


@dataclass(frozen=True, slots=True)
class Target:
    """One file to change: *path* with symbolic links followed, so that a link stays a link."""

    edit: FileEdit
    path: Path

    @property
    def temporary(self) -> Path:
        return self.path.with_name(self.path.name + ".tmp")

    @property
    def kept(self) -> Path:
        """A second name of the old file while the change is on trial: going back is then a mere rename."""
        return self.path.with_name(self.path.name + ".mailmend-old")


@dataclass(frozen=True, slots=True)
class Staged:
    """New files that lie ready beside the old ones, their locks held."""

    targets: tuple[Target, ...]


@contextmanager
def staged(edits: Iterable[FileEdit], wait: float) -> Iterator[Staged]:
    """Lock every file (at most *wait* seconds), see that it still is what the plan saw, stage its successor.

    Raises Refused, with nothing touched, where a file changed since, is locked, or cannot be written.
    """
    targets = tuple(_target(edit) for edit in edits)
    with ExitStack() as stack:
        locks = [stack.enter_context(_locked(target, wait)) for target in targets]
        for target in targets:
            _require(target, target.edit.before)
        for target, lock in zip(targets, locks, strict=True):
            with refusing(target.edit.path):
                _stage(target, lock)
        yield Staged(targets)


def swap(ready: Staged) -> None:
    """Put the new files in place. Raises Refused, the old files being back, where one of them cannot be."""
    done: list[Target] = []
    try:
        for target in ready.targets:
            with refusing(target.edit.path):
                _put(target)
            done.append(target)
        _sync(ready)
    except BaseException:
        for target in reversed(done):
            _rename_back(target)
        _sync(ready)
        raise


def put_back(ready: Staged, wait: float) -> None:
    """The old files again, with their old inodes. Raises Refused where somebody changed one meanwhile."""
    with ExitStack() as stack:
        for target in ready.targets:
            # On a full disk, or beside a program that hangs, the old file still has to come back.
            with suppress(Refused):
                stack.enter_context(_locked(target, wait))
        for target in ready.targets:
            _require(target, target.edit.after)
        for target in reversed(ready.targets):
            with refusing(target.edit.path):
                _rename_back(target)
        _sync(ready)


def settle(ready: Staged) -> None:
    """The change stays: the old files' second names go."""
    for target in ready.targets:
        target.kept.unlink(missing_ok=True)
    _sync(ready)


def tidy(paths: Iterable[str]) -> None:
    """Remove what a change that died has left beside *paths*: second names, and successors that nobody locks."""
    for path in paths:
        target = Target(FileEdit(path, None, None), Path(path).resolve())
        with suppress(Refused, OSError), _locked(target, 0.0):
            target.kept.unlink(missing_ok=True)


def read(path: str | Path) -> str | None:
    """The text of *path*, every byte kept (surrogateescape); None where it is not there."""
    try:
        return Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


@contextmanager
def refusing(path: str | Path) -> Iterator[None]:
    """An error of the file system becomes the one line that a person needs."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            step = "make room on that file system"
        elif error.errno in _FORBIDDEN:
            step = "run it as root; where that is done, lsattr and mount tell more"
        else:
            step = "nothing was changed"
        raise Refused(f"{path} cannot be changed: {error.strerror}", step) from None


@contextmanager
def lock(path: Path, wait: float, busy: str) -> Iterator[int]:
    """Hold flock(2) on *path*, made where it is not there; Refused with *busy* after *wait* seconds."""
    with refusing(path):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _flock(fd, time.monotonic() + wait, busy)
        yield fd
    finally:
        os.close(fd)


def _target(edit: FileEdit) -> Target:
    given = Path(edit.path)
    if not given.is_absolute():
        raise Refused(f"{edit.path} is not a full path")
    with refusing(edit.path):
        path = given.resolve()
        if path != given:
            for folder in path.parents:
                _require_trusted(given, folder)
        if path.exists() and not path.is_file():
            raise Refused(f"{edit.path} is not a regular file")
    return Target(edit, path)


def _require_trusted(given: Path, folder: Path) -> None:
    """A link leads to where root will write: nobody else may be able to put another file there."""
    state = folder.stat()
    others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not state.st_mode & stat.S_ISVTX
    if others or state.st_uid not in (0, os.geteuid()):
        raise Refused(
            f"{given} is a link into {folder}, which others than root may write",
            f"chown root {folder} && chmod go-w {folder}, or edit {given} by hand",
        )


def _require(target: Target, expected: str | None) -> None:
    with refusing(target.edit.path):
        if read(target.path) == expected:
            return
    what = "was removed" if not target.path.exists() else "appeared" if expected is None else "was changed"
    raise Refused(f"{target.edit.path} {what} since the plan was made", "nothing was changed; run it again")


@contextmanager
def _locked(target: Target, wait: float) -> Iterator[int]:
    """Hold Postfix's lock on *target*; on leaving, a file that was not renamed into place is removed."""
    deadline = time.monotonic() + wait
    busy = f"{target.edit.path} is being changed by another program"
    with refusing(target.edit.path):
        while True:
            fd = os.open(target.temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                _flock(fd, deadline, busy)
                if _is_ours(fd, target.temporary):
                    break
            except BaseException:
                os.close(fd)
                raise
            # Renamed or removed while we waited, or left behind by a change that died: start over.
            os.close(fd)
    mine = os.fstat(fd).st_ino
    try:
        yield fd
    finally:
        try:
            if target.temporary.lstat().st_ino == mine:
                target.temporary.unlink()
        except FileNotFoundError:
            pass
        os.close(fd)


def _is_ours(fd: int, path: Path) -> bool:
    mine = os.fstat(fd)
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    if (there.st_ino, there.st_dev) != (mine.st_ino, mine.st_dev):
        return False
    if mine.st_nlink != 1 or stat.S_IMODE(mine.st_mode) != 0o600:
        path.unlink()
        return False
    os.ftruncate(fd, 0)
    return True


def _flock(fd: int, deadline: float, busy: str) -> None:
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Refused(busy, "wait for it to end, then run it again") from None
            time.sleep(0.05)


def _stage(target: Target, fd: int) -> None:
    """Write the successor into the locked file, with the owner, mode, xattrs and ACL of the old one."""
    after = target.edit.after
    if after is None:
        return
    rest = memoryview(after.encode("utf-8", "surrogateescape"))
    while rest:
        rest = rest[os.write(fd, rest) :]
    if target.edit.before is None:
        os.fchmod(fd, 0o644)
    else:
        old = target.path.stat()
        os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, stat.S_IMODE(old.st_mode))
        for name in _xattrs(target.path):
            os.setxattr(fd, name, os.getxattr(target.path, name))
    if target.path.name in CONFIGURATION:
        # Every process of Postfix naps until these files are 2 s old, for fear of reading half of one. Ours is
        # whole, and without the nap a restart keeps the port closed for less long.
        os.utime(fd, (time.time() - _PAST_THE_NAP,) * 2)
    os.fsync(fd)


def _xattrs(path: Path) -> list[str]:
    """The names of the extended attributes: ACLs and SELinux labels are among them."""
    try:
        return os.listxattr(path)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def _put(target: Target) -> None:
    """The new file in the place of the old one, which keeps its second name."""
    if target.edit.before is not None:
        target.kept.unlink(missing_ok=True)
        target.kept.hardlink_to(target.path)
    try:
        # Somebody without the lock (an editor) may have saved since the lock was taken.
        _require(target, target.edit.before)
        if target.edit.after is None:
            target.path.unlink()
        else:
            target.temporary.rename(target.path)
    except BaseException:
        target.kept.unlink(missing_ok=True)
        raise


def _rename_back(target: Target) -> None:
    if target.edit.before is None:
        target.path.unlink(missing_ok=True)
    else:
        target.kept.rename(target.path)


def _sync(ready: Staged) -> None:
    # Without it, a rename that "succeeded" was undone by power loss, 5 times of 5.
    for folder in {target.path.parent for target in ready.targets}:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
