"""A Sieve script -> the addresses that it redirects to; Dovecot's settings -> where such scripts lie."""

from __future__ import annotations

import re

_LONGEST = 1_000_000
# Comments and texts of several lines say nothing that is done (RFC 5228 2.3, 2.4.2).
_NOTHING = re.compile(
    r'"(?:[^"\\]|\\.)*"|(#[^\n]*|/\*.*?\*/|\btext:[ \t]*(?:#[^\n]*)?\r?\n.*?\n\.\r?(?:\n|$))', re.DOTALL
)
# Its tags have no arguments: `:copy` (RFC 3894), `:list` names no address (RFC 6134).
_REDIRECT = re.compile(r'\bredirect\s+(?::(?!list\b)\w+\s+)*"([^"\\\n]{3,250})"\s*;', re.IGNORECASE)
_SETTING = re.compile(r"^[ \t]*(\w+)[ \t]*=[ \t]*([^\n]*?)[ \t]*$", re.MULTILINE)
ACTIVE = "~/.dovecot.sieve"  # Pigeonhole's default


def redirects(script: str) -> tuple[str, ...]:
    """Each address of an action `redirect` (RFC 5228 4.2), once, whether it is taken always or on a condition."""
    said = _NOTHING.sub(lambda found: " " if found[1] else found[0], script[:_LONGEST])
    return tuple(dict.fromkeys(match[1] for match in _REDIRECT.finditer(said)))


def places(texts: tuple[str, ...]) -> tuple[str, str]:
    """(the active script, the home of virtual users) as Dovecot's files *texts* set them, the last one counting.

    With Dovecot's variables in them; "" for a home that nobody set. 2.3: `sieve = file:DIR;active=PATH`, 2.4:
    `active_path` of a `sieve_script` (doc.dovecot.org, sieve and sieve_script).
    """
    active, home = ACTIVE, ""
    for text in texts:
        for name, value in _SETTING.findall(re.sub(r"#[^\n]*", "", text[:_LONGEST])):
            if name == "active_path":
                active = value
            elif name == "mail_home":
                home = value
            elif name == "sieve":
                path, *options = value.split(";")
                told = [each.removeprefix("active=") for each in options if each.startswith("active=")]
                # A place of several scripts has its active one where the default says.
                active = told[-1] if told else ACTIVE if value.startswith("file:") else path
    return active, home


def filled(template: str, address: str, home: str) -> str:
    """*template* for the user *address*, whose home is *home*; "" where something in it is not known."""
    local, _, domain = address.rpartition("@")
    values = {
        "u": address,
        "n": local,
        "d": domain,
        "h": home,
        "user": address,
        "username": local,
        "domain": domain,
    }
    values |= {"user|username": local, "user|domain": domain, "home": home}

    def value(found: re.Match[str]) -> str:
        name = (found[1] or found[2]).replace(" ", "")
        lower = name.startswith("L") and name[1:] in values
        return values.get(name[1:], "").lower() if lower else values.get(name, "\0")

    path = re.sub(r"%(?:\{([^}]*)\}|(L?[a-z]))", value, template)
    if path.startswith("~/"):
        path = f"{home}{path[1:]}" if home else ""
    return "" if "\0" in path or "%" in path or not path.startswith("/") else path
