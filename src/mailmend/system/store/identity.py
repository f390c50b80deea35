"""A log file -> what of it is new, whatever it is called now: renamed, copied and truncated, packed, its inode reused.

A log is known by its first bytes and by what stood before the place that was read to. Both are in every copy of it,
packed or not, and in no other log: stamps, process ids and queue ids make the first kilobyte its own. One that is
shorter than what was read of it is a copy of its beginning (or one being written), and has nothing new.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailmend.model import CannotLook, ParseError
from mailmend.system import follow, logfiles

HEAD = 1024
TAIL = 1024
_PACKED = {b"\x1f\x8b": "gz", b"\xfd7": "xz", b"\x28\xb5": "zst", b"BZh": "bz2"}


@dataclass(frozen=True, slots=True)
class Known:
    """A log that was read up to *read* (bytes, unpacked): *head* are its first bytes, *tail* a hash (`tail`)."""

    id: int
    head: bytes
    tail: bytes
    read: int


Find = Callable[[bytes], Iterable[Known]]


def tail(before: bytes) -> bytes:
    """What stands for the last bytes that were read."""
    return hashlib.blake2b(before[-TAIL:], digest_size=16).digest()


def begins_alike(head: bytes, known: Known) -> bool:
    """Whether a log that begins with *head* can be *known*, as far as both beginnings reach."""
    return bool(head) and (head.startswith(known.head) or known.head.startswith(head))


class Reading:
    """A log that is read on from where it was left. *known* None: from its beginning.

    After each block *read*, *head* and `tail` say how far; a line without its end waits for the next time.
    *waiting* counts its bytes.
    """

    def __init__(
        self, path: Path, known: Known | None, head: bytes, before: bytes, stat: os.stat_result
    ) -> None:
        self.path = path
        self.known = known
        self.others: tuple[int, ...] = ()  # logs that begin alike, and are not this one
        self.read = known.read if known else 0
        self.dated = datetime.fromtimestamp(stat.st_mtime, UTC).astimezone()
        self.waiting = 0
        self._head = head
        self._before = before

    @property
    def head(self) -> bytes:
        return self._head[: min(HEAD, self.read)]

    @property
    def tail(self) -> bytes:
        return tail(self._before)

    def blocks(self) -> Iterator[bytes]:
        """What is new: whole lines, some 256 KiB at a time. CannotLook: it cannot be read to its end."""
        raise NotImplementedError

    def same(self) -> bool:
        """Whether what was read can still be believed: nobody truncated the file meanwhile."""
        raise NotImplementedError

    def earlier(self, most: int) -> bytes:
        """Up to *most* bytes before the place where it was left: whole lines; b"" where they cannot be had."""
        raise NotImplementedError

    def close(self) -> None:
        """Done with it."""

    def kept(self, source: int) -> None:
        """All up to here is in the store, as that of *source*."""
        self.known = Known(source, self.head, self.tail, self.read)

    def _taken(self, raw: bytes) -> None:
        self.read += len(raw)
        self._before = (self._before + raw)[-TAIL:] if len(raw) < TAIL else raw[-TAIL:]


class Plain(Reading):
    """By read(2) of an open file, which a rename does not disturb."""

    def __init__(
        self, path: Path, known: Known | None, head: bytes, before: bytes, *, stat: os.stat_result, fd: int
    ) -> None:
        super().__init__(path, known, head, before, stat=stat)
        self._fd = fd

    def blocks(self) -> Iterator[bytes]:
        while data := os.pread(self._fd, logfiles.BLOCK, self.read):
            end = data.rfind(b"\n") + 1
            if not end and len(data) < logfiles.BLOCK:
                self.waiting = len(data)
                return
            whole = data[:end] if end else data  # no logger writes such a line: it is taken in pieces
            if self.read < HEAD:
                self._head = (self._head[: self.read] + whole)[:HEAD]
            self._taken(whole)
            yield whole if end else data + b"\n"

    def same(self) -> bool:
        return os.pread(self._fd, len(self.head), 0) == self.head

    def earlier(self, most: int) -> bytes:
        start = max(0, self.read - most)
        data = os.pread(self._fd, self.read - start, start)
        return data if not start else data[data.find(b"\n") + 1 :]

    def close(self) -> None:
        os.close(self._fd)


class Packed(Reading):
    """Unpacked as a stream, from its beginning; nobody writes to it any more."""

    def __init__(
        self,
        path: Path,
        known: Known | None,
        head: bytes,
        before: bytes,
        *,
        stat: os.stat_result,
        rest: Iterator[bytes],
    ) -> None:
        super().__init__(path, known, head, before, stat=stat)
        self._rest = rest

    def blocks(self) -> Iterator[bytes]:
        for block in self._rest:
            self._taken(block)
            yield block

    def same(self) -> bool:
        return True

    def earlier(self, most: int) -> bytes:
        return b""


def kind(path: Path) -> str | None:
    """How *path* is packed, None for not at all. CannotLook, ParseError: it is nothing to read."""
    try:
        logfiles.regular(path)
        with path.open("rb") as file:
            begins = file.read(HEAD)
    except PermissionError:
        raise follow.unreadable(path) from None
    except OSError as error:
        raise CannotLook(f"{path} cannot be read: {error.strerror}") from None
    packed = next((name for mark, name in _PACKED.items() if begins.startswith(mark)), None)
    if packed is None and logfiles.is_binary(begins):
        raise ParseError(f"{path} is no log: it has bytes in it that no text has", "name Postfix's log")
    return packed


def resume(path: Path, find: Find, packed: str | None) -> Reading | None:
    """*path*, to be read on; None where it is empty or all of it was read. *find* has the logs that are alike.

    FileNotFoundError: it was renamed meanwhile.
    """
    alike: list[int] = []

    def looked_for(head: bytes) -> list[Known]:
        found = list(find(head))
        alike.extend(known.id for known in found)
        return found

    reading = _packed(path, looked_for, packed) if packed else _plain(path, looked_for)
    if reading and reading.known is None:
        reading.others = tuple(alike)
    return reading


def _plain(path: Path, find: Find) -> Plain | None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    kept = False
    try:
        head = os.pread(fd, HEAD, 0)
        if not head:
            return None
        stat = os.fstat(fd)
        best: tuple[Known, bytes] | None = None
        short = False
        for known in find(head):
            if stat.st_size < known.read or len(head) < len(known.head):
                short = True
                continue
            start = max(0, known.read - TAIL)
            before = os.pread(fd, known.read - start, start)
            if tail(before) == known.tail and (best is None or known.read > best[0].read):
                best = known, before
        if (best is None and short) or (best and stat.st_size == best[0].read):
            return None
        kept = True
        return Plain(path, best[0] if best else None, head, best[1] if best else b"", stat=stat, fd=fd)
    finally:
        if not kept:
            os.close(fd)


def _packed(path: Path, find: Find, packed: str) -> Packed | None:
    stat = path.stat()
    part = logfiles.Part(
        path, 0, stat.st_size, stat.st_size, packed, datetime.fromtimestamp(stat.st_mtime, UTC)
    )
    blocks = logfiles.blocks(part)
    head = b""
    begun = []
    for block in blocks:
        begun.append(block)
        head += block
        if len(head) >= HEAD:
            break
    head = head[:HEAD]
    every = sorted(find(head), key=lambda known: -known.read)
    if not every:
        return Packed(path, None, head, b"", stat=stat, rest=_chain(begun, blocks)) if head else None
    for known in every:
        before, rest = _skipped(_chain(begun, blocks), known.read)
        if rest is None:
            return None
        if tail(before) == known.tail:
            return Packed(path, known, head, before, stat=stat, rest=rest)
        begun, blocks = [], logfiles.blocks(part)
    return Packed(path, None, head, b"", stat=stat, rest=blocks)


def _chain(begun: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from begun
    yield from rest


def _skipped(blocks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes] | None]:
    """The last of the *size* bytes that were read before, and what follows; None where there are not so many."""
    before = b""
    for block in blocks:
        if len(block) > size:
            return (before + block[:size])[-TAIL:], _chain([block[size:]], blocks)
        size -= len(block)
        before = (before + block)[-TAIL:]
        if not size:
            return before, blocks
    return before, None
