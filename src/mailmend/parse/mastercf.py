"""master.cf as Postfix reads it, edited without losing a byte that was not meant (master(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailmend.model import ParseError, Refused
from mailmend.parse import logical
from mailmend.parse.logical import SPACE, LogicalLine
from mailmend.questions import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_BLANKS = " \t\r\n"
_COLUMNS = ("service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit")
_YES_NO = re.compile(r"[yn-]")
_MAY_BE = {
    "private": (_YES_NO, "y, n or -"),
    "unprivileged": (_YES_NO, "y, n or -"),
    "chroot": (_YES_NO, "y, n or -"),
    "wakeup": (re.compile(r"\d{1,9}\??|-"), "seconds, seconds with a question mark, or -"),
    "process_limit": (re.compile(r"\d{1,9}|-"), "a number or -"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One `-o name=value`, *start* and *end* its place in the entry's joined text, from `-o` on."""

    name: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A service of master.cf; *arguments_at*: where the first argument begins that is no option, or None.

    *words* are all of its words, each with its start and end in the joined text.
    """

    service: Service
    options: tuple[Option, ...]
    line: LogicalLine
    arguments_at: int | None
    words: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class MasterCf:
    """A master.cf. `str()` gives its text back, byte for byte; every edit returns a new MasterCf.

    *broken* are the lines (counted from 1) that are no entry: Postfix ignores a first line that begins
    with white space, and does not start with one that has too few fields.
    """

    text: str
    entries: tuple[Entry, ...] = field(repr=False, compare=False)
    broken: tuple[int, ...] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    def services(self) -> tuple[Service, ...]:
        """The entries in order; *command* is the program with its arguments, without its `-o`."""
        return tuple(entry.service for entry in self.entries)

    def override(self, service_id: str, name: str) -> str | None:
        """The value of the last `-o name=` of `service/type`; None where it has none, or is not there."""
        entry = self._entry(service_id)
        values = [o.value for o in entry.options if o.name == name] if entry else []
        return values[-1] if values else None

    def assign_override(self, service_id: str, name: str, value: str | None) -> MasterCf:
        """Set `-o name=value` where Postfix takes it from; None takes every `-o name=` of the service out.

        A value with white space is written `-o { name = value }` (Postfix >= 3.0). A new one stands on a line
        of its own behind the others, and before the arguments of pipe(8) and spawn(8).
        Refused: an unknown service, and what master.cf cannot carry.
        """
        entry = self._entry(service_id)
        if entry is None:
            raise Refused(f"master.cf has no service {service_id}", "mailmend list settings, or postconf -M")
        present = [o for o in entry.options if o.name == name]
        if value is None:
            return self._cut(entry, present) if present else self
        value = value.strip(" ")
        if present and present[-1].value == value:
            return self
        written = _written(name, value)
        edited = self._cut(entry, present[-1:], written) if present else self._insert(entry, written)
        if edited.override(service_id, name) != value:
            raise Refused(f"-o {name}={value} would not read back from master.cf as the same value")
        return edited

    def column(self, service_id: str, name: str) -> str | None:
        """A column as postconf(1) -F names it; `command` is without its `-o`. None where the service is not there."""
        entry = self._entry(service_id)
        if entry is None:
            return None
        return entry.service.command if name == "command" else entry.words[_COLUMNS.index(name)][0]

    def assign_column(self, service_id: str, name: str, value: str) -> MasterCf:
        """Set a column; `command` is the program with its arguments, and leaves the `-o` where they are.

        Refused: an unknown service, and what master(8) would not take for that column.
        """
        entry = self._entry(service_id)
        if entry is None:
            raise Refused(f"master.cf has no service {service_id}", "postconf -M lists them")
        value = value.strip(" ")
        if byte := logical.control_character(value):
            raise Refused(
                f"the value for {service_id}/{name} has the byte {byte} in it", "write it on one line"
            )
        if self.column(service_id, name) == value:
            return self
        if name == "command":
            edited = self._command(entry, value)
        else:
            pattern, words = _MAY_BE[name]
            if not pattern.fullmatch(value):
                raise Refused(f"{service_id}/{name} can be {words}, not {value!r}")
            _, start, end = entry.words[_COLUMNS.index(name)]
            # The columns behind it stay where they stand, as far as there are blanks for it.
            blanks = len(entry.line.text[end:]) - len(entry.line.text[end:].lstrip(" "))
            room = max(1, blanks + (end - start) - len(value)) if blanks > 1 else blanks
            edited = self._put(entry, [(start, end + blanks, value + " " * room)])
        now = edited._entry(service_id)
        if (
            now is None
            or edited.column(service_id, name) != value
            or now.service.overrides != entry.service.overrides
        ):
            raise Refused(f"{service_id}/{name} = {value} would not read back from master.cf as the same")
        return edited

    def _command(self, entry: Entry, value: str) -> MasterCf:
        """The program word, the options that are no `-o`, and the arguments, each in its place."""
        new = [word for word, _, _ in _words(value)]
        if any(word.startswith("-") and "o" in word for word in _leading(new[1:])):
            raise Refused(
                "an -o is not part of the command here",
                f"set {entry.service.id}/NAME=VALUE sets one, -X takes it out",
            )
        flags = _leading(new[1:])
        arguments = " ".join(new[1 + len(flags) :])
        program, *rest = [
            w for w in entry.words[7:] if not any(o.start <= w[1] < o.end for o in entry.options)
        ]
        spans = [(program[1], program[2], " ".join([*new[:1], *flags]))]
        old = [w for w in rest if entry.arguments_at is not None and w[1] >= entry.arguments_at]
        spans += [(start, end, "") for _, start, end in rest if (_, start, end) not in old]
        if old:
            spans.append((old[0][1], old[-1][2], arguments))
            arguments = ""
        edited = self._put(entry, spans)
        if not arguments:
            return edited
        again = edited._entry(entry.service.id)
        return edited if again is None else edited._insert(again, arguments)

    def replace_service(self, service_id: str, text: str) -> MasterCf:
        """Make `service/type` the one entry that *text* is; added where it is not there. Refused as `add_service`."""
        added = parse(text)
        if len(added.entries) == 1 and not added.broken and added.entries[0].service.id != service_id:
            raise Refused(
                f"that is {added.entries[0].service.id}, not {service_id}",
                "name and type have to be the same",
            )
        if self._entry(service_id) is None:
            return self.add_service(text)
        MasterCf("", (), ()).add_service(text)
        return self.take(service_id, added)

    def add_service(self, text: str) -> MasterCf:
        """Add one entry, written as it shall stand, at the end. Refused: none, two, or one that is there."""
        added = parse(text)
        if len(added.entries) != 1 or added.broken:
            raise Refused(f"not one service of master.cf: {text.strip()!r}")
        for char in text.replace("\n", " ").replace("\t", " "):
            if byte := logical.control_character(char):
                raise Refused(f"the text of a service has the byte {byte} in it")
        new = added.entries[0].service
        if self._entry(new.id):
            raise Refused(f"master.cf has a service {new.id} already")
        end = logical.line_end(self.text)
        gap = end if self.text and not self.text.endswith("\n") else ""
        return parse(f"{self.text}{gap}{text.rstrip(_BLANKS)}{end}")

    def remove_service(self, service_id: str) -> MasterCf:
        """Take out every entry of `service/type`; the comments in and around it stay."""
        gone = {at for e in self.entries if e.service.id == service_id for at, _ in e.line.pieces}
        return parse(logical.without(self.text, gone)) if gone else self

    def take(self, service_id: str, other: MasterCf) -> MasterCf:
        """Make `service/type` what it is in *other*, its lines as they are written there; gone where it has none."""
        theirs, mine = other.service_text(service_id), self._entry(service_id)
        if theirs is None or mine is None:
            return self.remove_service(service_id) if theirs is None else self.add_service(theirs)
        (offset, line), *rest = mine.line.pieces
        text = logical.without(self.text, (at for at, _ in rest))
        return parse(text[:offset] + theirs + text[offset + len(line) :])

    def service_text(self, service_id: str) -> str | None:
        """The lines of `service/type` as they are written, without comments; None where it is not there."""
        entry = self._entry(service_id)
        return "\n".join(piece for _, piece in entry.line.pieces) if entry else None

    def _entry(self, service_id: str) -> Entry | None:
        # Of two entries with one name and type, master(8) runs the last.
        return next((e for e in reversed(self.entries) if e.service.id == service_id), None)

    def _insert(self, entry: Entry, written: str) -> MasterCf:
        if entry.arguments_at is None:
            offset, last = entry.line.pieces[-1]
            ending = "\r" if last.endswith("\r") else ""
            at = offset + len(last)
            indent = _indent(last) if len(entry.line.pieces) > 1 else "  "
            return parse(f"{self.text[:at]}\n{indent}{written}{ending}{self.text[at:]}")
        at = entry.line.place(entry.arguments_at)
        line_start = self.text.rfind("\n", 0, at) + 1
        before = self.text[line_start:at]
        gap = f"\n{before}" if before and not before.strip(SPACE) else " "
        return parse(self.text[:at] + written + gap + self.text[at:])

    def _cut(self, entry: Entry, options: list[Option], put: str = "") -> MasterCf:
        """Take *options* out (and *put* in the place of the first); lines left blank go, comments stay."""
        return self._put(entry, [(o.start, o.end, put if not at else "") for at, o in enumerate(options)])

    def _put(self, entry: Entry, spans: list[tuple[int, int, str]]) -> MasterCf:
        """Put each text in the place of what stands from start to end of the entry's joined text."""
        text = self.text
        begin = len(entry.line.text)
        for offset, piece in reversed(entry.line.pieces):
            begin -= len(piece)
            left = piece
            for start, end, put in sorted(spans, reverse=True):
                low, high = max(start - begin, 0), min(end - begin, len(piece))
                if low < high:
                    left = _spliced(left, low, high, put if begin <= start else "")
            if begin and left[:1] not in SPACE:
                # An option that began on the line above took the indent with it, which makes this a continuation.
                left = _indent(piece) + left
            if not left.strip(SPACE):
                text = logical.without(text, [offset])
            elif left != piece:
                text = text[:offset] + left + text[offset + len(piece) :]
        return parse(text)


