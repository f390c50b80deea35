"""postsrsd's settings, of 1.x (sh, /etc/default/postsrsd) and 2.x (/etc/postsrsd.conf) -> its domain and its sockets.

The one line that names the domain is set and taken back; every other byte stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULTS, CONF = "/etc/default/postsrsd", "/etc/postsrsd.conf"
FILES = (DEFAULTS, CONF)
_LONGEST = 64_000
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
# A line that names the domain and does nothing else: no second command, no `$`.
_PLAIN = {
    DEFAULTS: re.compile(rf"SRS_DOMAIN=([\"']?)({_NAME})\1"),
    CONF: re.compile(rf"srs-domain[ \t]*=[ \t]*([\"'])({_NAME})\1"),
}
# Any line that sets it, however; and the one that the distribution left commented out.
_SETS = {DEFAULTS: re.compile(r"\s*(?:export\s+)?SRS_DOMAIN="), CONF: re.compile(r"\s*srs-domain\s*=")}
_HINTS = {DEFAULTS: re.compile(r"#\s*SRS_DOMAIN="), CONF: re.compile(r"#\s*srs-domain\s*=")}
_WRITTEN = {DEFAULTS: "SRS_DOMAIN={}", CONF: 'srs-domain = "{}"'}


@dataclass(frozen=True, slots=True)
class Settings:
    """*domain*: what envelopes are rewritten into, lower case; "" where the file leaves it to a default.

    *forward* and *reverse* are where it is asked: `inet:HOST:PORT` or `unix:PATH`; the same socket for both in 2.x.
    """

    domain: str
    forward: str
    reverse: str


def settings(path: str, text: str) -> Settings:
    """The settings in *text*, the file *path* (one of FILES); of lines that set the same the last one counts."""
    text = text[:_LONGEST]
    if path == CONF:
        where = _last(r"^\s*socketmap\s*=\s*[\"']?([^\s\"'#]+)", text) or "unix:/var/spool/postfix/srs"
        return Settings(_domain_of_conf(text), where, where)
    host = _last(r"^\s*SRS_LISTEN_ADDR=[\"']?([^\s\"'#;]+)", text) or "127.0.0.1"
    ports = (
        _last(rf"^\s*SRS_{way}_PORT=[\"']?(\d{{1,5}})", text) or port
        for way, port in (("FORWARD", "10001"), ("REVERSE", "10002"))
    )
    forward, reverse = (f"inet:{host}:{port}" for port in ports)
    return Settings(_last(rf"^\s*SRS_DOMAIN=[\"']?({_NAME})", text).lower(), forward, reverse)


def assign(path: str, text: str, domain: str) -> str:
    """*text* with the line that names *domain*: in the place of the last one that does, where that is a plain one."""
    lines = text.split("\n")
    ours = _WRITTEN[path].format(domain)
    set_by = [n for n, line in enumerate(lines) if _SETS[path].match(line)]
    if set_by and _PLAIN[path].fullmatch(lines[set_by[-1]]):
        lines[set_by[-1]] = ours
        return "\n".join(lines)
    hints = [n for n, line in enumerate(lines) if _HINTS[path].match(line)]
    # Behind whatever sets it: the last one counts. An empty string at the end is no line.
    behind = (set_by or hints or [len(lines) - 1 - (not lines[-1])])[-1] + 1
    if behind == len(lines):
        return f"{text}\n{ours}\n" if text else f"{ours}\n"
    return "\n".join([*lines[:behind], ours, *lines[behind:]])


def domain_alone(path: str, before: str, after: str) -> bool:
    """Whether the two differ in plain lines that name the domain, and in nothing else."""
    if path not in FILES or len(before) + len(after) > 2 * _LONGEST:
        return False
    return _rest(path, before) == _rest(path, after)


def without(path: str, before: str, after: str, current: str) -> str | None:
    """*current* with the domain of *before* in the place of that of *after*; None where somebody changed it since."""
    if path not in FILES or not domain_alone(path, before, after):
        return None
    old, ours, now = (_plain(path, text) for text in (before, after, current))
    if now == old:
        return current
    if now != ours or len(ours) - len(old) not in (0, 1):
        return None
    lines = current.split("\n")
    places = [n for n, line in enumerate(lines) if _PLAIN[path].fullmatch(line)]
    if len(ours) == len(old):
        for place, line in zip(places, old, strict=True):
            lines[place] = line
    else:
        del lines[places[next(n for n, line in enumerate(ours) if [*ours[:n], *ours[n + 1 :]] == old)]]
    return "\n".join(lines)


def _domain_of_conf(text: str) -> str:
    """srs-domain, else the first of `domains`: postsrsd.conf's own comment says so."""
    if named := _last(rf"^\s*srs-domain\s*=\s*[\"']?({_NAME})", text):
        return named.lower()
    return _last(rf"^\s*domains\s*=\s*\{{\s*[\"']?({_NAME})", text).lower()


def _last(pattern: str, text: str) -> str:
    found: list[str] = re.findall(pattern, text, re.MULTILINE)
    return found[-1] if found else ""


def _plain(path: str, text: str) -> list[str]:
    return [line for line in text.split("\n") if _PLAIN[path].fullmatch(line)]


def _rest(path: str, text: str) -> list[str]:
    return [line for line in text.split("\n") if not _PLAIN[path].fullmatch(line)]
