"""A log, or several with their rotated and packed parts -> the lines in which given words occur, oldest file first.

The words are looked for in whole blocks of bytes: a line is only made where one was found. Files are read as they
are, gzip, xz and bzip2 by what they begin with, zstd by the program of that name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import IO

from mailmend.model import CannotLook
from mailmend.parse import maillog
from mailmend.system import follow, logfiles, opened

BLOCK = 1 << 20
LONGEST = 1 << 16  # bytes of a line that are read; no log has such a one
_FEW = 6  # words that are faster looked for one by one: each costs as much as the first
# Where Postfix names a queue id or a Message-ID.
_PLACES = tuple(
    re.compile(place)
    for place in (
        rb"\]: ([0-9A-Za-z]{5,30}): ",
        rb" notification: ([0-9A-Za-z]{5,30})",
        rb"\(forwarded as ([0-9A-Za-z]{5,30})\)",
        rb" orig_queue_id=([0-9A-Za-z]{5,30})",
        rb" orig_id=([0-9A-Za-z]{5,30})",
        rb"message-id=([^\r\n]+)",
    )
)
_LOGGED = re.compile(rb"^[^\[\n]{0,400}/[^\[\n/ ]{1,60}\[\d{1,10}\]: ", re.MULTILINE)

_ANEW = 10  # times that files are listed anew because they were renamed meanwhile
_NONE: Mapping[Path, FileIO] = {}

Progress = Callable[[int, int], None]
# Where a line is: the file's number, the offset in its unpacked bytes.
Position = tuple[int, int]


def nobody(_done: int, _total: int) -> None:
    """Progress for nobody."""


@dataclass(slots=True)
class Searched:
    """The files that are searched (empty: the journal), and how many bytes of them were read so far, unpacked.

    *held* are those that are open already, whatever they are called by now.
    """

    paths: tuple[Path, ...]
    since: datetime | None = None
    bytes_read: int = 0
    held: dict[Path, FileIO] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        if not self.paths:
            return "the journal"
        first, *more = [str(path) for path in self.paths]
        return (
            first
            if not more
            else f"{first} and {len(more)} more"
            if len(more) > 1
            else f"{first} and {more[0]}"
        )


@contextmanager
def own(place: follow.Place, since: datetime | None) -> Iterator[Searched]:
    """This host's log with everything that was rotated away from it, open until the end: each line is searched once in
    each search, however it is renamed meanwhile. CannotLook where it cannot be read.
    """
    if place.path is None:
        yield Searched((), since)
        return
    with ExitStack() as stack:
        for again in reversed(range(_ANEW)):
            held: dict[Path, FileIO] = {}
            listed = logfiles.own(place.path, since)
            for path in listed:
                if raw := _held(path):
                    held[path] = stack.enter_context(raw)
            # Renamed between the listing and the opening of two, one is there twice, and another not at all.
            if not again or {_file(raw) for raw in held.values()} == _files(logfiles.own(place.path, since)):
                break
            stack.close()
        *old, live = [path for path in listed if path in held] or [place.path]
        try:
            yield Searched((*_in_time_order(old, held), live), since, held=held)
        finally:
            held.clear()


def _held(path: Path) -> FileIO | None:
    """*path*, open; None where it is not there any more."""
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise follow.unreadable(path) from None
    except OSError as error:
        raise CannotLook(f"{path} cannot be read: {error.strerror}") from None


def _file(raw: FileIO) -> tuple[int, int]:
    """Which file it is, whatever it is called."""
    status = os.fstat(raw.fileno())
    return status.st_dev, status.st_ino


def _files(paths: Iterable[Path]) -> set[tuple[int, int]]:
    """Which files *paths* are now."""
    found = set()
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return found


def given(names: Sequence[str], since: datetime | None) -> Searched:
    """The files that a person named. ParseError for what is no file; CannotLook for what cannot be read."""
    paths = [Path(name) for name in dict.fromkeys(names)]
    for path in paths:
        logfiles.regular(path)
    return Searched(_in_time_order(paths), since)


def _looked(path: Path, held: Mapping[Path, FileIO]) -> tuple[float, int]:
    """When it was changed, and its size; 0 where it is gone: whoever opens it says so."""
    try:
        status = os.fstat(held[path].fileno()) if path in held else path.stat()
    except OSError:
        return 0.0, 0
    return status.st_mtime, status.st_size


def _in_time_order(paths: Iterable[Path], held: Mapping[Path, FileIO] = _NONE) -> tuple[Path, ...]:
    """By the time of their first lines (what was copied has no other), then by that of their last change."""
    now = datetime.now(UTC).astimezone()

    def begins(path: Path) -> tuple[float, float]:
        changed, _ = _looked(path, held)
        with _opened(path, held) as (stream, _):
            head = stream.read(1 << 13)
        for line in head.decode("utf-8", "surrogateescape").split("\n"):
            entry = maillog.line(line, now)
            if entry and entry.at:
                return entry.at.timestamp(), changed
        return changed, changed

    every = list(paths)
    return tuple(sorted(every, key=begins)) if len(every) > 1 else tuple(every)


def find(
    where: Searched, words: Iterable[bytes], *, fold: bool = False, progress: Progress = nobody
) -> Iterator[tuple[Position, str]]:
    """Each line that has any of *words* in it, once, in order; with *fold* whatever the case (*words* are lower).

    More than six words have to be queue ids and Message-IDs, and are found where Postfix names them as such.
    *progress* is called with (megabytes done, of how many) of the files as they lie there. CannotLook where
    something cannot be read, or not to its end.
    """
    pattern = _pattern(set(words))
    where.bytes_read = 0
    if not where.paths:
        yield from _journal(where, pattern, fold)
        return
    total = sum(_looked(path, where.held)[1] for path in where.paths)
    before = 0
    for number, path in enumerate(where.paths):
        with _opened(path, where.held) as (stream, raw):
            for offset, block in _blocks(stream):
                where.bytes_read += len(block)
                progress((before + raw.tell()) >> 20, (total >> 20) + 1)
                for at, line in _lines(block, pattern, fold):
                    yield (number, offset + at), line
        before += _looked(path, where.held)[1]


def has_postfix(where: Searched) -> bool:
    """Whether any line is one of Postfix's, or of a program that logs as it does. CannotLook as `find`."""
    for path in where.paths:
        with _opened(path, where.held) as (stream, _):
            for _, block in _blocks(stream):
                for found in _LOGGED.finditer(block):
                    if maillog.line(found[0].decode("utf-8", "surrogateescape")):
                        return True
    return False


