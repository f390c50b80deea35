"""Logs of any age, plain, packed or in the journal -> blocks of whole lines, oldest first, in little memory.

A file is read with read(2), not mapped: one that is cut while it is read must not kill the reader (SIGBUS). Large
plain files are cut at line ends into parts, so that several processes can read them side by side.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from mailmend.model import CannotLook, ParseError
from mailmend.parse import maillog
from mailmend.system import follow, opened

BLOCK = 1 << 18
PART = 32 << 20  # bytes of a plain file that one process reads at a time
LONGEST = 8192  # bytes of a line that are used, as in parse.maillog
_SNIFFED = 1 << 16
_LOOKED_AT = 50  # lines for one with a time


@dataclass(frozen=True, slots=True)
class Part:
    """What one process reads: a file's bytes *start* to *end*, or all of a packed one; *path* None: the journal.

    *size* is what it weighs on disk, for progress. *dated* dates stamps that name no year: the newest line's day.
    """

    path: Path | None
    start: int
    end: int
    size: int
    packed: str | None
    dated: datetime


def own(path: Path, since: datetime | None) -> list[Path]:
    """`rotated` of this host's log. CannotLook: it is not there, or may not be read."""
    try:
        path.stat()
    except FileNotFoundError:
        raise CannotLook(f"{path} does not exist: Postfix has logged nothing there") from None
    except PermissionError:
        raise follow.unreadable(path) from None
    return rotated(path, since)


def rotated(path: Path, since: datetime | None) -> list[Path]:
    """The log *path*, last, and its rotated parts of which any line can be younger than *since*, by their last change.

    Who may read the log, and not list its folder, has it alone. CannotLook: the folder cannot be listed otherwise.
    """
    pattern = re.compile(re.escape(path.name) + opened.ROTATED)
    start = since.timestamp() if since else 0.0
    try:
        found = [each for each in path.parent.iterdir() if pattern.fullmatch(each.name)]
    except PermissionError:
        found = []
    except OSError as error:
        raise CannotLook(f"{path.parent} cannot be listed: {error.strerror}") from None
    # While logrotate(8) packs a part, both are there, and the packed one is not whole yet.
    plain = {each.name for each in found}
    found = [each for each in found if each.suffix not in opened.PACKED or each.stem not in plain]
    changed = {each: _changed(each) for each in found}
    return [*sorted((each for each in found if changed[each] >= start), key=lambda each: changed[each]), path]


