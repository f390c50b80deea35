"""The journal after a cursor -> blocks of its lines, and the cursor behind them (journalctl(1) --after-cursor)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.system import logfiles, opened

_CURSOR = b"-- cursor: "
_SHORTEST = 80  # bytes of a line of Postfix's, about: `removed`


def blocks(cursor: str) -> Iterator[tuple[bytes, str]]:
    """What was logged after *cursor* (""; all), with the cursor that it ends at: told with the last block alone.

    CannotLook: the journal cannot be read.
    """
    after = [_after(cursor)] if cursor else []
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
