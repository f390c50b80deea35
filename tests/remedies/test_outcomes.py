"""An operator forwards to Gmail over both families and applies each remedy: what then becomes of real mail.

The table is what was measured on Postfix 3.7 (docs: ARCHITECTURE.md, remedies): it holds for every destination,
signed and unsigned, where Google asks nothing of IPv4 and where it asks the same as over IPv6.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from facts import srs_relay

pytestmark = pytest.mark.lab

DESTINATIONS = {
    "gmail": "user@example.org",
    "workspace": "ws@example.org",
    "googlemail": "old@example.org",
    "ipv6-only": "six@example.org",
}
GOOGLE = ("gmail", "workspace", "googlemail")
REMEDIES = (
    None,
    "ipv4-for-receiver",
    "bind-address",
    "ipv4-transport",
    "ipv4-client",
    "ipv4-only",
    "dns-records",
    "srs",
)
PTR = "2001:db8:1::10 PTR relay.example.org."
WORLDS = ("lenient", "strict")
MESSAGES = 2

Outcome = tuple[str, str | None]

# Servers that already have something in the way, and the destination that it concerns.
VARIANTS: dict[str, dict[str, Any]] = {
    "relay-client": {"main": {"relay_domains": "workspace.example"}},
    "own-filter": {
        "main": {"smtp_dns_reply_filter": "regexp:/etc/postfix/own_filter"},
        "files": {"/etc/postfix/own_filter": "/^mx\\.elsewhere\\.example\\. [^ ]+ IN AAAA / IGNORE\n"},
    },
    "override": {
        "main": {"transport_maps": "inline:{gmail.com=out2:}"},
        "master_extra": "out2 unix - - n - - smtp\n  -o smtp_dns_reply_filter=\n",
    },
    "by-sender": {
        "main": {"sender_dependent_default_transport_maps": "inline:{@sender.example=out2:}"},
        "master_extra": "out2 unix - - n - - smtp\n  -o smtp_dns_reply_filter=\n",
    },
}
CONCERNED = {"relay-client": "workspace"}


def expected(remedy: str | None, world: str, destination: str, signed: bool) -> Outcome:
    """What facts about Postfix and Google say must happen: (status, family)."""
    if destination == "ipv6-only":
        return ("bounced", None) if remedy in ("ipv4-client", "ipv4-only") else ("sent", "ipv6")
    reached = {
        "ipv4-for-receiver": GOOGLE,
        "ipv4-client": GOOGLE,
        "ipv4-only": GOOGLE,
        "ipv4-transport": ("gmail",),
    }
    if destination in reached.get(remedy or "", ()):
        # Google asks for SPF or DKIM over IPv4 too in the strict world: an unsigned forward has neither.
        return ("bounced" if world == "strict" and not signed else "sent", "ipv4")
    if remedy in ("bind-address", "dns-records"):
        return ("sent" if signed else "bounced", "ipv6")
    if remedy == "srs with PTR":
        return ("sent", "ipv6")
    # SRS authenticates what is forwarded, and gives no address its name.
    return ("bounced", "ipv6")


def remedied(
    lab: Any, remedy: str | None, world: str, variant: str | None = None
) -> dict[tuple[str, bool], list[Outcome]]:
    """One relay with the remedy applied by mailmend itself, and what became of every kind of message."""
    lab.dns.reset()
    lab.receiver.world(world)
    already = VARIANTS[variant] if variant else {}
    # IPv6 first makes the fault certain; the default `any` leaves it to chance (tests/lab).
    lab.relay.reset(**{**already, "main": {"smtp_address_preference": "ipv6", **already.get("main", {})}})
    if remedy in ("srs", "srs with PTR"):  # what it would leave to the operator is done
        lab.dns.publish(*srs_relay.RECORDS, *([PTR] if remedy == "srs with PTR" else []))
        srs_relay.postsrsd(lab.relay)
    lab.relay.start()
    if remedy:
        done = lab.relay.mailmend("--json", "fix", "--remedy", remedy.split()[0], "--yes", "--confirm")
        assert done.returncode == 0, done.stdout + done.stderr
        fixed = json.loads(done.stdout)
        if remedy == "dns-records":
            lab.dns.publish(*(f"{c['target']} {c['after']}" for p in fixed["pending"] for c in p["changes"]))
        else:
            assert fixed["state"] == "kept", done.stdout
    sent = {
        (name, signed): lab.send(to=address, count=MESSAGES, signed=signed)
        for name, address in DESTINATIONS.items()
        for signed in (False, True)
    }
    outcomes = lab.outcomes([trace for traces in sent.values() for trace in traces])
    return {
        key: [(outcomes[trace].status, outcomes[trace].family) for trace in traces]
        for key, traces in sent.items()
    }


@pytest.fixture(scope="module")
def world_of(lab: Any) -> Any:
    """Each remedy is set up once per world; its cases read what happened there."""
    seen: dict[tuple[str | None, str], dict[tuple[str, bool], list[Outcome]]] = {}

    def look(remedy: str | None, world: str) -> dict[tuple[str, bool], list[Outcome]]:
        if (remedy, world) not in seen:
            seen[remedy, world] = remedied(lab, remedy, world)
        return seen[remedy, world]

    return look


def worlds(remedies: Sequence[str | None], quick: Sequence[str | None]) -> list[Any]:
    """Each remedy in each world; in the strict one, where most outcomes are alike, all but *quick* with --slow."""
    return [
        pytest.param(
            remedy,
            world,
            id=f"{remedy or 'no-remedy'}-{world}",
            marks=pytest.mark.slow if world == "strict" and remedy not in quick else (),
        )
        for remedy in remedies
        for world in WORLDS
    ]


SIGNED = [pytest.param(False, id="unsigned"), pytest.param(True, id="signed", marks=pytest.mark.slow)]


@pytest.mark.parametrize("signed", SIGNED)
@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize(
    ("remedy", "world"), worlds((*REMEDIES, "srs with PTR"), ("ipv4-for-receiver", "srs with PTR"))
)
def test_what_becomes_of_mail(
    world_of: Any, remedy: str | None, world: str, destination: str, signed: bool
) -> None:
    seen = world_of(remedy, world)[destination, signed]
    assert seen == [expected(remedy, world, destination, signed)] * MESSAGES


@pytest.fixture(scope="module")
def variant_of(lab: Any) -> Any:
    seen: dict[tuple[str, str, str], dict[tuple[str, bool], list[Outcome]]] = {}

    def look(remedy: str, world: str, variant: str) -> dict[tuple[str, bool], list[Outcome]]:
        if (remedy, world, variant) not in seen:
            seen[remedy, world, variant] = remedied(lab, remedy, world, variant)
        return seen[remedy, world, variant]

    return look


@pytest.mark.parametrize("signed", SIGNED)
@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(name, marks=pytest.mark.slow if number % 2 else ())
        for number, name in enumerate(VARIANTS)
    ],
)
@pytest.mark.parametrize(("remedy", "world"), worlds(("ipv4-for-receiver", "ipv4-client", "ipv4-only"), ()))
def test_what_stands_in_the_way_already_changes_nothing(
    variant_of: Any, remedy: str, world: str, variant: str, signed: bool
) -> None:
    destination = CONCERNED.get(variant, "gmail")
    seen = variant_of(remedy, world, variant)[destination, signed]
    assert seen == [expected(remedy, world, destination, signed)] * MESSAGES
