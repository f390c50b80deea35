"""A mail message -> its headers and parts (RFC 5322, RFC 2045), within bounds that no sender can stretch.

The standard library's reader is not used: a hostile message holds it for half a minute or runs it out of
stack. This one knows what a bounce needs: unfolded headers, boundaries, base64 and quoted-printable.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from mailmend.model import ParseError

HEADERS_CAP = 64 * 1024
HEADER_CAP = 8 * 1024
PARTS_CAP = 100
DEPTH_CAP = 20

_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,99}+)[ \t]*+:[ \t]*+(.*)", re.DOTALL)
_FOLD = re.compile(r"\n[ \t]+")
_MBOX = re.compile(r"\n*>?From \S[^\n]*\n")
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([A-Za-z0-9._:-]{1,40})', re.IGNORECASE)
_OF_A_MESSAGE = frozenset(
    ("received", "return-path", "delivered-to", "from", "to", "subject", "date", "message-id", "content-type")
)


@dataclass(frozen=True, slots=True)
class Part:
    """A message or one part of it. *body* is as transferred: `text` decodes it, `parts` divides it."""

    headers: tuple[tuple[str, str], ...]
    body: str

    def header(self, name: str) -> str:
        """The first header of that name, unfolded; "" where there is none."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower() or "text/plain"


def read(text: str) -> Part | None:
    """*text* (line ends are `\\n`) as a message; None where it does not begin as one does.

    Two headers that every message has are asked for, so that `Status: 5.7.1` alone is none.
    """
    mbox = _MBOX.match(text)
    part = _part(text[mbox.end() :] if mbox else text.lstrip("\n"))
    named = {name for name, _ in part.headers}
    return part if len(named & _OF_A_MESSAGE) >= 2 else None


def _part(text: str) -> Part:
    if text.startswith("\n"):
        return Part((), text[1:])
    head, _, body = text.partition("\n\n")
    if len(head) > HEADERS_CAP:
        # A page of prose has no blank line for long, too; only what begins as a header is one too large.
        if _HEADER.match(head[:HEADER_CAP]) is None:
            return Part((), text)
        raise ParseError(f"line 1: a header block of more than {HEADERS_CAP // 1024} KB")
    headers = []
    for row in _FOLD.sub(" ", head).split("\n"):
        found = _HEADER.match(row[:HEADER_CAP])
        if found is None:
            return Part((), text)
        headers.append((found[1].lower(), found[2].strip()))
    return Part(tuple(headers), body)


def fields(text: str) -> dict[str, str]:
    """A paragraph of `Name: value` lines, unfolded, names in lower case; the first of each name counts."""
    found: dict[str, str] = {}
    for row in _FOLD.sub(" ", text.strip("\n")[:HEADERS_CAP]).split("\n"):
        field = _HEADER.match(row[:HEADER_CAP])
        if field:
            found.setdefault(field[1].lower(), field[2].strip())
    return found


def parts(whole: Part) -> tuple[Part, ...]:
    """The leaves of *whole* in order, itself where it is not multipart; an enclosed message is a leaf."""
    leaves: list[Part] = []
    waiting = [(whole, 0)]
    while waiting:
        part, depth = waiting.pop()
        if not part.type.startswith("multipart/"):
            leaves.append(part)
            continue
        if depth >= DEPTH_CAP:
            raise ParseError(f"parts nested more than {DEPTH_CAP} deep")
        children = _divide(part)
        if len(leaves) + len(waiting) + len(children) > PARTS_CAP:
            raise ParseError(f"more than {PARTS_CAP} parts")
        waiting.extend((child, depth + 1) for child in reversed(children))
    return tuple(leaves)


def _divide(part: Part) -> tuple[Part, ...]:
    named = _BOUNDARY.search(part.header("content-type"))
    if named is None:
        return (Part((("content-type", "text/plain"),), part.body),)
    boundary = re.escape((named[1] or named[2]).rstrip())
    pieces = re.split(
        rf"^--{boundary}(?:--)?[ \t]*$\n?", part.body, maxsplit=PARTS_CAP + 1, flags=re.MULTILINE
    )
    return tuple(_part(piece) for piece in pieces[1:] if piece.strip("\n"))


def text(part: Part) -> str:
    """The body with its transfer encoding and character set undone; what cannot be decoded is marked."""
    encoding = part.header("content-transfer-encoding").lower()
    if encoding not in ("base64", "quoted-printable"):
        return part.body
    raw = part.body.encode("utf-8", "surrogateescape")
    try:
        decoded = binascii.a2b_base64(raw) if encoding == "base64" else binascii.a2b_qp(raw)
    except binascii.Error:
        return part.body
    charset = _CHARSET.search(part.header("content-type"))
    try:
        words = decoded.decode(charset[1] if charset else "utf-8", "replace")
    except LookupError:
        words = decoded.decode("utf-8", "replace")
    return words.replace("\r\n", "\n").replace("\r", "\n")
