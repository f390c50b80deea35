"""The well-known kludge, done whole: `inet_protocols = ipv4`, with the stop and start that it needs.

After a mere reload Postfix keeps the old value and the IPv6 listener, and each IPv6 connection kills an
smtpd (postconf(5): "to change inet_protocols, stop and start Postfix").
"""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.case import Case, written
from mailmend.facts.expect import socket_name
from mailmend.facts.hazards import (
    inbound_ipv6,
    ipv4_out,
    ipv6_literals,
    ipv6_service_names,
    other_instances,
    overridden,
)
from mailmend.model import Change, Effect, Expectation, Objection, Probe, Proposal, family_of
from mailmend.questions import Listeners

ID = "ipv4-only"
HEALS = ("ipv6-ptr-or-auth", "ptr-missing", "fcrdns-mismatch", "spf-fail", "unauthenticated")
EFFECT: Effect = "contains"
PARAMETER = "inet_protocols"


def propose(case: Case, probe: Probe) -> Proposal:
    """One setting, and a restart: the smallest edit with the widest effect."""
    before = written(probe, PARAMETER)
    changes = () if before == "ipv4" else (Change("setting", PARAMETER, before, "ipv4", "restart"),)
    return Proposal(
        ID,
        EFFECT,
        changes,
        tuple(_expectations(case, probe)),
        (
            "Postfix is stopped and started: its port is closed for about a second, open sessions are cut",
            "nobody can deliver to this host over IPv6 any more",
            "all mail leaves over IPv4 only: destinations that have IPv6 alone bounce (5.4.4)",
        ),
        tuple(_objections(case, probe)),
    )


def _expectations(case: Case, probe: Probe) -> Iterator[Expectation]:
    for listener in probe.ask(Listeners()).answer or ():
        name = socket_name(listener.address, listener.port)
        gone = family_of(listener.address) == "ipv6"
        says = f"{name} is closed" if gone else f"{name} is still open"
        yield Expectation("running", "listener", name, "gone" if gone else "open", says)
    for recipient in case.recipients:
        yield Expectation(
            "client", "client-family", recipient, "ipv4", f"the smtp client tries only IPv4 for {recipient}"
        )


def _objections(case: Case, probe: Probe) -> Iterator[Objection]:
    yield from ipv6_literals(probe)
    yield from ipv6_service_names(probe)
    yield from overridden(probe, PARAMETER)
    yield from ipv4_out(case, probe)
    yield from inbound_ipv6(probe)
    yield from other_instances(probe)