def _pattern(words: Collection[bytes]) -> Callable[[bytes], Iterator[int]]:
    """Where any of *words* begins in a block, in no order."""
    if len(words) > _FEW:
        wanted = frozenset(words)

        def where_ids_stand(block: bytes) -> Iterator[int]:
            for place in _PLACES:
                for match in place.finditer(block):
                    if match[1] in wanted:
                        yield match.start(1)

        return where_ids_stand

    def one_by_one(block: bytes) -> Iterator[int]:
        for word in words:
            at = block.find(word)
            while at >= 0:
                yield at
                at = block.find(word, at + 1)

    return one_by_one


def _lines(block: bytes, pattern: Callable[[bytes], Iterator[int]], fold: bool) -> list[tuple[int, str]]:
    starts = {block.rfind(b"\n", 0, at) + 1 for at in pattern(block.lower() if fold else block)}
    return [
        (start, block[start:end].lstrip(b"\0")[:LONGEST].decode("utf-8", "surrogateescape"))
        for start in sorted(starts)
        if (end := block.find(b"\n", start)) >= 0
    ]


def _blocks(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Whole lines, a megabyte at a time, each with the offset that it begins at; the last line gets its end."""
    rest, offset = b"", 0
    while block := stream.read(BLOCK):
        whole = rest + block
        cut = whole.rfind(b"\n") + 1
        if not cut and len(whole) < BLOCK << 2:
            rest = whole
            continue
        cut = cut or len(whole)
        yield offset, whole[:cut]
        offset, rest = offset + cut, whole[cut:]
    if rest:
        yield offset, rest + b"\n"


@contextmanager
def _opened(path: Path, held: Mapping[Path, FileIO]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """As `opened.log`, and CannotLook too where it is gone."""
    try:
        with opened.log(path, held[path].fileno() if path in held else None) as both:
            yield both
    except FileNotFoundError:
        raise CannotLook(f"{path} is not there any more", "look again") from None


def _journal(
    where: Searched, pattern: Callable[[bytes], Iterator[int]], fold: bool
) -> Iterator[tuple[Position, str]]:
    since = [f"--since=@{int(where.since.timestamp())}"] if where.since else []
    with opened.journal(*since) as stream:
        for offset, block in _blocks(stream):
            where.bytes_read += len(block)
            for at, line in _lines(block, pattern, fold):
                yield (0, offset + at), line
