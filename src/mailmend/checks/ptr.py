"""Every sending address has a PTR that resolves back to it (RFC 1912 2.1)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.looking import Seen, answer, unknown
from mailmend.facts.mx import same_address
from mailmend.facts.outside import Outside, addresses, behind_nat
from mailmend.model import CannotLook, Finding, Probe, Scope, Standing
from mailmend.questions import Records

CAUSES = ("ptr-missing", "fcrdns-mismatch")

# More names than this for one address are noise; receivers cap them too (RFC 7208 5.5 takes 10).
_NAMES = 10


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """Both causes for every source address really used, of both families."""
    seen = Seen(probe)
    try:
        outside = addresses(scope, seen)
    except CannotLook as gap:
        yield unknown("ptr-missing", "smtp_bind_address", gap, seen)
        return
    for address in outside:
        if address.ip is None:
            says = behind_nat(address)
            yield Finding(
                "ptr-missing",
                address.inside or "",
                "unknown",
                says,
                seen.evidence,
                family=address.family,
            )
        else:
            yield from _look(address, address.ip, probe)


def _look(address: Outside, ip: str, probe: Probe) -> Iterator[Finding]:
    seen = Seen(probe)

    def finding(cause: str, standing: Standing, says: str) -> Finding:
        return Finding(cause, ip, standing, says, seen.evidence, family=address.family, address=ip)

    try:
        names = [n.rstrip(".").lower() for n in answer(seen, Records(ip, "PTR")).records][:_NAMES]
    except CannotLook as gap:
        yield unknown("ptr-missing", ip, gap, seen, address.family)
        return
    if not names:
        by = ", ".join(address.services)
        yield finding("ptr-missing", "measured", f"{ip}, from which {by} sends, has no PTR record")
        return
    yield finding("ptr-missing", "cleared", f"{ip} has the PTR {', '.join(names)}")
    kind = "AAAA" if address.family == "ipv6" else "A"
    gaps: list[str] = []
    back: list[str] = []
    for name in names:
        evidence = seen.ask(Records(name, "AAAA" if address.family == "ipv6" else "A"))
        if evidence.answer is None:
            gaps.append(f"{kind} of {name}: {evidence.error}")
            continue
        if any(same_address(record, ip) for record in evidence.answer.records):
            yield finding("fcrdns-mismatch", "cleared", f"{name} resolves back to {ip}")
            return
        back.append(f"{name} has {', '.join(evidence.answer.records) or f'no {kind} record'}")
    if gaps:
        yield finding("fcrdns-mismatch", "unknown", f"could not be decided for {ip}: {'; '.join(gaps)}")
    else:
        yield finding("fcrdns-mismatch", "measured", f"the PTR of {ip} does not lead back: {'; '.join(back)}")
