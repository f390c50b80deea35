"""Text -> the logical lines of Postfix's configuration files (postconf(5), master(5)), with their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What Postfix's readllines takes for white space; a vertical tab continues a line as a blank does.
SPACE = " \t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """A line with its continuations joined, exactly as Postfix joins them: newlines drop, blanks stay.

    *pieces* are the physical lines that hold its text, as (offset in the file, text without the newline);
    comments and blank lines between them belong to no logical line. *number* counts physical lines from 1.
    """

    number: int
    pieces: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        return "".join(piece for _, piece in self.pieces)

    def place(self, index: int) -> int:
        """The offset in the file of the joined text's character *index* (its length: just behind it)."""
        for offset, piece in self.pieces[:-1]:
            if index < len(piece):
                return offset + index
            index -= len(piece)
        return self.pieces[-1][0] + index


def lines(text: str) -> tuple[LogicalLine, ...]:
    """The logical lines of *text* in order. Comments (indented ones too) and blank lines are skipped."""
    found: list[LogicalLine] = []
    number, pieces = 0, list[tuple[int, str]]()
    for count, (offset, line) in enumerate(physical(text), start=1):
        if not line.strip(SPACE) or line.lstrip(SPACE).startswith("#"):
            continue
        if pieces and line[0] not in SPACE:
            found.append(LogicalLine(number, tuple(pieces)))
            pieces = []
        if not pieces:
            number = count
        pieces.append((offset, line))
    if pieces:
        found.append(LogicalLine(number, tuple(pieces)))
    return tuple(found)


def physical(text: str) -> Iterator[tuple[int, str]]:
    """(offset, line without its newline): only "\\n" ends a line, whatever else Unicode calls one."""
    offset = 0
    for line in text.split("\n"):
        yield offset, line
        offset += len(line) + 1


def without(text: str, offsets: Iterable[int]) -> str:
    """*text* without the whole physical lines that begin at *offsets*, their newlines included."""
    for offset in sorted(offsets, reverse=True):
        end = text.find("\n", offset)
        text = text[:offset] + ("" if end < 0 else text[end + 1 :])
    return text


def line_end(text: str) -> str:
    """How this file ends its lines: "\\r\\n" where its first line does, else "\\n"."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def control_character(value: str) -> str | None:
    """The first byte below 0x20 or 0x7f in *value*, as `\\x0a`: a newline would add a line of its own."""
    return next((f"\\x{ord(char):02x}" for char in value if ord(char) < 0x20 or char == "\x7f"), None)
