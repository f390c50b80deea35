"""A mail message -> its headers and parts (RFC 5322, RFC 2045), within bounds that no sender can stretch.

The standard library's reader is not used: a hostile message holds it for half a minute or runs it out of
stack. This one knows what a bounce needs: unfolded headers, boundaries, transfer encodings, character sets.
A message is a `str` whose bytes that are no UTF-8 are kept as surrogates until a part says what they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailmend.model import ParseError
from mailmend.parse import words

HEADERS_CAP = 64 * 1024
HEADER_CAP = 8 * 1024
PARTS_CAP = 100
DEPTH_CAP = 20

_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,99}+)[ \t]*+:[ \t]*+(.*)", re.DOTALL)
_FOLD = re.compile(r"\n[ \t]+")
_UNFOLDED = re.compile(r"\n(?=(?:boundary|charset|name|filename) ?=)")  # seen where a gateway lost the blank
_MBOX = re.compile(r"\n*>?From \S[^\n]*\n")
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
        return next((value for key, value in self.headers if key == name), "")

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
    head = head if is_clean(head) else words.decoded(_bytes(head), None)
    rows = _UNFOLDED.sub(" ", _FOLD.sub(" ", head)).split("\n")
    found = [_HEADER.match(row[:HEADER_CAP]) for row in rows]
    broken = found.count(None)
    # Gateways break a line of the headers now and then; a text has no such beginning, and more such lines.
    if found[0] is None or 4 * broken > len(found):
        return Part((), text)
    return Part(tuple((row[1].lower(), row[2].strip()) for row in found if row), body)


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
    boundary = words.parameter(part.header("content-type"), "boundary")
    if boundary is None:
        return (Part((("content-type", "text/plain"),), part.body),)
    found = [
        piece for piece in _pieces(part.body, f"\n--{boundary.rstrip()}") if piece and not piece.isspace()
    ]
    # What has no such boundary in it was cut or rewritten on its way, and is still to be read.
    return tuple(map(_part, found)) or (Part((("content-type", "text/plain"),), part.body),)


def _pieces(body: str, delimiter: str) -> list[str]:
    """What stands between the delimiter lines of *body*; a line that only begins as one divides nothing."""
    found: list[str] = []
    begins = None
    first = body.startswith(delimiter[1:])  # without a line end before it
    at = 0 if first else body.find(delimiter)
    ends = at + len(delimiter) - first
    for _ in range(PARTS_CAP + 2):
        if at < 0:
            break
        newline = body.find("\n", ends)
        newline = len(body) if newline < 0 else newline
        if newline - ends < HEADER_CAP and body[ends:newline].rstrip(" \t") in ("", "--"):
            if begins is not None:
                found.append(body[begins:at])
            begins = newline + 1
        at = body.find(delimiter, newline)
        ends = at + len(delimiter)
    if begins is not None:
        found.append(body[begins:])
    return found


def text(part: Part, most: int | None = None) -> str:
    """The body (its first *most* characters) with its encodings undone; what cannot be decoded is marked."""
    encoding = part.header("content-transfer-encoding").lower()
    body = part.body if most is None else part.body[:most]
    charset = words.parameter(part.header("content-type"), "charset")
    coded = encoding in ("base64", "quoted-printable")
    if not coded and body.isascii() and "\x1b" not in body:
        return body
    if not coded and (charset or "utf-8").lower() == "utf-8" and is_clean(body):
        return body
    decoded = words.decoded(words.untransferred(_bytes(body), encoding), charset)
    return decoded.replace("\r\n", "\n").replace("\r", "\n")


def is_clean(body: str) -> bool:
    """Whether *body* holds no byte that was not UTF-8."""
    try:
        body.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes(body: str) -> bytes:
    return body.encode("utf-8", "surrogateescape")
