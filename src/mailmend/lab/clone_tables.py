"""The lookup tables that a value names -> the same in the lab: built there, read as another type, or left empty.

DATABASE_README, postmap(1). Passwords (smtp_sasl_password_maps, SASL_README) are replaced by throw-away ones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mailmend.parse import logical
from mailmend.parse.listing import words
from mailmend.rehearsal import LeftOut

# An index is made of the text with postmap(1) or postalias(1).
INDEXED = ("hash", "btree", "lmdb", "cdb", "dbm", "sdbm")
SUFFIXES = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb", "dbm": ".pag", "sdbm": ".pag"}
TEXT = ("texthash", "regexp", "pcre", "cidr")
# Answered by a server or a library that the lab does not have.
ELSEWHERE = (
    "ldap", "mysql", "pgsql", "sqlite", "memcache", "mongodb", "tcp", "socketmap", "nis", "nisplus", "netinfo",
    "hesiod",
)  # fmt: skip
_TABLE = re.compile(
    rf"(?:(?<=\bproxy:)|(?<![\w.:]))(?P<type>{'|'.join((*INDEXED, *TEXT, *ELSEWHERE))}):(?P<name>[^\s,{{}}]+)"
)
# What Postfix writes itself, and makes anew where it is missing.
_CACHES = re.compile(r".*_(?:cache_database|cache_map|cache_name)|address_verify_map|postscreen_cache_map")
PASSWORDS = re.compile(r".*_sasl_password_maps")
ALIASES = ("alias_maps", "alias_database")
EMPTY = "/etc/postfix-rehearsal/empty"
_MENTIONED = re.compile(r"\$[{(]?(\w+)")
THROW_AWAY = "rehearsal:rehearsal"
_INLINE = re.compile(r"(?:proxy:)?(?:static|inline):")
_PATTERN_END = re.compile(r"(?:/(?:\\.|[^/\\])*/|([^\w\s])(?:\\.|(?!\1)[^\\])*\1)[A-Za-z]*(?=\s)")


def secrets(values: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Of (name, value as written): the settings whose tables hold passwords, and those that they mention."""
    of = {name: raw for name, raw in values if PASSWORDS.fullmatch(name)}
    return frozenset(of) | {found for raw in of.values() for found in _MENTIONED.findall(raw)}


@dataclass(frozen=True, slots=True)
class Table:
    """`type:name` as a setting has it. *aliases*: its text is aliases(5); *secret*: its values are passwords."""

    setting: str
    type: str
    name: str
    aliases: bool
    secret: bool


def named(setting: str, expanded: str, *, secret: bool = False) -> tuple[Table, ...]:
    """The tables in the files of the host that *setting* names; caches are none."""
    if _CACHES.fullmatch(setting):
        return ()
    return tuple(
        Table(setting, m["type"], m["name"], setting in ALIASES, secret)
        for m in _TABLE.finditer(expanded)
        if m["type"] not in ELSEWHERE and m["name"].startswith("/")
    )


def translated(
    setting: str,
    raw: str,
    usable: Collection[str],
    *,
    secret: bool = False,
    served: Collection[str] = (),
) -> tuple[str, tuple[LeftOut, ...]]:
    """*raw* with the table types that the lab can open, and what is not the same with them.

    *secret*: what stands in the value itself are passwords. *served*: the tables that a server of the lab answers.
    """
    left: list[LeftOut] = []
    index = "hash" if "hash" in usable else "lmdb"

    def one(found: re.Match[str]) -> str:
        kind, name = found["type"], found["name"]
        if kind in ELSEWHERE and found[0] in served:
            return found[0]
        if kind in ELSEWHERE:
            left.append(LeftOut(f"{kind}:{name}", f"{setting} asks it; in the lab it knows nobody"))
            return f"texthash:{EMPTY}"
        if kind in usable:
            return found[0]
        if kind in INDEXED:
            left.append(LeftOut(f"{kind} tables", f"the lab's Postfix reads them as {index}"))
            return f"{index}:{name}"
        left.append(LeftOut(f"{kind}:{name}", "the lab's Postfix has no pcre: read as regexp there"))
        return f"regexp:{name}"

    value = _TABLE.sub(one, raw)
    if secret:
        kept = (f"static:{THROW_AWAY}" if _INLINE.match(word) else word for word in words(value))
        value = " ".join(kept)
    return value, tuple(dict.fromkeys(left))


def without_passwords(text: str, kind: str) -> str:
    """A password table's text with its keys, and a throw-away name and password for every value."""
    out = []
    for line in logical.lines(text):
        key = line.text.split(None, 1)[0] if line.text.split() else ""
        if kind in ("regexp", "pcre"):
            pattern = _PATTERN_END.match(line.text)
            if not pattern:  # if, endif: no value stands there
                continue
            key = pattern[0]
        out.append(f"{key} {THROW_AWAY}\n")
    return "".join(out)
