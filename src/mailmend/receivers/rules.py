"""receivers/*.toml -> Receivers with their rules; a file that is not as it should be is told with its place.

A rule fires where each of the conditions that it has holds: one of `token`, one of `any`, every one of `all`,
none of `none`, the `code`, the `status` (`*.7.25` stands for 4.7.25 and 5.7.25). All are plain words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from mailmend.model import MailmendError
from mailmend.parse import reply

_STATUS = re.compile(r"[245*]\.\d{1,3}\.\d{1,3}")
_DATE = re.compile(r"\d{4}-\d\d(-\d\d)?")
_GAPS = re.compile(r"[\s_]+")
_CONDITIONS = ("token", "any", "all", "none", "code", "status")
_LISTS = ("token", "any", "all", "none", "ambiguous", "checks", "examples")
_WORDS = ("id", "cause", "status", "source", "first", "last")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of a receiver, as a rule writes them, and as they are compared."""

    words: str
    squeezed: str


class RuleError(MailmendError):
    """A file of receivers/ is not as it should be; the reason names file and rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One meaning of a receiver's words. *first* and *last* are the dates between which they were seen."""

    id: str
    receiver: str
    cause: str
    source: str
    examples: tuple[str, ...]
    token: tuple[Phrase, ...] = ()
    any: tuple[Phrase, ...] = ()
    all: tuple[Phrase, ...] = ()
    none: tuple[Phrase, ...] = ()
    code: int | None = None
    status: str | None = None
    ambiguous: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    first: str = ""
    last: str = ""

    @property
    def conditions(self) -> tuple[object, ...]:
        return (*(getattr(self, name) for name in _CONDITIONS),)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who takes the mail. *hosts* are names with a dot before them: every host below, and the name itself.

    *tokens* in a reply are this receiver's alone; *hints* only tell where no host is known. *domains* are
    recipient domains, believed only where nothing else is known.
    """

    id: str
    name: str
    hosts: tuple[str, ...]
    tokens: tuple[Phrase, ...]
    hints: tuple[Phrase, ...]
    domains: tuple[str, ...]
    sources: tuple[str, ...]
    rules: tuple[Rule, ...]


@lru_cache(maxsize=1024)  # a log repeats its replies
def squeeze(text: str) -> str:
    """*text* as rules compare it: normalised, without blanks, for replies are wrapped within words too."""
    return _GAPS.sub("", reply.normalise(text))


def _phrases(words: list[str]) -> tuple[Phrase, ...]:
    # A phrase has no codes to lose, so it is not parsed as a reply is.
    return tuple(Phrase(phrase, _GAPS.sub("", reply.plain(phrase))) for phrase in words)


@cache
def load() -> tuple[Receiver, ...]:
    """All receivers, by id. Raises RuleError."""
    found = [
        parse(file.name, file.read_text("utf-8"))
        for file in Path(__file__).parent.glob("*.toml")  # importlib.resources costs 20 ms more
    ]
    return tuple(sorted(found, key=lambda receiver: receiver.id))


def parse(name: str, text: str) -> Receiver:
    """The receiver that the TOML *text* of the file *name* describes. Raises RuleError."""
    import tomllib

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"receivers/{name}: {error}") from None
    for key in ("id", "name", "hosts", "sources"):
        if not table.get(key):
            raise RuleError(f"receivers/{name}: {key} is missing")
    return Receiver(
        id=table["id"],
        name=table["name"],
        hosts=tuple(f".{host.lower().strip('.')}" for host in table["hosts"]),
        tokens=_phrases(table.get("tokens", [])),
        hints=_phrases(table.get("hints", [])),
        domains=tuple(domain.lower() for domain in table.get("domains", ())),
        sources=tuple(table["sources"]),
        rules=_rules(name, table["id"], table.get("rule", [])),
    )


def _rules(name: str, receiver: str, tables: list[dict[str, Any]]) -> tuple[Rule, ...]:
    rules = tuple(_rule(name, receiver, number, table) for number, table in enumerate(tables, 1))
    seen: dict[object, str] = {}
    for rule in rules:
        for what, key in (("its id", rule.id), ("every condition", rule.conditions)):
            if key in seen:
                raise RuleError(f"receivers/{name}: rule {rule.id} has {what} in common with {seen[key]}")
            seen[key] = rule.id
    return rules


def _rule(name: str, receiver: str, number: int, table: dict[str, Any]) -> Rule:
    place = f"receivers/{name}: rule {table.get('id', number)}"
    known = {field for field in Rule.__dataclass_fields__ if field != "receiver"}
    for key in table.keys() - known:
        raise RuleError(f"{place}: {key} is no key of a rule")
    for key in ("id", "cause", "source", "examples"):
        if not table.get(key):
            raise RuleError(f"{place}: {key} is missing")
    for key in _LISTS:
        if not all(isinstance(word, str) and word for word in table.get(key, [])):
            raise RuleError(f"{place}: {key} is a list of words")
    for key in _WORDS:
        if not isinstance(table.get(key, ""), str):
            raise RuleError(f"{place}: {key} is text")
    if not (table.get("token") or table.get("any") or table.get("all")):
        raise RuleError(f"{place}: a code alone explains nothing; give words or a token")
    if "status" in table and not _STATUS.fullmatch(table["status"]):
        raise RuleError(f"{place}: status {table['status']} is neither a status nor `*.7.25`")
    if not all(_DATE.fullmatch(table[key]) for key in ("first", "last") if key in table):
        raise RuleError(f"{place}: first and last are dates, 2024-03 or 2024-03-01")
    values: dict[str, Any] = {key: tuple(v) if key in _LISTS else v for key, v in table.items()}
    for key in ("token", "any", "all", "none"):
        values[key] = _phrases(table.get(key, []))
    return Rule(receiver=receiver, **values)
