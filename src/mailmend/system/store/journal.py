"""The journal after a cursor -> blocks of its lines, and the cursor behind them (journalctl(1) --after-cursor)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from mailmend.system import logfiles, opened

_CURSOR = b"-- cursor: "
_SHORTEST = 80  # bytes of a line of Postfix's, about: `removed`
# journalctl(1) tells a cursor at its end alone, so what is read at once is bounded by time: as much of it as makes some
# megabytes, found by trying.
_LITTLE, _MUCH = 8 << 20, 32 << 20  # bytes
_FIRST, _LEAST, _MOST = timedelta(seconds=10), timedelta(seconds=2), timedelta(days=7)
_HEAD = 1 << 14


class Pieces:
    """What was logged after *cursor* (""; all), in pieces that fit into memory. *cursor* is where they have come to."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        self._step = _FIRST

    def __iter__(self) -> Iterator[Iterator[bytes]]:
        """Each piece as blocks of lines; with its end, `cursor` is behind it. CannotLook: it cannot be read."""
        while head := _head(self.cursor):
            began, before = logfiles.began(head, datetime.now(UTC).astimezone()), self.cursor
            until = began.replace(microsecond=0) + self._step if began else None
            last = until is None or until >= datetime.now(UTC)
            yield self._piece(None if last else until)
            if last:
                return
            if self.cursor == before:  # the clock was set back: the rest in one
                yield self._piece(None)
                return
        if not self.cursor:
            yield self._piece(None)

    def _piece(self, until: datetime | None) -> Iterator[bytes]:
        size, told = 0, self.cursor
        for block, cursor in blocks(self.cursor, until):
            size += len(block)
            if block:
                yield block
            told = cursor
        self.cursor = told
        if size < _LITTLE:
            self._step = min(2 * self._step, _MOST)
        elif size > _MUCH:
            self._step = max(self._step / 2, _LEAST)


def _head(cursor: str) -> bytes:
    """The first lines after *cursor*; b"" where there is none."""
    with opened.journal(*([_after(cursor)] if cursor else [])) as stream:
        head = stream.read(_HEAD)
    return head[: head.rfind(b"\n") + 1]


def blocks(cursor: str, until: datetime | None = None) -> Iterator[tuple[bytes, str]]:
    """What was logged after *cursor* (""; all), with the cursor that it ends at: told with the last block alone.

    CannotLook: the journal cannot be read.
    """
    after = [_after(cursor)] if cursor else []
    if until:
        after.append(f"--until=@{until.timestamp():.0f}")
    rest = b""
    with opened.journal("--show-cursor", *after) as stream:
        while data := stream.read(logfiles.BLOCK):
            # The last line may be the cursor: it is kept back until more comes.
            whole, last, rest = _parted(rest + data)
            rest = last + rest
            if whole:
                yield whole, cursor
    lines, cut, found = (b"\n" + rest).rpartition(b"\n" + _CURSOR)
    yield lines[1:] + b"\n" if len(lines) > 1 else b"", found.decode().strip() if cut else cursor


def before(cursor: str, most: int) -> bytes:
    """Up to *most* bytes of lines that were read before, the one at *cursor* last. CannotLook: they cannot be read.

    Where that was thrown away, what is left before its place.
    """
    with opened.journal(f"--cursor={cursor}", "--reverse", f"--lines={most // _SHORTEST}") as stream:
        newest_first = stream.read(most)
    return b"".join(line + b"\n" for line in newest_first.split(b"\n")[-2::-1])


def _after(cursor: str) -> str:
    """The option that begins behind *cursor*.

    journalctl(1) of systemd 252 goes to what follows a cursor that was thrown away (--vacuum-size), and skips that.
    """
    with opened.journal(f"--cursor={cursor}", "--lines=1", "--show-cursor") as stream:
        found = stream.read().rpartition(_CURSOR)[2].decode("ascii", "replace").strip()
    return f"--after-cursor={cursor}" if found == cursor else f"--cursor={cursor}"


def _parted(data: bytes) -> tuple[bytes, bytes, bytes]:
    """All lines but the last whole one, that one, and what has no end yet."""
    end = data.rfind(b"\n") + 1
    start = data.rfind(b"\n", 0, max(0, end - 1)) + 1
    return data[:start], data[start:end], data[end:]
