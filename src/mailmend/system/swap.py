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
from mailmend.system import rename, successor
from mailmend.system.durable import sync
from mailmend.system.holder import holder

_FULL = {errno.ENOSPC, errno.EDQUOT}
CONFIGURATION = ("main.cf", "master.cf")
_FORBIDDEN = {errno.EACCES, errno.EPERM}


@dataclass(frozen=True, slots=True)
class Target:
    """One file to change: *path* with symbolic links followed, so that a link stays a link."""

    edit: FileEdit
    path: Path

    @property
    def lock(self) -> Path:
        """What Postfix locks while it edits the file."""
        return self.path.with_name(self.path.name + ".tmp")

    @property
    def new(self) -> Path:
        """The successor while it waits; for an instant after the exchange, the old file."""
        return self.path.with_name(self.path.name + ".mailmend-new")

    @property
    def old(self) -> Path:
        """The old file while the change is on trial: going back is then a mere rename, on a full disk too.

        Once it went back, what stood in its place; this name tells that the server may have read that.
        """
        return self.path.with_name(self.path.name + ".mailmend-old")

    @property
    def aged(self) -> bool:
        """Whether Postfix fears to read half of it: every process naps until these files are 2 s old."""
        return self.path.name in CONFIGURATION

    @property
    def spare(self) -> Path:
        """A second name of the file for a moment, where the file system cannot exchange two."""
        return self.path.with_name(self.path.name + ".mailmend-spare")


class Busy(Refused):
    """Another program holds a lock, and did not give it back in time."""


class Neither(Refused):
    """*paths* hold neither what a change left nor what it found: somebody else edited them."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        what = "was" if len(paths) == 1 else "were"
        super().__init__(f"{' and '.join(paths)} {what} changed since", "nothing was touched")
        self.paths = paths


def require(edits: Iterable[FileEdit]) -> None:
    """Raise Refused where a file is not what the plan saw, or is none that can be changed: a first look, unlocked."""
    for target in tuple(_target(edit) for edit in edits):
        _require(target, target.edit.before)


@contextmanager
def locked(edits: Iterable[FileEdit], wait: float) -> Iterator[tuple[Target, ...]]:
    """Hold Postfix's locks on every file (waiting at most *wait* seconds), each being what the plan saw.

    Raises Refused, with nothing touched, where a file changed since, is locked, or is none.
    """
    targets = tuple(_target(edit) for edit in edits)
    with ExitStack() as stack:
        for target in targets:
            stack.enter_context(_locked(target, wait))
        for target in targets:
            _require(target, target.edit.before)
        yield targets


def stage(targets: Iterable[Target]) -> None:
    """Lay every successor ready beside its file, on the disk. Raises Refused where one cannot be written.

    What is laid there already, of this try or of another, is left to `clean`.
    """
    for target in targets:
        with refusing(target.edit.path):
            target.old.unlink(missing_ok=True)
            if target.edit.after is not None:
                successor.write(target.new, target.edit.after, target.path, aged=target.aged)


def swap(targets: tuple[Target, ...]) -> None:
    """Put the staged files in place. Raises Refused, the old files being back, where one of them cannot be."""
    try:
        for target in targets:
            with refusing(target.edit.path):
                _put(target)
        _sync(targets)
    except BaseException:
        for target in reversed(targets):
            with refusing(target.edit.path):
                # What somebody else saved meanwhile stays as it is.
                if read(target.path) == target.edit.after != target.edit.before:
                    _take_back(target)
        _sync(targets)
        raise


def put_back(edits: Iterable[FileEdit], wait: float) -> bool:
    """The files as they were before, whatever was done of the change; True where any of it had been.

    For the program that made the change as for the one that finds it dead: idempotent, and going back is by
    renaming, so that a full disk does not stop it. The names `.mailmend-old` stay until `clean`.
    Raises Neither, with nothing touched, where somebody else changed a file; Refused where it cannot be done.
    """
    targets = tuple(_target(edit) for edit in edits)
    with ExitStack() as stack:
        for target in targets:
            # On a full disk, or beside a program that hangs, the old file still has to come back.
            with suppress(Refused):
                stack.enter_context(_locked(target, wait))
        _require_either(targets)
        began = any(_began(target) for target in targets)
        for target in reversed(targets):
            with refusing(target.edit.path):
                if read(target.path) != target.edit.before:
                    _take_back(target)
        _sync(targets)
    return began


def taken_back(edits: Iterable[FileEdit]) -> bool:
    """Whether all files are as before, and one of them was the new one for a while: the server may have seen it."""
    targets = tuple(beside(edit) for edit in edits)
    same = all(read(t.path) == t.edit.before for t in targets)
    return same and any(_is_there(t.old) for t in targets)


def clean(edits: Iterable[FileEdit]) -> None:
    """The change is over, kept or taken back: nothing of it stays beside the files."""
    targets = tuple(beside(edit) for edit in edits)
    # Where nothing lies, nothing is tried: a folder that is read-only or gone is no trouble then.
    left = [t for t in targets if any(_is_there(p) for p in (t.old, t.new, t.spare, t.lock))]
    for target in left:
        for path in (target.old, target.new, target.spare):
            path.unlink(missing_ok=True)
        if _is_there(target.lock):
            with suppress(Refused, OSError), _locked(target, 0.0):
                pass  # leaving it removes the lock of a program that died
    _sync(left)


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
            step = "dmesg may tell what is wrong with that file system"
        raise Refused(f"{path} cannot be changed: {error.strerror}", step) from None


@contextmanager
def lock(path: Path, wait: float, busy: str) -> Iterator[int]:
    """Hold flock(2) on *path*, made where it is not there; Refused with *busy* after *wait* seconds."""
    with refusing(path):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with refusing(path):
            _flock(fd, time.monotonic() + wait, path, busy)
        yield fd
    finally:
        with suppress(OSError):  # it holds no bytes of ours, and is closed all the same
            os.close(fd)


def _target(edit: FileEdit) -> Target:
    given = Path(edit.path)
    if not given.is_absolute():
        raise Refused(f"{edit.path} is not a full path")
    with refusing(edit.path):
        target = beside(edit)
        if target.path != given:
            for folder in target.path.parents:
                _require_trusted(given, folder)
        if target.path.exists() and not target.path.is_file():
            raise Refused(f"{edit.path} is not a regular file")
    return target


def beside(edit: FileEdit) -> Target:
    """Where *edit* happens, and what lies beside it. OSError where a link on the way cannot be read."""
    path = Path(edit.path)
    with suppress(FileNotFoundError):  # strict, for a link that cannot be read must not be taken for the file
        path = path.parent.resolve(strict=True) / path.name
        path = path.resolve(strict=True)
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


def _require_either(targets: Iterable[Target]) -> None:
    """Every file is what the change left, or what it found."""
    strange = []
    for target in targets:
        with refusing(target.edit.path):
            if read(target.path) not in (target.edit.before, target.edit.after):
                strange.append(target.edit.path)
    if strange:
        raise Neither(tuple(strange))


def _began(target: Target) -> bool:
    """Whether the server may have seen the new file: it is there, or was taken back and not yet forgotten."""
    with refusing(target.edit.path):
        return read(target.path) != target.edit.before or _is_there(target.old)


def _is_there(path: Path) -> bool:
    """Whether there is such a name. Where that cannot be seen, OSError: never a no."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


