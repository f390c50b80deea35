"""main.cf and master.cf of one instance -> every value in them, expanded as its service would use it (postconf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailmend.parse import maincf, mastercf
from mailmend.questions import Service

_REFERENCE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|\(([A-Za-z0-9_]+)\)|([A-Za-z0-9_]+))")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Value:
    """One assignment: *service* is `name/type` for a `-o` of master.cf, None for main.cf; *raw* as it is written."""

    service: str | None
    name: str
    raw: str
    expanded: str


@dataclass(frozen=True, slots=True)
class Part:
    """One Postfix instance as saved: *main* and *master* are the files' texts, *directory* where they lie.

    *defaults* are values that hold where main.cf has none: directories, the host's name, `alias_maps`.
    """

    directory: str
    main: str
    master: str
    defaults: Mapping[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """What main.cf says, over the defaults; not expanded."""
        parsed = maincf.parse(self.main)
        written = {a.name: a.value for a in parsed.assignments}
        return {**self.defaults, **written, "config_directory": self.directory}

    def value(self, name: str) -> str:
        """One parameter of main.cf, expanded; "" where it is empty or unknown."""
        settings = self.settings()
        return expand(settings.get(name, ""), settings)

    def services(self) -> tuple[Service, ...]:
        return mastercf.parse(self.master).services()

    def values(self) -> Iterator[Value]:
        """Every assignment of both files, `alias_maps` too where its default applies."""
        settings = self.settings()
        names = dict.fromkeys(a.name for a in maincf.parse(self.main).assignments)
        for name in (*names, *(n for n in ("alias_maps",) if n not in names and n in settings)):
            yield Value(None, name, settings[name], expand(settings[name], settings))
        for service in self.services():
            own = {**settings, **dict(service.overrides)}
            for name, raw in service.overrides:
                yield Value(service.id, name, raw, expand(raw, own))

    @property
    def queue(self) -> str:
        return self.value("queue_directory") or "/var/spool/postfix"

    @property
    def data(self) -> str:
        return self.value("data_directory") or "/var/lib/postfix"


def expand(text: str, settings: Mapping[str, str]) -> str:
    """`$name`, `${name}` and `$(name)` for what they stand for; conditional forms stay as they are written."""

    def one(found: re.Match[str]) -> str:
        return settings.get(found[1] or found[2] or found[3], "")

    for _ in range(_DEEPEST):
        expanded = _REFERENCE.sub(one, text)
        if expanded == text:
            break
        text = expanded
    return text
