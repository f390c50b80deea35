"""Reads Postfix parameters as a service would use them, and splits their values (postconf(5))."""

from __future__ import annotations

import re

from mailmend.facts.looking import answer
from mailmend.model import Probe
from mailmend.parse.listing import words
from mailmend.questions import MapLookup, Service, Services, Setting

# Tables of patterns see whole addresses only, never a bare domain, `.parent` or `*` (DICT_FLAG_FIXED).
_PATTERN_TYPES = ("regexp", "pcre", "tcp")
_COMMENT = re.compile(r"(?:^|(?<=[\s,]))#.*")


def value(probe: Probe, name: str, service: str | None = None) -> str:
    """The effective value; "" where it is empty or this Postfix has no such parameter. Unknown if unread."""
    return answer(probe, Setting(name, service)).value or ""


def file_words(text: str) -> tuple[str, ...]:
    """The words of a list that stands in a file: of a line, what stands behind a `#` is a comment.

    At the end of a line Postfix does not support a comment; it warns, and leaves it aside (tried on 3.7.11).
    """
    return words("\n".join(_COMMENT.sub("", line) for line in text.splitlines()))


def tables(text: str) -> tuple[str, ...]:
    """The `type:name` words of a *_maps value."""
    return tuple(word for word in words(text) if ":" in word.partition("/")[0] or word.startswith("proxy:"))


def pattern_table(table: str) -> bool:
    """True for a table whose keys are patterns over a whole address (regexp_table(5), pcre_table(5))."""
    return table.removeprefix("proxy:").partition(":")[0] in _PATTERN_TYPES


def lookup(probe: Probe, maps: str, key: str, *, whole: bool) -> str:
    """The first result that the tables of *maps* have for *key*, "" for none; *whole*: key is an address."""
    for table in tables(maps):
        if not whole and pattern_table(table):
            continue
        result = answer(probe, MapLookup(table, key))
        if result:
            return result
    return ""


def services(probe: Probe) -> tuple[Service, ...]:
    """master.cf, one entry a `name/type`: of several the last, which master(8) and postconf(1) take too."""
    return tuple({entry.id: entry for entry in answer(probe, Services())}.values())


def smtp_services(probe: Probe) -> tuple[str, ...]:
    """The ids of the master.cf services that run smtp(8): `smtp/unix`, `relay/unix` and clones."""
    return tuple(
        entry.id for entry in services(probe) if entry.type == "unix" and program(entry.command) == "smtp"
    )


def program(command: str) -> str:
    """The daemon of a master.cf command, without its arguments."""
    return command.split(maxsplit=1)[0] if command.split() else ""
