"""main.cf as somebody wants it -> the settings that this changes, and what cannot be said as a change of settings.

The file's text goes no further: only settings do, each with its tier, through the same transaction as `mailmend set`.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from difflib import SequenceMatcher

from mailmend import settings
from mailmend.model import Refused
from mailmend.parse import logical, maincf
from mailmend.settings import Known


@dataclass(frozen=True, slots=True)
class Changed:
    """*after* None: the setting is taken out. *line* of the text as it is wanted (as it was, where taken out)."""

    known: Known
    before: str | None
    after: str | None
    line: int

    @property
    def name(self) -> str:
        return self.known.name


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Lines that no setting stands for, and why: counted from 1, in the text as it is wanted."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Edit:
    changed: tuple[Changed, ...]
    unsaid: tuple[Unsaid, ...]


def main_cf(before: str, after: str) -> Edit:
    """What it takes to bring *before* to mean what *after* means, whose lines end as a browser sends them."""
    after = after.replace("\r\n", "\n").replace("\n", logical.line_end(before))
    old, new = maincf.parse(before), maincf.parse(after)
    loaded = settings.load()
    changed = []
    unsaid = [Unsaid(n, line_at(after, n), "this is no setting: there is no = in it") for n in new.broken]
    result = old
    for name in dict.fromkeys((*new.names(), *old.names())):
        was, is_ = old.get(name), new.get(name)
        if was == is_:
            continue
        line = _of(new if is_ is not None else old, name)
        try:
            result = result.remove(name) if is_ is None else result.assign(name, is_)
        except Refused as refused:
            unsaid.append(Unsaid(line, name, refused.reason))
            continue
        changed.append(Changed(loaded.of(name), was, is_, line))
    named = _names(maincf.parse(str(result))), _names(new)
    unsaid += differing(str(result), after, named, new.broken, {one.name for one in changed})
    return Edit(tuple(changed), tuple(sorted(set(unsaid), key=lambda each: each.line)))


def _of(parsed: maincf.MainCf, name: str) -> int:
    return next(a.line.number for a in reversed(parsed.assignments) if a.name == name)


def line_at(text: str, number: int) -> str:
    """The physical line *number*, counted from 1; "" where there is none."""
    lines = text.split("\n")
    return lines[number - 1] if 0 < number <= len(lines) else ""


def differing(
    would_be: str,
    wanted: str,
    named: tuple[dict[int, str], dict[int, str]],
    broken: Container[int],
    said: set[str],
) -> list[Unsaid]:
    """Lines in which the file *would_be* other than what is *wanted*, although it means the same.

    *named* says of both by line what stands there; what is among *said* is told as a change already, and lines of the
    wanted one that are *broken* are told besides.
    """
    ours, theirs = (text.replace("\r\n", "\n").rstrip("\n").split("\n") for text in (would_be, wanted))
    old, new = named
    found = []
    for kind, gone, gone_end, begin, end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        came = [
            Unsaid(number, text, why)
            for number, text in enumerate(theirs[begin:end], begin + 1)
            if number not in broken and (why := _why(text, new.get(number), said))
        ]
        found += came
        if not came:
            found += [
                Unsaid(begin + 1, text, f"it stays: {why}")
                for number, text in enumerate(ours[gone:gone_end], gone + 1)
                if (why := _why(text, old.get(number), said))
            ]
    return found


def _names(parsed: maincf.MainCf) -> dict[int, str]:
    return {a.line.number: a.name for a in parsed.assignments}


def _why(text: str, name: str | None, said: set[str]) -> str:
    """Why no setting stands for a line; "" where one does, or nothing is in it."""
    if text.lstrip().startswith("#"):
        return "a comment is not saved from here"
    return "blanks, order and doubles are not saved from here" if name and name not in said else ""
