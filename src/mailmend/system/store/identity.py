"""A log file -> what of it is new, whatever it is called now: renamed, copied and truncated, packed, its inode reused.

A log is known by its first bytes and by what stood before the place that was read to. Both are in every copy of it,
packed or not, and in no other log: stamps, process ids and queue ids make the first kilobyte its own. One that is
shorter than what was read of it is a copy of its beginning (or one being written), and has nothing new.

A file is opened once, and all that is said of it is said of what was opened: its name may be another file's by then.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from mailmend.model import CannotLook, ParseError
from mailmend.system import follow, logfiles, opened

HEAD = 1024
TAIL = 1024


@dataclass(frozen=True, slots=True)
class Known:
    """A log that was read up to *read* (bytes, unpacked): *head* are its first bytes, *tail* a hash (`tail`)."""

    id: int
    head: bytes
    tail: bytes
    read: int


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a log was read at some time: as in `Known`."""

    read: int
    head: bytes
    tail: bytes


Find = Callable[[bytes], Iterable[Known]]


def tail(before: bytes) -> bytes:
    """What stands for the last bytes that were read."""
    return hashlib.blake2b(before[-TAIL:], digest_size=16).digest()


def begins_alike(head: bytes, known: Known) -> bool:
    """Whether a log that begins with *head* can be *known*, as far as both beginnings reach."""
    return bool(head) and (head.startswith(known.head) or known.head.startswith(head))


@dataclass(frozen=True, slots=True)
class Open:
    """A log that is open: *packed* as opened.packing has it, *head* its first bytes as they lie."""

    path: Path
    raw: FileIO
    stat: os.stat_result
    packed: str | None
    head: bytes

    @property
    def look(self) -> str:
        """What changes whenever somebody writes to it; "" where it is empty."""
        of = self.stat
        return f"{of.st_dev}:{of.st_ino}:{of.st_size}:{of.st_mtime_ns}" if of.st_size else ""

    @property
    def file(self) -> tuple[int, int]:
        """Which file it is, whatever it is called."""
        return self.stat.st_dev, self.stat.st_ino

    def ends(self, most: int) -> bytes:
        """Up to *most* bytes of its end: whole lines; b"" where it is packed."""
        if self.packed:
            return b""
        start = max(0, self.stat.st_size - most - 1)  # one more: where a line ends, the next begins
        data = os.pread(self.raw.fileno(), self.stat.st_size - start, start)
        return last_lines(data[: data.rfind(b"\n") + 1], most)


def last_lines(lines: bytes, most: int) -> bytes:
    """Those of *lines* that are whole within their last *most* bytes: half a one may look like another."""
    if len(lines) <= most:
        return lines
    cut = lines.find(b"\n", len(lines) - most - 1)
    return lines[cut + 1 :] if cut >= 0 else b""


@contextmanager
def open_log(path: Path) -> Iterator[Open]:
    """*path* for as long as it is read. FileNotFoundError: it is not there (any more).

    CannotLook, ParseError: it is nothing to read.
    """
    try:
        # Without O_NONBLOCK a pipe would be waited for.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError:
        raise follow.unreadable(path) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        logfiles.regular(path)  # a socket cannot be opened at all, and has its own words
        raise CannotLook(f"{path} cannot be read: {error.strerror}") from None
    stat = os.fstat(fd)
    try:
        logfiles.require_regular(path, stat.st_mode)
    except ParseError:
        os.close(fd)
        raise
    with FileIO(fd) as raw:
        head = os.pread(fd, HEAD, 0)
        packed = opened.packing(head)
        if packed is None and logfiles.is_binary(head):
            raise ParseError(f"{path} is no log: it has bytes in it that no text has", "name Postfix's log")
        yield Open(path, raw, stat, packed, head)


