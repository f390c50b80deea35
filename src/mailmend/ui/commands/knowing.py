"""list: what mailmend knows, and how a name that it does not know is answered."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mailmend.model import ParseError
from mailmend.ui import show
from mailmend.ui.ending import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.model import Cause

_FEW = 12
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")


def cause_pages() -> Mapping[str, Cause]:
    from mailmend import catalogue

    return catalogue.load().causes


def remedies() -> Mapping[str, ModuleType]:
    from mailmend import catalogue

    return catalogue.load().remedies


def applied() -> frozenset[str]:
    """The ids of the remedies that mailmend applies itself, without loading them: pages name others too."""
    from pkgutil import iter_modules

    from mailmend import remedies as room
    from mailmend.catalogue import COMMANDS

    return frozenset((*COMMANDS, *(file.name.replace("_", "-") for file in iter_modules(room.__path__))))


def way_to(remedies: Collection[str]) -> str:
    """The command that leads to one of *remedies*: plain `fix` where it may choose one; "" where none is applied."""
    from mailmend.catalogue import COMMANDS
    from mailmend.road.choose import ORDER
    from mailmend.road.plan import WATCHED

    known = [name for name in remedies if name in applied()]
    if {*ORDER, WATCHED, *COMMANDS}.intersection(known):
        return "mailmend fix"
    return f"mailmend fix --remedy {known[0]}" if known else ""


def no_such(kind: str, name: str, known: Collection[str]) -> ParseError:
    """`no remedy is called ipv4-reciever; did you mean ipv4-for-receiver?`"""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        step = f"did you mean {near[0]}?"
    elif len(known) <= _FEW:
        step = f"one of: {', '.join(sorted(known))}"
    else:
        step = f"mailmend list {kind}s shows those there are"
    return ParseError(f"no {kind} is called {name}", step)


def require_address(text: str) -> None:
    """Raise ParseError for what can be no address to send to (RFC 5321 4.1.2, the everyday part of it)."""
    if not _ADDRESS.fullmatch(text) or text.startswith("-"):
        raise ParseError(f"{text} is not an address", "write it as user@example.org")


def listing(what: str) -> Outcome:
    """*what* is causes, receivers, checks, remedies or settings; each entry has an id and what it is in one line."""
    entries = {
        "causes": _causes,
        "receivers": _receivers,
        "checks": _checks,
        "remedies": _remedies,
        "settings": _settings,
    }[what]()
    keys = _COLUMNS[what]

    def screen(target: Console) -> None:
        from mailmend.ui.terminal import NAME, STRONG, columns, say, words

        rows: list[tuple[str | Text, ...]] = [
            (words(str(e["id"]), f"{STRONG} {NAME}"), *(_cell(e[key]) for key in keys[1:])) for e in entries
        ]
        columns(target, rows, head=keys, indent=0)
        if what in _LEGENDS:
            target.print()
            say(target, _LEGENDS[what])

    return Outcome(0, show.document("list", {"of": what, what: entries}), screen)


_COLUMNS = {
    "causes": ("id", "title"),
    "receivers": ("id", "rules", "hosts"),
    "checks": ("id", "question"),
    "remedies": ("id", "effect", "act"),
    "settings": ("id", "tier", "activation", "meaning"),
}


_LEGENDS = {
    "settings": "R is equal to root, and set by its own typed name alone; C runs code, or writes files, as another "
    "user; M may open the relay, or let mail be read or diverted; P is plain; what is not listed was never judged. "
    "* stands for any letters.",
}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _causes() -> list[dict[str, Any]]:
    return [show.cause(cause) for _, cause in sorted(cause_pages().items())]


def _receivers() -> list[dict[str, Any]]:
    from mailmend import catalogue

    return [
        {
            "id": receiver.id,
            "rules": len(receiver.rules),
            "hosts": list(receiver.hosts),
            "domains": list(receiver.domains),
        }
        for receiver in catalogue.load().receivers
    ]


def _checks() -> list[dict[str, Any]]:
    from mailmend import catalogue

    return [
        {"id": name, "question": _says(module), "causes": list(module.CAUSES)}
        for name, module in sorted(catalogue.load().checks.items())
    ]


def _remedies() -> list[dict[str, Any]]:
    return [
        {"id": name, "effect": module.EFFECT, "act": _says(module), "heals": list(module.HEALS)}
        for name, module in sorted(remedies().items())
    ]


def _settings() -> list[dict[str, Any]]:
    """By name; patterns stand for what Postfix makes up by the dozen."""
    from mailmend import settings

    loaded = settings.load()
    names = {*loaded.names(), *(pattern for pattern, _ in loaded.patterns)}
    return [show.known(loaded.of(name)) for name in sorted(names)]


def _says(module: ModuleType) -> str:
    """A module's first sentence: what it holds or does."""
    return (module.__doc__ or "").strip().split("\n", 1)[0]


def not_proposed() -> list[dict[str, str]]:
    """The ways that are known and not taken, each with why: `setting`, `why`, `source`."""
    import tomllib
    from importlib.resources import files

    text = files("mailmend.remedies").joinpath("not_proposed.toml").read_text("utf-8")
    ways: list[dict[str, str]] = tomllib.loads(text)["way"]
    return ways
