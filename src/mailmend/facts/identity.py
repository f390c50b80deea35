"""A sending address has a name: PTR, and that name's own address records (RFC 1912 2.1)."""

from __future__ import annotations

from ipaddress import ip_address

from mailmend.model import Probe, family_of
from mailmend.questions import Records


def forward_confirmed(ip: str, probe: Probe) -> bool | None:
    """True where a PTR of *ip* resolves back to it, False where none does, None where DNS could not say."""
    pointers = probe.ask(Records(ip, "PTR"))
    if pointers.answer is None:
        return None
    unknown = False
    for name in pointers.answer.records:
        back = probe.ask(Records(name.rstrip(".").lower(), "AAAA" if family_of(ip) == "ipv6" else "A"))
        if back.answer is None:
            unknown = True
        elif any(ip_address(record) == ip_address(ip) for record in back.answer.records):
            return True
    return None if unknown else False
