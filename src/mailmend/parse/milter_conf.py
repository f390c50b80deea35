"""opendkim.conf(5) and opendmarc.conf(5): the lines that a change may set, in both directions; no other byte moves.

Which key signs for whom, where the daemon listens, whose mail is judged: nothing that runs a program or names
another user can be written by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mailmend.parse import opendkim

OPENDKIM, OPENDMARC = "/etc/opendkim.conf", "/etc/opendmarc.conf"
FILES = (OPENDKIM, OPENDMARC)
_LONGEST = 64_000
_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_NETWORK = r"\[?[A-Za-z0-9][A-Za-z0-9.:-]*\]?(?:/\d{1,3})?|\[?::[0-9A-Fa-f:.]*\]?(?:/\d{1,3})?"
_SOCKET = r"inet:\d{1,5}@localhost"
# By file and name, lower case, what may be written.
_PLAIN = {
    OPENDKIM: {
        "domain": rf"{_NAME}(?:,{_NAME})*",
        "subdomains": r"yes",
        "selector": _NAME,
        "keyfile": r"/etc/dkimkeys/[A-Za-z0-9][A-Za-z0-9_-]*\.private",
        "socket": _SOCKET,
        "mode": r"sv",
        "internalhosts": rf"(?:{_NETWORK})(?:,(?:{_NETWORK}))*",
        "authservid": _NAME,
        "authservidwithjobid": r"no",
    },
    OPENDMARC: {
        "socket": _SOCKET,
        "authservid": _NAME,
        "trustedauthservids": _NAME,
        "spfselfvalidate": r"true",
        "ignoreauthenticatedclients": r"true",
        "ignorehosts": r"/etc/opendmarc/ignore\.hosts",
    },
}


def assign(text: str, lines: Iterable[str]) -> str:
    """*text* with *lines* (`Name value`), each in the place of the last one of its name, else at the end.

    Of one that stands twice the last counts (measured with opendkim 2.11.0 and opendmarc 1.4.2).
    """
    for line in lines:
        there = text.split("\n")
        places = [n for n, each in enumerate(there) if _name(each) == _name(line)]
        if places:
            there[places[-1]] = line
            text = "\n".join(there)
        else:
            text = f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n"
    return text


def ours_alone(path: str, before: str, after: str) -> bool:
    """Whether the two differ in lines that may be set here, and each that is new has a plain value."""
    if path not in FILES or len(before) + len(after) > 2 * _LONGEST:
        return False
    if _rest(path, before) != _rest(path, after):
        return False
    old = set(before.split("\n"))
    return all(_is_plain(path, line) for line in _set(path, after) if line not in old)


def without(path: str, before: str, after: str, current: str) -> str | None:
    """*current* with the lines of *before* in the place of those of *after*; None where one was changed since."""
    if not ours_alone(path, before, after):
        return None
    for name in _PLAIN[path]:
        old, ours, now = (_lines(name, text) for text in (before, after, current))
        if old in (now, ours):
            continue
        if now != ours or len(ours) - len(old) not in (0, 1):
            return None
        lines = current.split("\n")
        places = [n for n, line in enumerate(lines) if _name(line) == name]
        for place, line in zip(places, old, strict=False):
            lines[place] = line
        for place in places[len(old) :]:
            del lines[place]
        current = "\n".join(lines)
    return current


def ports(texts: Mapping[str, str | None]) -> frozenset[str]:
    """The ports at which milters listen by *texts* (path -> text; other files, and None, say nothing)."""
    sockets = (opendkim.settings(texts.get(path) or "").get("socket", "") for path in FILES)
    found = (
        socket.removeprefix("inet:").partition("@")[0] for socket in sockets if socket.startswith("inet:")
    )
    return frozenset(port for port in found if port.isdigit())


def _name(line: str) -> str:
    """The setting of a line, lower case; "" for a comment or an empty one."""
    return next(iter(line.partition("#")[0].split()), "").lower()


def _lines(name: str, text: str) -> list[str]:
    return [line for line in text.split("\n") if _name(line) == name]


def _is_plain(path: str, line: str) -> bool:
    found = re.fullmatch(r"([A-Za-z]+)[ \t]+(\S+)", line)
    return bool(found) and bool(re.fullmatch(_PLAIN[path][_name(line)], found[2]))  # type: ignore[index]


def _set(path: str, text: str) -> list[str]:
    return [line for line in text.split("\n") if _name(line) in _PLAIN[path]]


def _rest(path: str, text: str) -> list[str]:
    """Every other line; where the last one had no end, ours gave it one."""
    lines = text.split("\n")
    return [line for line in lines[: -1 if lines[-1] == "" else None] if _name(line) not in _PLAIN[path]]
