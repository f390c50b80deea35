"""settings.toml -> what is known of a Postfix setting: its tier, what activates it, what it is about."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any, Literal, cast

from mailmend.model import ACTIVATIONS, Activation, MailmendError

Tier = Literal["R", "C", "M", "unlisted", "P"]
Concern = Literal["listeners", "TLS", "relaying"]

# From what is equal to root to what is plain.
TIERS: tuple[Tier, ...] = ("R", "C", "M", "unlisted", "P")
CONCERNS: tuple[Concern, ...] = ("listeners", "TLS", "relaying")
_GROUP = {"names", "tier", "activation", "concerns", "source"}


class SettingsError(MailmendError):
    """settings.toml is wrong in itself; the reason says where."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of *name*. *source* is where its activation is written, or how it was tried.

    *tier* `unlisted`: nobody has judged it. *meaning* is our own sentence, "" where the manual has to do.
    """

    name: str
    tier: Tier
    activation: Activation
    concerns: Concern | None
    source: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Group:
    """Settings alike: *names* are exact, or patterns as in a shell."""

    names: tuple[str, ...]
    tier: Tier
    activation: Activation
    concerns: Concern | None
    source: str


@dataclass(frozen=True, slots=True)
class Settings:
    """settings.toml. *network_tables* and *file_tables* are lookup table types; *lists* as in the file.

    *exact* and *patterns*: the group of each name, and of each pattern in the order of the file.
    """

    exact: Mapping[str, Group]
    patterns: tuple[tuple[str, Group], ...]
    meanings: Mapping[str, str]
    source: str
    network_tables: frozenset[str]
    file_tables: frozenset[str]
    trusted_folders: tuple[str, ...]
    lists: tuple[str, ...]

    def of(self, name: str) -> Known:
        """What is known of the parameter *name*; an exact name wins over a pattern, then the earlier group."""
        group = self.exact.get(name) or next((g for p, g in self.patterns if fnmatchcase(name, p)), None)
        meaning = self.meanings.get(name, "")
        if group is None:
            return Known(name, "unlisted", "reload", None, self.source, meaning)
        return Known(name, group.tier, group.activation, group.concerns, group.source, meaning)

    def reads_files(self, name: str) -> bool:
        """Whether a word `/some/file` in the value of *name* stands for the lines of that file."""
        return _matches(name, self.lists)

    def names(self) -> tuple[str, ...]:
        """Every exact name that is listed, each once, sorted."""
        return tuple(sorted({*self.exact, *self.meanings}))


@cache
def load() -> Settings:
    """The settings.toml that is installed. Raises SettingsError where it is wrong."""
    text = resources.files("mailmend").joinpath("settings.toml").read_text("utf-8")
    return parse(text)


def parse(text: str) -> Settings:
    """Raises SettingsError for an unknown key, tier, activation or concern, and for a name that stands twice."""
    try:
        read = tomllib.loads(text)
        values = read["values"]
        groups = tuple(_group(each, read["default_source"]) for each in read["group"])
        listed = [(name, group) for group in groups for name in group.names]
        made = Settings(
            {name: group for name, group in listed if not _is_pattern(name)},
            tuple((name, group) for name, group in listed if _is_pattern(name)),
            read["meaning"],
            read["default_source"],
            frozenset(values["network_tables"]),
            frozenset(values["file_tables"]),
            tuple(values["trusted_folders"]),
            tuple(values["lists"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as wrong:
        raise SettingsError(f"settings.toml: {wrong}") from None
    seen: set[str] = set()
    for name, _ in listed:
        if name in seen:
            raise SettingsError(f"settings.toml: {name} stands in two groups")
        seen.add(name)
    return made


def _group(read: dict[str, Any], source: str) -> Group:
    if wrong := set(read) - _GROUP:
        raise SettingsError(f"settings.toml: there is no {', '.join(sorted(wrong))} of a group")
    tier, activation = read["tier"], read.get("activation", "reload")
    concerns = read.get("concerns")
    if tier not in TIERS or activation not in ACTIVATIONS or concerns not in (None, *CONCERNS):
        raise SettingsError(f"settings.toml: the group of {read['names'][0]} has an unknown word in it")
    return Group(
        tuple(read["names"]),
        cast(Tier, tier),
        cast(Activation, activation),
        cast("Concern | None", concerns),
        read.get("source", source),
    )


def _is_pattern(name: str) -> bool:
    return any(char in name for char in "*?[")


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(name == p or (_is_pattern(p) and fnmatchcase(name, p)) for p in patterns)
