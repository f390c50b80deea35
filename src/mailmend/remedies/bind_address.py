"""The smtp client sends over IPv6 from an address of this host whose DNS is in order.

`smtp_bind_address6` (postconf(5)); with `smtp_bind_address_enforce` (Postfix >= 3.7) a missing address
defers mail instead of silently using another.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from mailmend.facts.case import Case, written
from mailmend.facts.hazards import relayed, unauthenticated
from mailmend.facts.identity import forward_confirmed
from mailmend.facts.services import overrides, smtp_clients
from mailmend.facts.settings import value
from mailmend.facts.versions import version
from mailmend.model import Change, Effect, Expectation, Objection, Probe, Proposal, family_of
from mailmend.questions import HostAddresses

ID = "bind-address"
HEALS = ("ipv6-ptr-or-auth", "ptr-missing", "fcrdns-mismatch")
EFFECT: Effect = "contains"
PARAMETER = "smtp_bind_address6"


def propose(case: Case, probe: Probe) -> Proposal:
    """The first confirmed address that is not the one in use, set wherever the affected mail takes its source."""
    address = next(iter(candidates(case, probe)), None)
    if address is None:
        objection = Objection(
            "no other IPv6 address of this host has a PTR that resolves back to it",
            "set the PTR of an IPv6 address at your provider, then ask again",
        )
        return Proposal(ID, EFFECT, (), objections=(objection,))
    changes = [Change("setting", PARAMETER, written(probe, PARAMETER), address, "reload")]
    absent = _absent(address, probe)
    if version(probe) >= (3, 7) and value(probe, "smtp_bind_address_enforce") != "yes" and not absent:
        before = written(probe, "smtp_bind_address_enforce")
        changes.append(Change("setting", "smtp_bind_address_enforce", before, "yes", "reload"))
    for service in case.services:
        here = overrides(probe, service).get(PARAMETER)
        if here is not None and here != address:
            changes.append(Change("override", f"{service}/{PARAMETER}", here, address, "reload"))
    return Proposal(
        ID,
        EFFECT,
        tuple(c for c in changes if c.before != c.after),
        tuple(_expectations(case, address)),
        (
            f"all mail over IPv6 leaves from {address}",
            "forwarded mail that no DKIM signature covers is still refused until its envelope is rewritten (SRS)",
        ),
        (*relayed(case), *unauthenticated(case), *_notes(address, absent, probe)),
    )


def candidates(case: Case, probe: Probe) -> Iterator[str]:
    """IPv6 addresses of this host with a PTR that resolves back (RFC 1912 2.1), the one bound already first.

    Privacy addresses change, so never; deprecated ones are on their way out, so last (RFC 4862 5.5.4).
    """
    bound = {value(probe, PARAMETER, service).strip("[]") for service in case.services}
    held = [
        a
        for a in probe.ask(HostAddresses()).answer or ()
        if family_of(a.ip) == "ipv6" and not (a.loopback or a.link_local or a.temporary)
    ]
    for address in sorted(held, key=lambda a: (a.ip not in bound, a.deprecated)):
        if forward_confirmed(address.ip, probe):
            yield address.ip


def _absent(address: str, probe: Probe) -> tuple[str, ...]:
    """Bind addresses that are not on this host: today a mere warning, with enforcement no mail at all."""
    held = {ip_address(a.ip) for a in probe.ask(HostAddresses()).answer or ()}
    set_now = {
        value(probe, name, service.id).strip("[]")
        for service in smtp_clients(probe)
        for name in ("smtp_bind_address", PARAMETER)
    }
    return tuple(sorted(a for a in set_now - {address, ""} if family_of(a) and ip_address(a) not in held))


def _notes(address: str, absent: tuple[str, ...], probe: Probe) -> Iterator[Objection]:
    if absent:
        yield Objection(
            f"smtp_bind_address_enforce stays off: {', '.join(absent)} is bound too and not on this host",
            "take that address out of smtp_bind_address",
            blocking=False,
        )
    for held in probe.ask(HostAddresses()).answer or ():
        if held.ip == address and held.deprecated:
            reason = f"{address} is deprecated on {held.interface}: make sure that it stays"
            yield Objection(reason, blocking=False)


def _expectations(case: Case, address: str) -> Iterator[Expectation]:
    for service in case.services:
        says = f"{service} sends from {address}"
        yield Expectation("saved", "setting-is", f"{service}/{PARAMETER}", address, says)
    for recipient in case.recipients:
        says = f"the smtp client binds {address} for {recipient}"
        yield Expectation("client", "client-binds", recipient, address, says)
