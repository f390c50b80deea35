"""The addresses by which receivers know this host, each once, with the services that use it."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.facts.source import used
from mailmend.model import Family, Probe, Scope


@dataclass(frozen=True, slots=True)
class Outside:
    """*ip* is what receivers see; *inside* is set instead where only the address behind NAT is known."""

    ip: str | None
    family: Family
    services: tuple[str, ...]
    inside: str | None = None


def addresses(scope: Scope, probe: Probe) -> tuple[Outside, ...]:
    """Every source address of the affected mail. Raises CannotLook where the routes cannot be told."""
    out: dict[tuple[str | None, str | None], Outside] = {}
    for source in used(scope, probe):
        if source.ip is None:
            continue
        key = (source.outward, None if source.outward else source.ip)
        before = out[key].services if key in out else ()
        services = tuple(dict.fromkeys((*before, source.service)))
        out[key] = Outside(source.outward, source.family, services, key[1])
    return tuple(out.values())


def behind_nat(address: Outside) -> str:
    """Why an address cannot be judged, for the summary of an unknown finding."""
    return (
        f"{address.inside} is translated on its way out, and the log has no two refusals of known receivers, "
        "of different days or receivers, that name the same address outside"
    )