def parse(text: str) -> MasterCf:
    """Read *text* (decoded with surrogateescape). What is wrong in it is `broken`."""
    entries: list[Entry] = []
    broken: list[int] = []
    for line in logical.lines(text):
        try:
            entries.append(_entry(line))
        except ParseError:
            broken.append(line.number)
    return MasterCf(text, tuple(entries), tuple(broken))


def _entry(line: LogicalLine) -> Entry:
    joined = line.text.partition("\0")[0]
    words = list(_words(joined))
    if len(words) < 8 or joined[0] in SPACE:
        raise ParseError(f"line {line.number}: a service has eight fields")
    options: list[Option] = []
    rest = [words[7][0]]
    arguments_at = None
    pending = iter(words[8:])
    for word, start, end in pending:
        if not word.startswith("-") or word == "--":
            arguments_at = start
            rest += [word, *(w for w, _, _ in pending)]
            break
        flags, o, glued = word.partition("o")
        if not o:
            rest.append(word)
            continue
        if flags != "-":
            rest.append(flags)
        value, stop = (glued, end) if glued else next(((w, e) for w, _, e in pending), ("", end))
        options.append(Option(*_name_value(value), start, stop))
    name, type_, private, unprivileged, chroot, wakeup, limit = (word for word, _, _ in words[:7])
    overrides = tuple((option.name, option.value) for option in options)
    command = " ".join(rest)
    service = Service(name, type_, private, unprivileged, chroot, wakeup, limit, command, overrides)
    return Entry(service, tuple(options), line, arguments_at, tuple(words))


