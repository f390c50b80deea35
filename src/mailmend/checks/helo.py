"""The name in EHLO is a full host name that resolves, to this host (RFC 5321 2.3.5 and 4.1.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailmend.facts.looking import Seen, answer, each, unknown
from mailmend.facts.mx import same_address
from mailmend.facts.outside import addresses
from mailmend.facts.settings import value
from mailmend.model import CannotLook, Finding, Probe, Scope, family_of
from mailmend.questions import Records

CAUSES = ("helo-invalid", "helo-elsewhere")

_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_NOT_PUBLIC = (".localdomain", ".local", ".lan", ".internal", ".home", ".invalid", ".localhost")


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """One finding per name that the services on the way of the affected mail say."""
    seen = Seen(probe)
    try:
        outside = addresses(scope, seen)
        services = tuple(dict.fromkeys(s for address in outside for s in address.services))
        names = tuple(dict.fromkeys(value(seen, "smtp_helo_name", s) for s in services))
    except CannotLook as gap:
        yield unknown("helo-invalid", "smtp_helo_name", gap, seen)
        return
    ips = tuple(a.ip for a in outside if a.ip)

    def look(name: str, own: Seen) -> Iterable[Finding]:
        return _look(name, ips, own)

    yield from each(probe, names, "helo-invalid", look)


def full_name(name: str) -> bool:
    """Whether *name* is a host name with a domain that could stand in public DNS."""
    labels = name.rstrip(".").split(".")
    well = len(name) <= 253 and len(labels) > 1 and all(map(_LABEL.fullmatch, labels))
    return well and not name.lower().endswith(_NOT_PUBLIC) and not labels[-1].isdigit()


def _look(name: str, ips: tuple[str, ...], seen: Seen) -> Iterator[Finding]:
    if name.startswith("[") and family_of(name.strip("[]").removeprefix("IPv6:")):
        yield Finding("helo-invalid", name, "cleared", f"EHLO says the address literal {name}", seen.evidence)
        return
    if not full_name(name):
        says = f"EHLO says {name or 'nothing'!s}, which is no full host name of public DNS"
        yield Finding("helo-invalid", name or "smtp_helo_name", "measured", says, seen.evidence)
        return
    host = name.lower().rstrip(".")
    held = (*answer(seen, Records(host, "A")).records, *answer(seen, Records(host, "AAAA")).records)
    if not held:
        says = f"EHLO says {name}, which has neither an A nor an AAAA record"
        yield Finding("helo-invalid", name, "measured", says, seen.evidence)
        return
    says = f"EHLO says {name}, which is {', '.join(held)}"
    yield Finding("helo-invalid", name, "cleared", says, seen.evidence)
    if ips and not any(same_address(ip, record) for ip in ips for record in held):
        says += f", while this host sends from {', '.join(ips)}"
        yield Finding("helo-elsewhere", name, "measured", says, seen.evidence)
