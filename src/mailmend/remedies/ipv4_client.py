"""The smtp clients of master.cf speak IPv4 only (`-o inet_protocols=ipv4`); receiving keeps IPv6."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.case import Case
from mailmend.facts.hazards import ipv4_out, ipv6_literals
from mailmend.facts.services import overrides, smtp_clients
from mailmend.facts.versions import version
from mailmend.model import Change, Effect, Expectation, Objection, Probe, Proposal

ID = "ipv4-client"
HEALS = ("ipv6-ptr-or-auth", "ptr-missing", "fcrdns-mismatch", "spf-fail", "unauthenticated")
EFFECT: Effect = "contains"


def propose(case: Case, probe: Probe) -> Proposal:
    """`smtp` and `relay`, and every other smtp client that affected mail takes: one forgotten still bounces."""
    targets = [
        entry.id
        for entry in smtp_clients(probe)
        if entry.name in ("smtp", "relay") or entry.id in case.services
    ]
    changes = []
    for target in targets:
        before = overrides(probe, target).get("inet_protocols")
        if before != "ipv4":
            changes.append(Change("override", f"{target}/inet_protocols", before, "ipv4", "reload"))
    return Proposal(
        ID,
        EFFECT,
        tuple(changes),
        tuple(_expectations(case, targets)),
        (
            "all mail leaves over IPv4 only: destinations that have IPv6 alone bounce (5.4.4)",
            "receiving over IPv6 stays as it is",
        ),
        tuple(_objections(case, probe)),
    )


def _expectations(case: Case, targets: list[str]) -> Iterator[Expectation]:
    for target in targets:
        yield Expectation(
            "saved", "setting-is", f"{target}/inet_protocols", "ipv4", f"{target} uses IPv4 only"
        )
    for recipient in case.recipients:
        yield Expectation(
            "client", "client-family", recipient, "ipv4", f"the smtp client tries only IPv4 for {recipient}"
        )


def _objections(case: Case, probe: Probe) -> Iterator[Objection]:
    known = version(probe)
    if known and known < (2, 2):
        yield Objection("Postfix before 2.2 has no inet_protocols")
    # A client with ipv4 alone reads inet_interfaces too and dies of an IPv6 address in it.
    yield from ipv6_literals(probe)
    yield from ipv4_out(case, probe)
