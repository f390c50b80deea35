"""status -> each address family against the layers that mail goes through, in the words that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.model import Family, family_of
from mailmend.ui.show.common import Shape

if TYPE_CHECKING:
    from mailmend.jobs.status import Status

FAMILIES: tuple[tuple[Family, str], ...] = (("ipv4", "IPv4"), ("ipv6", "IPv6"))
LAYERS = ("saved", "loaded", "listening", "smtp client", "delivering")
Told = tuple[str, str]


def layers(seen: Status) -> list[Shape]:
    """One entry a family, with a `{"says", "mood"}` for every layer; *mood* is good, warn, bad or ""."""
    return [
        {
            "family": family,
            "name": name,
            "layers": [
                {"layer": layer, "says": says, "mood": mood}
                for layer, (says, mood) in zip(
                    LAYERS,
                    (
                        _saved(seen, family),
                        _loaded(seen),
                        _listening(seen, family),
                        _client(seen, family),
                        _delivering(seen, family),
                    ),
                    strict=True,
                )
            ],
        }
        for family, name in FAMILIES
    ]


def _saved(seen: Status, family: Family) -> Told:
    protocols = seen.settings.get("inet_protocols")
    if protocols is None or protocols.value is None:
        return "not known", ""
    used = protocols.value.replace(",", " ").split()
    return "on" if "all" in used or family in used else "off", ""


def _loaded(seen: Status) -> Told:
    if seen.running is None or seen.running.pid is None:
        return "not running" if seen.running else "not known", "warn"
    causes = {f.cause for f in seen.findings if f.standing == "measured"}
    if "loaded-not-restarted" in causes:
        return "needs a restart", "warn"
    if "saved-not-loaded" in causes:
        return "needs a reload", "warn"
    return "yes", "good"


def _listening(seen: Status, family: Family) -> Told:
    if seen.listeners is None:
        return "not known", ""
    ports = {s.port for s in seen.listeners if family_of(s.address) == family}
    return f"port {', '.join(map(str, sorted(ports)))}" if ports else "no", ""


def _client(seen: Status, family: Family) -> Told:
    """The smtp clients that may use the family; where all may, how many there are is no news."""
    if seen.clients is None:
        return "not known", ""
    using = [name.partition("/")[0] for name, families in seen.clients if family in families]
    if len(using) == len(seen.clients):
        return "on", ""
    return ", ".join(using) if using else "off", ""


def _delivering(seen: Status, family: Family) -> Told:
    if seen.deliveries is None:
        return "not known", ""
    counts = {
        status: sum(c.count for c in seen.deliveries.counts if c.family == family and c.status == status)
        for status in ("sent", "deferred", "bounced")
    }
    told = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    return told or "none in the last day", "bad" if counts["bounced"] else ""
