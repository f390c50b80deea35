"""Mail to named domains takes a transport of its own that speaks IPv4 only (transport(5), master(5)).

The clone carries over what the original transport had: its `-o` overrides, its nexthop and its limits.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts import clones
from mailmend.facts.case import Case, Way, written
from mailmend.facts.hazards import ipv4_out, ipv6_literals, sender_dependent
from mailmend.facts.services import service as entry_of
from mailmend.facts.settings import value
from mailmend.model import Change, Effect, Expectation, Objection, Probe, Proposal
from mailmend.questions import File, MapTypes

ID = "ipv4-transport"
HEALS = ("ipv6-ptr-or-auth", "ptr-missing", "fcrdns-mismatch", "spf-fail", "unauthenticated")
EFFECT: Effect = "contains"
TABLE = "ipv4_only_transport"


def propose(case: Case, probe: Probe) -> Proposal:
    """A clone of each transport that the affected domains take, and a table that sends them there."""
    path = f"{value(probe, 'config_directory')}/{TABLE}"
    ours = f"texthash:{path}"
    changes: list[Change] = []
    for service in case.services:
        changes += _clone(service, probe)
    there = probe.ask(File(path))
    before = there.answer.text if there.answer and there.answer.exists else None
    after = _table(before, case.ways)
    if after != before:
        changes.append(Change("file", path, before, after, "reload"))
    maps = written(probe, "transport_maps")
    if ours not in (maps or "").replace(",", " ").split():
        joined = f"{ours}, {maps.strip()}" if maps and maps.strip() else ours
        changes.append(Change("setting", "transport_maps", maps, joined, "reload"))
    domains = ", ".join(dict.fromkeys(way.domain for way in case.ways))
    return Proposal(
        ID,
        EFFECT,
        tuple(changes),
        tuple(_expectations(case)),
        (
            f"mail to {domains} goes over IPv4 only; other domains at {case.name} are not reached by this",
            "a second queue for these domains: their limits and log lines carry the new transport's name",
        ),
        tuple(_objections(case, probe)),
    )


def clone_name(service: str) -> str:
    """`smtp/unix` -> `smtp-ipv4`."""
    return f"{service.rpartition('/')[0]}-ipv4"


def _clone(service: str, probe: Probe) -> Iterator[Change]:
    original = entry_of(probe, service)
    name = clone_name(service)
    if original is None or entry_of(probe, f"{name}/unix") is not None:
        return
    options = (("inet_protocols", "ipv4"), ("syslog_name", f"postfix/{name}"))
    yield Change("service", f"{name}/unix", None, clones.entry(name, original, options), "reload")
    yield from clones.limits(name, original, probe)


def _table(before: str | None, ways: tuple[Way, ...]) -> str:
    head = before or "# Domains that are sent over IPv4 only, written by mailmend. See transport(5).\n"
    named = {line.split()[0] for line in head.splitlines() if line.strip() and not line.startswith("#")}
    if not head.endswith("\n"):
        head += "\n"
    lines = []
    for way in ways:
        if way.domain not in named:
            named.add(way.domain)
            # An empty nexthop would go past a relayhost; the nexthop that holds today is kept.
            nexthop = way.nexthop if way.nexthop != way.domain else ""
            lines.append(f"{way.domain} {clone_name(way.service)}:{nexthop}\n")
    return head + "".join(lines)


def _expectations(case: Case) -> Iterator[Expectation]:
    for way in case.ways:
        clone = f"{clone_name(way.service)}/unix"
        yield Expectation(
            "saved", "routed", way.recipient, clone, f"mail to {way.recipient} leaves by {clone}"
        )
        yield Expectation("saved", "setting-is", f"{clone}/inet_protocols", "ipv4", f"{clone} uses IPv4 only")
    for recipient in case.recipients:
        says = f"the smtp client tries only IPv4 for {recipient}"
        yield Expectation("client", "client-family", recipient, "ipv4", says)


def _objections(case: Case, probe: Probe) -> Iterator[Objection]:
    types = probe.ask(MapTypes())
    if types.answer is not None and "texthash" not in types.answer:
        yield Objection("this Postfix has no texthash tables", "mailmend fix --remedy ipv4-client")
    for service in case.services:
        there = entry_of(probe, f"{clone_name(service)}/unix")
        if there is not None and dict(there.overrides).get("inet_protocols") != "ipv4":
            yield Objection(
                f"master.cf has another {clone_name(service)}/unix, which does not speak IPv4 only",
                "rename that service first, or choose ipv4-for-receiver",
            )
    yield from sender_dependent(probe)
    yield from ipv6_literals(probe)
    yield from ipv4_out(case, probe)
