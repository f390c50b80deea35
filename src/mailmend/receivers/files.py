"""receivers/*.toml -> Receivers with their rules; a file that is not as it should be is told with its place.

TOML is slow to read in Python, and one bounce needs three rules of a thousand. So `load` reads the heads, of
every rule only the words that it cannot fire without, and a rule as a whole when it is looked at. `parse`
reads all of a file at once; validate() holds the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, overload

from mailmend.receivers.rules import SCOPES, Phrase, Receiver, Rule, RuleError, phrases

_FOLDER = Path(__file__).parent
_STATUS = re.compile(r"[245*]\.\d{1,3}\.\d{1,3}(?:-\d{1,3})?")
_DATE = re.compile(r"\d{4}-\d\d(-\d\d)?")
_LISTS = ("token", "any", "all", "none", "ambiguous", "checks", "examples")
_PHRASES = ("token", "any", "all", "none")
_WORDS = ("id", "cause", "source", "first", "last")
_HEAD = {"id", "name", "scope", "hosts", "tokens", "hints", "domains", "sources", "rule"}
_SHORTEST = 3  # squeezed letters: less is in other words, too

_RULE = re.compile(r"^\[\[rule\]\][ \t]*(?:#[^\n]*)?$", re.MULTILINE)
_GATE = re.compile(r"^(token|any|all)[ \t]*=[ \t]*\[(.*?)\][ \t]*(?:#[^\n]*)?$", re.MULTILINE | re.DOTALL)
_STRING = re.compile(r"\"([^\"\\\n]*)\"|'([^'\n]*)'|(\\)|#[^\n]*")


class Rules(Sequence[Rule]):
    """The rules of a file, each read when it is looked at; `gates` needs none of them."""

    def __init__(self, name: str, receiver: str, tables: Sequence[str]) -> None:
        self._name, self._receiver, self._tables = name, receiver, tables
        self._read: dict[int, Rule] = {}

    def __len__(self) -> int:
        return len(self._tables)

    @overload
    def __getitem__(self, number: int) -> Rule: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Rule]: ...
    def __getitem__(self, number: int | slice) -> Rule | Sequence[Rule]:
        if isinstance(number, slice):
            return tuple(self)[number]
        if number in self._read:
            return self._read[number]
        number = range(len(self))[number]
        if number not in self._read:
            table = _toml(f"{self._name}: rule {number + 1}", self._tables[number])
            self._read[number] = _rule(self._name, self._receiver, number + 1, table)
        return self._read[number]

    def gates(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Of every rule its number and its `gates`."""
        for number, table in enumerate(self._tables):
            yield number, _gates(table) or self[number].gates


def _gates(table: str) -> tuple[str, ...]:
    """`Rule.gates` of the rule in *table*, without reading TOML; () where that cannot be told."""
    found = {key: _strings(body) for key, body in _GATE.findall(table)}
    needed = found.get("token") or found.get("any") or found.get("all") or ()
    if not needed or () in found.values():
        return ()
    if not (found.get("token") or found.get("any")):
        needed = (max(needed, key=lambda phrase: len(phrase.squeezed)),)
    return tuple(dict.fromkeys(phrase.squeezed for phrase in needed))


def _strings(body: str) -> tuple[Phrase, ...]:
    found = _STRING.findall(body)
    if any(escape for _, _, escape in found):
        return ()
    return phrases([basic or literal for basic, literal, _ in found if basic or literal])


@cache
def load() -> tuple[Receiver, ...]:
    """All receivers, by id. Raises RuleError for a wrong head; for a wrong rule, once it is looked at."""
    found = [
        _lazily(file.name, file.read_text("utf-8"))
        for file in sorted(_FOLDER.glob("*.toml"))  # importlib.resources costs 20 ms more
    ]
    return tuple(sorted(found, key=lambda receiver: receiver.id))


def _lazily(name: str, text: str) -> Receiver:
    head, *tables = _RULE.split(text)
    table = _toml(name, head)
    return _receiver(name, table, Rules(name, str(table.get("id")), tables))


def parse(name: str, text: str) -> Receiver:
    """The receiver that the TOML *text* of the file *name* describes, every rule looked at. Raises RuleError."""
    table = _toml(name, text)
    tables = table.get("rule", [])
    rules = [_rule(name, str(table.get("id")), n, each) for n, each in enumerate(tables, 1)]
    receiver = _receiver(name, table, tuple(rules))
    distinct(receiver)
    return receiver


