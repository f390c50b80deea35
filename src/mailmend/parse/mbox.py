"""Lines of an mbox -> its messages, one at a time, whatever its size (RFC 4155)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LINE_CAP = 64 * 1024  # bytes; who reads lines for this asks for no longer ones

_POSTMARK = re.compile(rb"From [^\r\n]{0,400}\d\d:\d\d[^\r\n]{0,80}\r?$")
_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,80}:|>From ")


def begins(data: bytes) -> bool:
    """Whether *data* begins as an mbox does: a postmark, and then a header."""
    first, _, rest = data[:2000].partition(b"\n")
    return _POSTMARK.match(first) is not None and _HEADER.match(rest) is not None


def messages(lines: Iterable[bytes], most: int) -> Iterator[tuple[bytes, bool]]:
    """Each message without its postmark, the first *most* bytes of it, and whether there were more.

    A line `From ...` within a message begins no other one unless a blank line stands before it and a header behind.
    """
    pieces: list[bytes] = []
    size, cut, blank = 0, False, True
    postmark = b""
    for line in lines:
        if postmark:
            if _HEADER.match(line):
                if pieces:
                    yield b"".join(pieces), cut
                pieces, size, cut = [], 0, False
            elif pieces:
                pieces.append(postmark)
                size += len(postmark)
            postmark = b""
        if blank and line[:5] == b"From " and _POSTMARK.match(line.rstrip(b"\n")):
            postmark = line
            continue
        blank = line in (b"\n", b"\r\n")
        if size < most:
            pieces.append(line)
            size += len(line)
        else:
            cut = True
    if pieces:
        yield b"".join(pieces), cut
