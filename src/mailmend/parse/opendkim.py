"""opendkim.conf(5), and key records as opendkim-genkey(8) writes them -> settings and tags (RFC 6376 3.6.1)."""

from __future__ import annotations

import re

_STRING = re.compile(r'"([^"]{0,255})"')
_LONGEST = 64_000


def settings(text: str) -> dict[str, str]:
    """Every setting by its name in lower case; of one that stands twice the last, which is the one that counts.

    opendmarc.conf(5) is written the same way.
    """
    found = {}
    for line in text[:_LONGEST].splitlines():
        name, *rest = line.partition("#")[0].split(None, 1)[:2] or [""]
        if name and rest:
            found[name.lower()] = rest[0].strip()
    return found


def words(value: str) -> tuple[str, ...]:
    """A list that is written out (`csl:` or nothing before it); () for one that stands in a file or a database."""
    plain = value.removeprefix("csl:")
    if plain.startswith("/") or re.match(r"[a-z]{2,8}:[^:]", plain):
        return ()
    return tuple(word.lower() for word in plain.replace(",", " ").split())


def record(text: str) -> str:
    """The TXT record of a file in the form of a zone: its strings joined; "" where there is none."""
    return "".join(_STRING.findall(text[:_LONGEST]))


def tags(record: str) -> dict[str, str]:
    """`v=DKIM1; k=rsa; p=...` -> its tags, without white space in the values."""
    pairs = (part.partition("=") for part in record[:_LONGEST].split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, equals, value in pairs if equals}
