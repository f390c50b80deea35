"""main.cf and master.cf -> their physical lines in pieces, as the parsers that read them for Postfix take them."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Literal

from mailmend.parse import logical, maincf, mastercf

if TYPE_CHECKING:
    from mailmend.parse.logical import LogicalLine

Kind = Literal["comment", "name", "is", "value", "column", "program", "option", "broken"]
Span = tuple[Kind, str]
_Mark = tuple[int, int, Kind]  # from and to which character of the file


def main(text: str) -> list[list[Span]]:
    """Each line: the name, what stands between, the value; over continuation lines, too."""
    parsed = maincf.parse(text)
    marks: list[_Mark] = []
    for each in parsed.assignments:
        marks += _marks(each.line, 0, len(each.name), "name")
        marks += _marks(each.line, len(each.name), each.value_at, "is")
    return list(_lines(text, marks, parsed.broken))


def master(text: str) -> list[list[Span]]:
    """Each line: name and type, the columns, the program, each `-o`, and the arguments."""
    parsed = mastercf.parse(text)
    marks: list[_Mark] = []
    for entry in parsed.entries:
        of = entry.line
        for number, (_, start, end) in enumerate(entry.words[:8]):
            kind: Kind = "name" if number < 2 else "program" if number == 7 else "column"
            marks += _marks(of, start, end, kind)
        for option in entry.options:
            marks += _marks(of, option.start, option.end, "option")
    return list(_lines(text, marks, parsed.broken))


def _marks(line: LogicalLine, start: int, end: int, kind: Kind) -> Iterator[_Mark]:
    """Where in the file the characters *start* to *end* of the joined *line* stand."""
    begin = 0
    for offset, piece in line.pieces:
        low, high = max(start - begin, 0), min(end - begin, len(piece))
        if low < high:
            yield offset + low, offset + high, kind
        begin += len(piece)


def _lines(text: str, marks: list[_Mark], broken: Container[int]) -> Iterator[list[Span]]:
    marks, at = sorted(marks), 0
    physical = list(logical.physical(text))
    if text.endswith("\n") or not text:
        physical.pop()  # what is behind the last newline is no line
    for number, (offset, line) in enumerate(physical, 1):
        if line.lstrip(logical.SPACE).startswith("#"):
            yield [("comment", line)]
            continue
        if number in broken:
            yield [("broken", line)]
            continue
        spans: list[Span] = []
        done = 0
        while at < len(marks) and marks[at][0] < offset + len(line):
            start, end, kind = marks[at]
            spans += [("value", line[done : start - offset]), (kind, line[start - offset : end - offset])]
            done, at = end - offset, at + 1
        spans.append(("value", line[done:]))
        yield [span for span in spans if span[1]] or [("value", "")]
