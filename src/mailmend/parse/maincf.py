"""main.cf as Postfix reads it, edited without losing a byte that was not meant (postconf(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mailmend.model import Refused
from mailmend.parse import logical
from mailmend.parse.logical import SPACE, LogicalLine

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_HEAD = re.compile(r"[^\s=]+[ \t]*=[ \t]*")


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name = value`: *value* is joined over its continuation lines, not expanded, trimmed at its ends."""

    name: str
    value: str
    line: LogicalLine
    value_at: int


@dataclass(frozen=True, slots=True)
class MainCf:
    """A main.cf. `str()` gives its text back, byte for byte; every edit returns a new MainCf.

    *broken* are the lines (counted from 1) that are no assignment: a line without `=` keeps Postfix from
    starting, a first line that begins with white space is ignored by it with a warning.
    """

    text: str
    assignments: tuple[Assignment, ...] = field(repr=False, compare=False)
    broken: tuple[int, ...] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    def names(self) -> tuple[str, ...]:
        """The parameters set here, each once, in the order of their first assignment."""
        return tuple(dict.fromkeys(a.name for a in self.assignments))

    def get(self, name: str) -> str | None:
        """The raw value of the last assignment, the one that Postfix uses; None where there is none."""
        winner = self._winner(name)
        return winner.value if winner else None

    def assign(self, name: str, value: str) -> MainCf:
        """Set *name* to *value*, touching only the lines of the assignment that Postfix uses.

        A value that ends in the present one is a prepend: only its front is written, the continuation
        lines stay as they were. Otherwise the value becomes one line, and comments that stood between the
        old continuation lines stay behind it. Without an assignment one is added at the end.
        Refused: a name or a value that would not read back from main.cf as the same.
        """
        value = value.strip(" ")
        winner = self._winner(name)
        if winner and winner.value == value:
            return self
        if not _NAME.match(name):
            raise Refused(f"{name!r} cannot be the name of a Postfix parameter")
        if winner and winner.value and value.endswith(winner.value):
            added = value[: -len(winner.value)]
            edited = self._write(name, value, added, winner, keep_lines=True)
        else:
            edited = self._write(name, value, value, winner, keep_lines=False)
        if edited.get(name) != value:
            raise Refused(f"{name} = {value} would not read back from main.cf as the same value")
        return edited

    def remove(self, name: str) -> MainCf:
        """Take out every assignment of *name*, so that the default applies; comments stay."""
        gone = {offset for a in self.assignments if a.name == name for offset, _ in a.line.pieces}
        return parse(logical.without(self.text, gone)) if gone else self

    def take(self, name: str, other: MainCf) -> MainCf:
        """Set *name* as *other* has it, its lines as they are written there; removed where it has none."""
        theirs, mine = other._winner(name), self._winner(name)
        if theirs is None:
            return self.remove(name)
        if mine and mine.value == theirs.value:
            return self
        written = "\n".join(piece for _, piece in theirs.line.pieces)
        if mine is None:
            return self._append(written)
        first, *rest = mine.line.pieces
        text = logical.without(self.text, (offset for offset, _ in rest))
        return parse(text[: first[0]] + written + text[first[0] + len(first[1]) :])

    def _winner(self, name: str) -> Assignment | None:
        return next((a for a in reversed(self.assignments) if a.name == name), None)

    def _write(
        self, name: str, value: str, added: str, winner: Assignment | None, keep_lines: bool
    ) -> MainCf:
        if byte := logical.control_character(added):
            raise Refused(
                f"the value for {name} has the byte {byte} in it", "write it on one line, with blanks"
            )
        if winner is None:
            return self._append(f"{name} = {value}".rstrip(" "))
        if keep_lines:
            at = winner.line.place(winner.value_at)
            return parse(self.text[:at] + added + self.text[at:])
        (offset, line), *rest = winner.line.pieces
        head = _HEAD.match(line)
        start = head[0] if head else f"{name} = "
        if not line[len(start) :].strip(SPACE) and start.rstrip().endswith((" =", "\t=")):
            # The value stood on the lines below; now it comes here, with a blank on both sides of `=`.
            start = start.rstrip() + " "
        ending = "\r" if line.endswith("\r") else ""
        text = logical.without(self.text, (offset for offset, _ in rest))
        new = (start + value).rstrip(" ") + ending
        return parse(text[:offset] + new + text[offset + len(line) :])

    def _append(self, written: str) -> MainCf:
        end = logical.line_end(self.text)
        gap = end if self.text and not self.text.endswith("\n") else ""
        return parse(f"{self.text}{gap}{written.rstrip(chr(13))}{end}")


def parse(text: str) -> MainCf:
    """Read *text* (decoded with surrogateescape). What is wrong in it is `broken`."""
    found: list[Assignment] = []
    broken: list[int] = []
    for line in logical.lines(text):
        # Postfix reads a line as a C string: what follows a NUL is not there.
        joined = line.text.partition("\0")[0]
        name, equals, rest = joined.partition("=")
        name = name.rstrip(SPACE)
        if not equals or not name or name[0] in SPACE or any(blank in name for blank in SPACE):
            broken.append(line.number)
            continue
        value = rest.lstrip(SPACE)
        found.append(Assignment(name, value.rstrip(SPACE), line, len(joined) - len(value)))
    return MainCf(text, tuple(found), tuple(broken))