class Reading:
    """A log that is read on from where it was left. *known* None: from its beginning.

    After each block *read* and `reached` say how far; a line without its end waits for the next time.
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
    def reached(self) -> Reached:
        """Where it stands now."""
        return Reached(self.read, self.head, tail(self._before))

    def blocks(self) -> Iterator[bytes]:
        """What is new: whole lines, some 256 KiB at a time. CannotLook: it cannot be read to its end."""
        raise NotImplementedError

    def same(self) -> bool:
        """Whether what was read can still be believed: nobody truncated the file meanwhile."""
        raise NotImplementedError

    def earlier(self, most: int) -> bytes:
        """Up to *most* bytes before the place where it was left: whole lines; b"" where they cannot be had."""
        raise NotImplementedError

    def kept(self, source: int, at: Reached) -> None:
        """All up to *at* is in the store, as that of *source*."""
        self.known = Known(source, at.head, at.tail, at.read)

    def _cut(self, data: bytes) -> tuple[bytes, bytes] | None:
        """What is taken of *data*, which comes next, as it lies, and the lines that are read of it.

        None: a line that has no end yet. No logger writes a line longer than a block: of such a one the beginning is
        given, and the rest taken without a look, as anything may stand there. A hole is no line.
        """
        full = len(data) >= logfiles.BLOCK
        within = self._before[-1:] not in (b"", b"\n", b"\0")  # a line that was given before
        end = data.rfind(b"\n") + 1
        if end:
            return data[:end], data[data.find(b"\n") + 1 if within else 0 : end].lstrip(b"\0")
        if not full:
            return None
        if not within and (line := data.lstrip(b"\0")) != data:
            return data[: len(data) - len(line)], b""
        return data, b"" if within else data[: logfiles.LONGEST] + b"\n"

    def _taken(self, raw: bytes) -> None:
        if self.read < HEAD:
            self._head = (self._head[: self.read] + raw)[:HEAD]
        self.read += len(raw)
        self._before = (self._before + raw)[-TAIL:] if len(raw) < TAIL else raw[-TAIL:]


class Plain(Reading):
    """By pread(2) of an open file, which a rename does not disturb."""

    def __init__(self, log: Open, known: Known | None, before: bytes) -> None:
        super().__init__(log.path, known, log.head, before, log.stat)
        self._fd = log.raw.fileno()

    def blocks(self) -> Iterator[bytes]:
        while data := os.pread(self._fd, logfiles.BLOCK, self.read):
            cut = self._cut(data)
            if cut is None:
                self.waiting = len(data)
                return
            self._taken(cut[0])
            yield cut[1]

    def same(self) -> bool:
        return os.pread(self._fd, len(self.head), 0) == self.head

    def earlier(self, most: int) -> bytes:
        start = max(0, self.read - most - 1)
        return last_lines(os.pread(self._fd, self.read - start, start), most)


class Packed(Reading):
    """Unpacked as a stream, from its beginning; nobody writes to it any more."""

    def __init__(
        self, log: Open, known: Known | None, head: bytes, *, before: bytes, rest: Iterator[bytes]
    ) -> None:
        super().__init__(log.path, known, head, before, log.stat)
        self._rest = rest

    def blocks(self) -> Iterator[bytes]:
        data = b""
        for part in self._rest:
            data += part
            while data and (cut := self._cut(data[: logfiles.BLOCK])) is not None:
                self._taken(cut[0])
                data = data[len(cut[0]) :]
                yield cut[1]
        # It was packed while somebody wrote the line, which is whole in the next.
        self.waiting = len(data)

    def same(self) -> bool:
        return True

    def earlier(self, most: int) -> bytes:
        return b""


def require_log(path: Path) -> None:
    """Nothing, where *path* can be read. CannotLook, ParseError: it cannot."""
    try:
        with open_log(path):
            pass
    except FileNotFoundError:
        raise CannotLook(f"{path} cannot be read: there is no such file") from None


def resume(log: Open, find: Find) -> Reading | None:
    """*log*, to be read on; None where it is empty or all of it was read. *find* has the logs that are alike.

    CannotLook: it cannot be unpacked.
    """
    alike: list[int] = []

    def looked_for(head: bytes) -> list[Known]:
        found = list(find(head))
        alike.extend(known.id for known in found)
        return found

    reading = _packed(log, looked_for) if log.packed else _plain(log, looked_for)
    if reading and reading.known is None:
        reading.others = tuple(alike)
    return reading


def _plain(log: Open, find: Find) -> Plain | None:
    if not log.head:
        return None
    best: tuple[Known, bytes] | None = None
    short = False
    for known in find(log.head):
        if log.stat.st_size < known.read or len(log.head) < len(known.head):
            short = True
            continue
        start = max(0, known.read - TAIL)
        before = os.pread(log.raw.fileno(), known.read - start, start)
        if tail(before) == known.tail and (best is None or known.read > best[0].read):
            best = known, before
    if (best is None and short) or (best and log.stat.st_size == best[0].read):
        return None
    return Plain(log, best[0] if best else None, best[1] if best else b"")


def _packed(log: Open, find: Find) -> Packed | None:
    begun, rest = _begun(log)
    head = b"".join(begun)[:HEAD]
    every = sorted(find(head), key=lambda known: -known.read)
    for known in every:
        before, new = _skipped(_chain(begun, rest), known.read)
        if new is None:
            return None
        if tail(before) == known.tail:
            return Packed(log, known, head, before=before, rest=new)
        new.close()
        rest.close()
        begun, rest = _begun(log)
    return Packed(log, None, head, before=b"", rest=_chain(begun, rest)) if head else None


_Blocks = Generator[bytes, None, None]


def _begun(log: Open) -> tuple[list[bytes], _Blocks]:
    """The first pieces of what is packed, with `HEAD` bytes at least, and those that follow."""
    log.raw.seek(0)
    blocks = _pieces(log)
    begun: list[bytes] = []
    while sum(map(len, begun)) < HEAD and (block := next(blocks, None)) is not None:
        begun.append(block)
    return begun, blocks


def _pieces(log: Open) -> _Blocks:
    """The bytes that were packed, as they lay: holes, and lines without end, count as in the plain file."""
    with opened.readable(log.path), opened.unpacked(log.path, log.raw, log.packed) as stream:
        while piece := stream.read(logfiles.BLOCK):
            yield piece


def _chain(begun: list[bytes], rest: _Blocks) -> _Blocks:
    yield from begun
    yield from rest


def _skipped(blocks: _Blocks, size: int) -> tuple[bytes, _Blocks | None]:
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