def _changed(path: Path) -> float:
    """When *path* was changed; never where it is gone: renamed or packed a moment ago."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def parts(paths: Sequence[Path]) -> tuple[Part, ...]:
    """What there is to read, oldest first. CannotLook: one of *paths* cannot be read; ParseError: it is no log, or
    another name of one that is there.
    """
    found = []
    _require_once(paths)
    for path in paths:
        packed, first, modified, size = _sniffed(path)
        dated = datetime.fromtimestamp(modified, UTC).astimezone()
        began = next((at for at in (_time(raw, dated) for raw in first) if at), None)
        cuts = [0] if packed else _cuts(path, size)
        ends = [*cuts[1:], size]
        found.append(
            (
                began.timestamp() if began else modified,
                [Part(path, a, b, b - a, packed, dated) for a, b in zip(cuts, ends, strict=True)],
            )
        )
    found.sort(key=lambda each: each[0])
    return tuple(part for _, each in found for part in each)


def _require_once(paths: Sequence[Path]) -> None:
    """All that is in a file would count twice."""
    known: dict[tuple[int, int], Path] = {}
    for path in paths:
        try:
            file = path.stat()
        except OSError:
            continue  # told where it is read
        if other := known.get((file.st_dev, file.st_ino)):
            raise ParseError(f"{path} is the same file as {other}", "name it once")
        known[file.st_dev, file.st_ino] = path


def journal() -> Part:
    """The journal as one part; `blocks` is told since when."""
    return Part(None, 0, 0, 0, None, datetime.now(UTC).astimezone())


def blocks(
    part: Part, since: datetime | None = None, at: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """Whole lines, each with its line feed, some 256 KiB at a time.

    Of a line longer than a block its beginning is given, as one. *at* is told before each block how many bytes of
    the part, as it lies on disk, have been read. CannotLook: it cannot be read to its end.
    """
    if part.path is None:
        with opened.journal(*([f"--since=@{int(since.timestamp())}"] if since else [])) as stream:
            for block in _whole_lines(stream, None):
                if at:
                    at(0)
                yield block
        return
    try:
        with opened.readable(part.path), part.path.open("rb", buffering=0) as raw:
            raw.seek(part.start)
            left = None if part.packed else part.end - part.start
            for block in of_open(part.path, raw, part.packed, left):
                if at:
                    at(max(raw.tell() - part.start, 0))
                yield block
    except FileNotFoundError:
        raise CannotLook(f"{part.path} is not there any more", "look again") from None


def of_open(
    path: Path, raw: IO[bytes], packed: str | None, left: int | None = None
) -> Generator[bytes, None, None]:
    """`blocks` of *raw*, the open file *path* without a buffer, from where it stands; *left* bytes at most.

    CannotLook: it cannot be read to its end.
    """
    with opened.readable(path), opened.unpacked(path, raw, packed) as stream:
        yield from _whole_lines(stream, left)


def edges(block: bytes, dated: datetime) -> tuple[datetime | None, datetime | None]:
    """When the first and the last line of *block* were written; None where none of some lines tells."""
    return began(block, dated), ended(block, dated)


def began(block: bytes, dated: datetime) -> datetime | None:
    """When the first line of *block* was written that tells; None where none of some lines does."""
    head = block[: 1 << 14].split(b"\n", _LOOKED_AT)[:_LOOKED_AT]
    return next((at for at in (_time(raw, dated) for raw in head if raw) if at), None)


def ended(block: bytes, dated: datetime) -> datetime | None:
    """The same of its last."""
    tail = block[-(1 << 14) :].rsplit(b"\n", _LOOKED_AT)[::-1]
    return next((at for at in (_time(raw, dated) for raw in tail if raw) if at), None)


def within(block: bytes, dated: datetime, since: datetime | None, until: datetime | None) -> bytes:
    """The lines of *block* that were written in between; a line without a time belongs to the one before."""
    if since is None and until is None:
        return block
    first, last = edges(block, dated)
    if first and last and (since is None or first >= since) and (until is None or last < until):
        return block
    if (last and since and last < since) or (first and until and first >= until):
        return b""
    kept, inside = [], True
    for raw in block.split(b"\n")[:-1]:  # not at a carriage return, which a stranger can write
        if (at := _time(raw, dated)) is not None:
            inside = (since is None or at >= since) and (until is None or at < until)
        if inside:
            kept.append(raw)
    return b"\n".join((*kept, b""))


def _time(raw: bytes, dated: datetime) -> datetime | None:
    line = maillog.line(raw[:LONGEST].decode("utf-8", "backslashreplace"), dated)
    return line.at if line else None


def regular(path: Path) -> None:
    """Nothing, where *path* can be read more than once. ParseError: it is no file. CannotLook: it cannot be seen."""
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise follow.unreadable(path) from None
    except OSError as error:
        raise CannotLook(f"{path} cannot be read: {error.strerror}") from None
    require_regular(path, mode)


def require_regular(path: Path, mode: int) -> None:
    """`regular` of a file whose *mode* (stat(2)) is known. ParseError: it is none."""
    if stat.S_ISDIR(mode):
        raise ParseError(f"{path} is a directory", "name the log in it")
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        raise ParseError(f"{path} is a pipe, and a log is read more than once", "write it to a file first")
    if not stat.S_ISREG(mode):
        raise ParseError(f"{path} is no file", "name Postfix's log")


def _sniffed(path: Path) -> tuple[str | None, list[bytes], float, int]:
    """How *path* is packed, its first lines, when it was changed, its size."""
    regular(path)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            magic = file.read(6)
    except PermissionError:
        raise follow.unreadable(path) from None
    except OSError as error:
        raise CannotLook(f"{path} cannot be read: {error.strerror}") from None
    packed = opened.packing(magic)
    whole = Part(path, 0, status.st_size, 0, packed, datetime.now(UTC))
    first = next(blocks(whole), b"")[:_SNIFFED].lstrip(b"\0")
    if is_binary(first):
        raise ParseError(f"{path} is no log: it has bytes in it that no text has", "name Postfix's log")
    return packed, first.split(b"\n")[:_LOOKED_AT], status.st_mtime, status.st_size


def is_binary(begins: bytes) -> bool:
    """Whether a file that begins so is no text. Strangers may write a NUL into a log, and zeros before the lines are
    a hole, as a crash or copytruncate leaves it."""
    text = begins.lstrip(b"\0")
    return b"\0" in text and not any(_time(raw, datetime.now(UTC)) for raw in text.split(b"\n", _LOOKED_AT))


def _cuts(path: Path, size: int) -> list[int]:
    """Where lines begin, every 32 MB or so."""
    out = [0]
    with path.open("rb") as file:
        for at in range(PART, size, PART):
            file.seek(at)
            file.readline(BLOCK)
            if out[-1] < file.tell() < size:
                out.append(file.tell())
    return out


def _whole_lines(stream: IO[bytes], left: int | None) -> Iterator[bytes]:
    """Blocks of *stream*, of which *left* bytes are to be read (None: all)."""
    rest, skipping = b"", False
    while left is None or left > 0:
        read = stream.read(BLOCK if left is None else min(BLOCK, left))
        if not read and left is not None:
            raise EOFError("it became shorter while it was read")
        if not read:
            break
        left = None if left is None else left - len(read)
        if skipping:
            _, ended, read = read.partition(b"\n")
            if not ended:
                continue
            skipping = False
        end = read.rfind(b"\n") + 1
        if end:
            yield rest + read[:end]
            rest = read[end:]
        else:
            rest = (rest + read).lstrip(b"\0")
            if len(rest) > BLOCK:  # no logger writes such a line
                yield rest[:LONGEST] + b"\n"
                rest, skipping = b"", True
    if rest:
        yield rest + b"\n"