def whole(receiver: Receiver) -> None:
    """Hold a receiver that `load` gave against its file, read as a whole. Raises RuleError."""
    if not isinstance(receiver.rules, Rules):
        return
    read = parse(receiver.file, (_FOLDER / receiver.file).read_text("utf-8"))
    if tuple(read.rules) != tuple(receiver.rules):
        raise RuleError(f"receivers/{receiver.file}: rules are tables that begin with a line of [[rule]]")
    for number, gates in receiver.rules.gates():
        if gates != read.rules[number].gates:
            raise RuleError(
                f"receivers/{receiver.file}: rule {read.rules[number].id}: token, any and all are lists in"
                " plain quotes, without quotes in comments between them"
            )


def distinct(receiver: Receiver) -> None:
    """No two rules have their id or every condition in common. Raises RuleError."""
    seen: dict[object, str] = {}
    for rule in receiver.rules:
        for what, key in (("its id", rule.id), ("every condition", rule.conditions)):
            if key in seen:
                raise RuleError(
                    f"receivers/{receiver.file}: rule {rule.id} has {what} in common with {seen[key]}"
                )
            seen[key] = rule.id


def _toml(place: str, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"receivers/{place}: {error}") from None


def _receiver(name: str, table: dict[str, Any], rules: Sequence[Rule]) -> Receiver:
    scope = table.get("scope", "receiver")
    if scope not in SCOPES:
        raise RuleError(f"receivers/{name}: scope is one of {', '.join(reversed(SCOPES))}")
    for key in table.keys() - _HEAD:
        raise RuleError(f"receivers/{name}: {key} is no key of a receiver")
    for key in ("id", "name", "sources", *(("hosts",) if scope == "receiver" else ())):
        if not table.get(key):
            raise RuleError(f"receivers/{name}: {key} is missing")
    tokens, hints = phrases(table.get("tokens", [])), phrases(table.get("hints", []))
    for phrase in (*tokens, *hints):
        _long_enough(f"receivers/{name}", phrase)
    return Receiver(
        id=table["id"],
        name=table["name"],
        hosts=tuple(f".{host.lower().strip('.')}" for host in table.get("hosts", ())),
        tokens=tokens,
        hints=hints,
        domains=tuple(domain.lower() for domain in table.get("domains", ())),
        sources=tuple(table["sources"]),
        rules=rules,
        scope=scope,
        file=name,
    )


def _rule(name: str, receiver: str, number: int, table: dict[str, Any]) -> Rule:
    place = f"receivers/{name}: rule {table.get('id', number)}"
    _require(place, table)
    values: dict[str, Any] = {key: tuple(v) if key in _LISTS else v for key, v in table.items()}
    for key in _PHRASES:
        values[key] = phrases(table.get(key, []))
        for phrase in values[key]:
            _long_enough(place, phrase)
    for key, kind in (("code", int), ("status", str)):
        given = table.get(key, [])
        values[key] = tuple(given) if isinstance(given, list) else (given,)
        if not all(type(each) is kind for each in values[key]):
            raise RuleError(f"{place}: {key} is {'a number' if kind is int else 'text'}, or a list of them")
    for status in values["status"]:
        if not _STATUS.fullmatch(status):
            raise RuleError(f"{place}: status {status} is neither a status nor `*.7.25` nor `5.7.1-9`")
    return Rule(receiver=receiver, **values)


def _require(place: str, table: dict[str, Any]) -> None:
    known = {field for field in Rule.__dataclass_fields__ if field != "receiver"}
    for key in table.keys() - known:
        raise RuleError(f"{place}: {key} is no key of a rule")
    for key in ("id", "cause", "source", "examples"):
        if not table.get(key):
            raise RuleError(f"{place}: {key} is missing")
    for key in _LISTS:
        words = table.get(key, [])
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise RuleError(f"{place}: {key} is a list of words")
    for key in _WORDS:
        if not isinstance(table.get(key, ""), str):
            raise RuleError(f"{place}: {key} is text")
    if not isinstance(table.get("weak", False), bool):
        raise RuleError(f"{place}: weak is true or false")
    if not (table.get("token") or table.get("any") or table.get("all")):
        raise RuleError(f"{place}: a code alone explains nothing; give words or a token")
    if not all(_DATE.fullmatch(table[key]) for key in ("first", "last") if key in table):
        raise RuleError(f"{place}: first and last are dates, 2024-03 or 2024-03-01")


def _long_enough(place: str, phrase: Phrase) -> None:
    # A word of Chinese or Japanese has two.
    if len(phrase.squeezed) < (_SHORTEST if phrase.squeezed.isascii() else 2):
        raise RuleError(f"{place}: {phrase.words!r} is in too many words; give {_SHORTEST} letters at least")