@contextmanager
def _locked(target: Target, wait: float) -> Iterator[None]:
    """Hold Postfix's lock on *target*."""
    deadline = time.monotonic() + wait
    busy = f"{target.edit.path} is being changed by another program"
    with refusing(target.edit.path):
        while True:
            fd = os.open(target.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                _flock(fd, deadline, target.lock, busy)
                if _is_ours(fd, target.lock):
                    break
            except BaseException:
                os.close(fd)
                raise
            # Renamed or removed while we waited, or left behind by a change that died: start over.
            os.close(fd)
    try:
        yield
    finally:
        # Removed while it is still locked: whoever waits for it sees that it is no longer the file of that name.
        with suppress(OSError):
            target.lock.unlink()
        with suppress(OSError):
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


def _flock(fd: int, deadline: float, path: Path, busy: str) -> None:
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                pid = holder(path)
                raise Busy(
                    f"{busy} (process {pid})" if pid else busy, "wait for it to end, then run it again"
                ) from None
            time.sleep(0.05)


def _put(target: Target) -> None:
    """The new file in the place of the old one, which is then `.mailmend-old`.

    Somebody without the lock (an editor) may have saved since it was taken; what came out of the exchange tells.
    """
    before, after = target.edit.before, target.edit.after
    if before is None:
        try:
            rename.rename_new(target.new, target.path)
        except FileExistsError:
            _require(target, None)
            raise
    elif after is None:
        target.path.rename(target.old)
        if read(target.old) != before:
            rename.rename_new(target.old, target.path)
            _require(target, before)
    else:
        _exchange(target, target.new, before)
        target.new.rename(target.old)


def _take_back(target: Target) -> None:
    """The old file again, and what stood in its place as `.mailmend-old`."""
    before, after = target.edit.before, target.edit.after
    if before is None:
        target.path.rename(target.old)
        return
    if read(target.old) != before:
        if read(target.new) == before:
            # It died in the instant between the exchange and the old file's name.
            target.new.rename(target.old)
        else:
            successor.write(target.new, before, target.path, aged=target.aged)
            target.new.rename(target.old)
    if after is None:
        rename.rename_new(target.old, target.path)
    else:
        _exchange(target, target.old, after)


def _exchange(target: Target, other: Path, expected: str) -> None:
    """*other* and the file change places, where what comes out is what was *expected*; else they change back."""
    try:
        rename.exchange(other, target.path)
    except rename.Unsupported:
        _replace(target, other, expected)
        return
    if read(other) != expected:
        rename.exchange(other, target.path)
        _require(target, expected)


def _replace(target: Target, other: Path, expected: str) -> None:
    """The same for a file system that cannot exchange: the old file keeps a name of its own meanwhile."""
    target.spare.unlink(missing_ok=True)
    target.spare.hardlink_to(target.path)
    try:
        _require(target, expected)
        other.rename(target.path)
    except BaseException:
        target.spare.unlink(missing_ok=True)
        raise
    target.spare.rename(other)


def _sync(targets: Iterable[Target]) -> None:
    # Without it, a rename that "succeeded" was undone by power loss, 5 times of 5.
    for folder in dict.fromkeys(target.path.parent for target in targets):
        with refusing(folder):
            sync(folder)
