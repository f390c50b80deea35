"""A folder of data -> a probe that answers as that host would, and what its operator should be told.

`world.toml` is laid over base.toml. `[settings]` are main.cf's lines, `[defaults]` Postfix's own,
`[dns]` maps `name TYPE` to records or to `error: ...`, `[hosts]` is /etc/hosts, `[fails]` maps a question to
the look's error.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailmend import questions as q
from mailmend.model import CannotLook, Question, Scope, family_of
from mailmend.system.probe import Live, Remembering

HERE = Path(__file__).parent
_MAP_TYPES = (
    "hash", "regexp", "pcre", "tcp", "socketmap", "pipemap", "unix", "inline", "static", "texthash",
)  # fmt: skip
NOW = datetime(2026, 1, 3, 12, 0, tzinfo=UTC)


class World:
    """*data* as read from TOML; `probe()` begins afresh each time."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        scope: dict[str, Any] = data.get("scope", {})
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in scope.items()}
        self.scope = Scope(**fields)

    def probe(self) -> Remembering:
        lookers: dict[type[Question[Any]], Callable[[Any], Any]] = {
            q.Now: lambda _: NOW,
            q.Host: lambda _: self._host(),
            q.HostAddresses: lambda _: tuple(map(_host_address, self.data["host"]["addresses"])),
            q.SourceAddress: self._source,
            q.File: self._file,
            q.Stat: self._file,
            q.Records: self._records,
            q.Resolve: self._resolve,
            q.Setting: self._setting,
            q.Services: lambda _: tuple(self._service(k, v) for k, v in self.data["services"].items()),
            q.MapTypes: lambda _: _MAP_TYPES,
            q.MapLookup: self._table,
            q.MapEntries: self._entries,
            q.Master: lambda _: q.Running(
                *(self.data["running"].get(k) or None for k in ("pid", "since", "reloaded"))
            ),
            # What other programs than Postfix listen on.
            q.Bindable: lambda asked: (
                "in use" if asked.port in self.data["running"].get("others", []) else ""
            ),
            q.Listeners: lambda _: tuple(map(self._listener, self.data["running"]["listeners"])),
            q.RecentDeliveries: lambda _: self._log(),
        }
        for name, error in self.data.get("fails", {}).items():
            lookers[getattr(q, name)] = _failing(error)
        return Remembering(Live(lookers))

    def _host(self) -> q.HostFacts:
        return q.HostFacts(
            "relay", "debian", "12", "systemd", "postfix@-.service", "/var/log/mail.log", False,
            self.data["host"]["container"], None, "root", True,
        )  # fmt: skip

    def _source(self, asked: q.SourceAddress) -> str:
        chosen = self.data["kernel"].get(family_of(asked.destination))
        if not chosen:
            raise CannotLook(f"no route to {asked.destination}")
        return str(chosen)

    def _file(self, asked: q.File | q.Stat) -> q.FileState:
        text = self.data["files"].get(asked.path)
        modified = self.data["modified"].get(asked.path)
        there = text is not None or modified is not None
        return q.FileState(asked.path, there, text or "", 0o644, "root", modified, None)

    def _records(self, asked: q.Records) -> q.DnsAnswer:
        zone = self.data["dns"]
        found = zone.get(f"{asked.name} {asked.type}", [])
        if isinstance(found, str):
            raise CannotLook(found.removeprefix("error: "))
        exists = any(
            key.split()[0] == asked.name or key.split()[0].endswith(f".{asked.name}") for key in zone
        )
        return q.DnsAnswer(tuple(found), exists, False)

    def _resolve(self, asked: q.Resolve) -> tuple[str, ...]:
        """`[hosts]` is /etc/hosts; what it does not know is asked of DNS."""
        families = (asked.family,) if asked.family else ("ipv4", "ipv6")
        found = [ip for ip in self.data.get("hosts", {}).get(asked.name, []) if family_of(ip) in families]
        for family in () if found else families:
            found += self._records(q.Records(asked.name, "A" if family == "ipv4" else "AAAA")).records
        return tuple(found)

    def _setting(self, asked: q.Setting) -> q.SettingValue:
        written = self.data["settings"].get(asked.name)
        if asked.service:
            overrides = self.data["services"][asked.service].get("overrides", {})
            written = overrides.get(asked.name, written)
        text = written if written is not None else self.data["defaults"].get(asked.name)
        if asked.name in self.data.get("lacks", {}).get("settings", []):
            text = None
        return q.SettingValue(None if text is None else self._expand(text), written)

    def _expand(self, text: str) -> str:
        def one(found: re.Match[str]) -> str:
            return self._setting(q.Setting(found[1])).value or ""

        return re.sub(r"\$\{?(\w+)\}?", one, text)

    def _service(self, name: str, entry: dict[str, Any]) -> q.Service:
        service, _, kind = name.partition("/")
        over = tuple(entry.get("overrides", {}).items())
        return q.Service(service, kind, "-", "-", entry.get("chroot", "n"), "-", "-", entry["command"], over)

    def _entries(self, asked: q.MapEntries) -> q.Entries:
        table = self.data["tables"].get(asked.table)
        if table is None:
            raise CannotLook(f"{asked.table}: No such file or directory")
        return q.Entries(tuple(table.items())[: asked.most], len(table) > asked.most)

    def _table(self, asked: q.MapLookup) -> str:
        table = self.data["tables"].get(asked.table)
        if table is None:
            raise CannotLook(
                f"{asked.table}: open {asked.table.rpartition(':')[2]}: No such file or directory"
            )
        return str(table.get(asked.key, ""))

    def _listener(self, text: str) -> q.Listener:
        address, port, fd = text.split()
        return q.Listener(address, int(port), self.data["running"]["pid"], int(fd))

    def _log(self) -> q.LogCounts:
        counts = tuple(map(_delivery, self.data["log"]["deliveries"]))
        return q.LogCounts("/var/log/mail.log", 1000, 0, NOW, NOW, counts)


def load(name: str) -> World:
    """The world of that folder, over base.toml."""
    return World(_over(_toml(HERE / "base.toml"), _toml(HERE / name / "world.toml")))


def made(**changes: Any) -> World:
    """base.toml with *changes* laid over it."""
    return World(_over(_toml(HERE / "base.toml"), changes))


def names() -> list[str]:
    return sorted(path.parent.name for path in HERE.glob("*/world.toml"))


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _over(out[key], value) if both else value
    return out


def _failing(error: str) -> Callable[[Any], Any]:
    def look(_: Any) -> Any:
        raise CannotLook(error)

    return look


def _host_address(text: str) -> q.HostAddress:
    ip, interface, *flags = text.split()
    return q.HostAddress(
        ip, interface, "loopback" in flags, "link-local" in flags, "temporary" in flags, "deprecated" in flags
    )


def _delivery(entry: dict[str, Any]) -> q.DeliveryCount:
    """`sent` or `refused` in short; the rest has defaults."""
    status = entry["status"]
    text = entry.get("text", "250 2.0.0 OK")
    code = re.match(r"\d{3}", text)
    return q.DeliveryCount(
        relay_host=entry.get("relay", "gmail-smtp-in.l.google.com"),
        family=entry["family"],
        status=status,
        code=int(code[0]) if code else None,
        dsn=entry.get("dsn", "2.0.0"),
        text=text,
        recipient_domain=entry.get("to", "gmail.com"),
        service=entry.get("service", "smtp"),
        count=entry["count"],
        forwarded=entry.get("forwarded", 0),
        senders=tuple(entry.get("senders", [])),
        last=entry.get("last", NOW),
        first=entry.get("first"),
    )