def _words(joined: str) -> Iterator[tuple[str, int, int]]:
    """(word, start, end): blanks part them, but not within braces, as Postfix's mystrtokq has it."""
    start, level = -1, 0
    for index, char in enumerate(joined + " "):
        if level == 0 and char in _BLANKS:
            if start >= 0:
                yield joined[start:index], start, index
                start = -1
            continue
        start = index if start < 0 else start
        level += (char == "{") - (char == "}" and level > 0)
    if start >= 0:
        # A brace that is never closed swallows the rest; Postfix refuses to start with it.
        yield joined[start:], start, len(joined)


def _leading(words: list[str]) -> list[str]:
    """The options at the head of a command's arguments."""
    stop = next((i for i, word in enumerate(words) if not word.startswith("-") or word == "--"), len(words))
    return words[:stop]


def _spliced(line: str, start: int, end: int, put: str) -> str:
    """*line* with *put* for what stood from *start* to *end*; without *put* the blanks behind it go too."""
    before, behind = line[:start], line[end:]
    if put:
        return before + put + behind
    behind = behind.lstrip(" \t")
    return before + behind if behind.strip(SPACE) else before.rstrip(" \t") + behind


def _name_value(text: str) -> tuple[str, str]:
    if text.startswith("{"):
        text = text[1:].removesuffix("}")
    name, _, value = text.partition("=")
    return name.strip(SPACE), value.strip(SPACE)


def _written(name: str, value: str) -> str:
    if not _NAME.match(name):
        raise Refused(f"{name!r} cannot be the name of a Postfix parameter")
    if byte := logical.control_character(value):
        raise Refused(f"the value for {name} has the byte {byte} in it", "write it on one line")
    depth = 0
    for char in value:
        depth += (char == "{") - (char == "}")
        if depth < 0:
            break
    if depth:
        raise Refused(
            f"master.cf cannot carry {value!r}: its braces do not pair", f"set {name} in main.cf instead"
        )
    return f"-o {{ {name} = {value} }}" if " " in value else f"-o {name}={value}"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))] or "  "
