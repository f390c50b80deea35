"""The TLS level that a client uses towards a next hop: smtp_tls_policy_maps, else the general level (TLS_README)."""

from __future__ import annotations

from typing import Protocol

from mailmend.facts.settings import lookup, value
from mailmend.model import Probe


class Hop(Protocol):
    """A way out, as far as TLS is concerned: the smtp client and what it connects to."""

    @property
    def service(self) -> str: ...
    @property
    def nexthop(self) -> str: ...


def policy(way: Hop, probe: Probe) -> str:
    """The level that a policy table gives the next hop of *way*, lower case; "" where none speaks of it.

    A next hop that is a bare domain is looked up, then its parents as `.parent`; `[host]` or a port only as
    it stands. Raises looking.Unknown where a table cannot be read.
    """
    maps = value(probe, "smtp_tls_policy_maps", way.service)
    hop = way.nexthop.lower()
    found = next((hit for key in _keys(hop) if (hit := lookup(probe, maps, key, whole=True))), "")
    return found.split()[0].lower() if found.split() else ""


def level(way: Hop, probe: Probe) -> str:
    """The level in force towards *way*'s next hop; "" where neither policy nor setting names one."""
    return policy(way, probe) or value(probe, "smtp_tls_security_level", way.service).lower()


def _keys(hop: str) -> tuple[str, ...]:
    if "[" in hop or ":" in hop:
        return (hop,)
    labels = hop.split(".")
    return (hop, *("." + ".".join(labels[at:]) for at in range(1, len(labels))))
