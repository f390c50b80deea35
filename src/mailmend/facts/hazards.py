"""What would make a remedy do harm on this host: the preflight, each an objection where it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from textwrap import shorten

from mailmend.facts.case import BY_SENDER, Case
from mailmend.facts.services import overrides, services
from mailmend.facts.settings import value
from mailmend.facts.tls_policy import level
from mailmend.facts.versions import dane_crash_fixed, version
from mailmend.model import Objection, Probe, family_of
from mailmend.questions import (
    Host,
    HostAddresses,
    Instances,
    RecentDeliveries,
    Records,
)

_STRAY = 0.05  # the part of refusals up to which mail fares well
AUTHENTICATE = (
    "rewrite the envelope of forwarded mail (SRS), list this host in its SPF for both families, "
    "sign with DKIM"
)


def dane_crash(case: Case, probe: Probe) -> Iterator[Objection]:
    """DANE with a reply filter is safe only from the releases of 2026-05 on."""
    if dane_crash_fixed(version(probe)):
        return
    for way in case.ways:
        if level(way, probe).startswith("dane"):
            yield Objection(
                f"mail to {way.domain} uses DANE, and Postfix {value(probe, 'mail_version')} can crash when a reply "
                "filter meets a malformed TLSA record (fixed in 3.8.18, 3.9.12, 3.10.11, 3.11.4)",
                "mailmend fix --remedy ipv4-client",
            )
            return


def lookups_bypass_dns(case: Case, probe: Probe) -> Iterator[Objection]:
    """A reply filter sees DNS answers only; native lookups (hosts(5), nsswitch) go past it."""
    for service in case.services:
        first = value(probe, "smtp_host_lookup", service).replace(",", " ").split()[:1]
        bypassed = first == ["native"] or value(probe, "disable_dns_lookups", service) == "yes"
        if bypassed or value(probe, "smtp_dns_support_level", service) == "disabled":
            yield Objection(
                f"{service} does not look hosts up in DNS (smtp_host_lookup, smtp_dns_support_level), so a DNS reply "
                "filter does not apply",
                "mailmend fix --remedy ipv4-client",
            )


def ipv4_out(case: Case, probe: Probe) -> Iterator[Objection]:
    """Sending over IPv4 must be possible, allowed by the settings, and not refused there as well."""
    for service in case.services:
        if "ipv4" not in _families(value(probe, "inet_protocols", service)):
            yield Objection(f"{service} does not use IPv4 (inet_protocols)", "set inet_protocols = all first")
    addresses = probe.ask(HostAddresses())
    if addresses.answer is not None and not any(
        family_of(a.ip) == "ipv4" and not a.loopback for a in addresses.answer
    ):
        yield Objection("this host has no IPv4 address")
    yield from relayed(case)
    yield from ipv6_only(case)
    yield from refused_over_ipv4(case)


def ipv6_only(case: Case) -> Iterator[Objection]:
    """A destination without an IPv4 address cannot be reached any more once IPv6 is left out."""
    for way in case.ways:
        if way.hosts and not way.ipv4_hosts:
            yield Objection(
                f"no host that takes mail for {way.domain} has an IPv4 address: its mail would not leave at all",
                "give the IPv6 address a PTR record: mailmend fix --remedy dns-records",
            )


def refused_over_ipv4(case: Case) -> Iterator[Objection]:
    """The operator's own log is the experiment: IPv4 refused there too means that IPv4 cures nothing.

    A stray refusal among much that is taken is no trend: IPv4 fares well then.
    """
    tried = case.ipv4.refused + case.ipv4.sent
    if tried and case.ipv4.refused / tried > _STRAY:
        yield Objection(
            f"{case.name} refused {case.ipv4.refused} messages over IPv4 too and accepted {case.ipv4.sent} "
            f'("{shorten(case.ipv4.reply, 90, placeholder=" ...")}"): IPv4 alone would only move the refusal',
            AUTHENTICATE,
            overridable=True,
        )
        return
    identity = [
        f
        for f in case.findings
        if f.standing == "measured" and f.family == "ipv4" and f.cause in ("ptr-missing", "fcrdns-mismatch")
    ]
    if identity and not case.ipv4.sent:
        yield Objection(
            f"IPv4 is no better off: {identity[0].summary}", "set the PTR of the IPv4 address first"
        )


def unauthenticated(case: Case) -> Iterator[Objection]:
    """Mail that misses SPF and DKIM is refused from every address."""
    tried = case.ipv4.refused + case.ipv4.sent
    if tried and case.ipv4.unauthenticated / tried > _STRAY:
        yield Objection(
            f"{case.name} refused {case.ipv4.unauthenticated} messages over IPv4 as unauthenticated: "
            "another address does not change that",
            AUTHENTICATE,
            overridable=True,
        )


def relayed(case: Case) -> Iterator[Objection]:
    """Behind a relayhost that is not the receiver's own, the refusal concerns the relay's address."""
    for way in case.ways:
        if way.relayed and not any(host.endswith(case.suffixes) for host in way.hosts):
            yield Objection(
                f"mail to {way.domain} leaves through {way.nexthop}, which this does not reach",
                f"whoever runs {way.nexthop} has to act: the refused address is that relay's",
            )


def ipv6_literals(probe: Probe) -> Iterator[Objection]:
    """An IPv6 address in inet_interfaces or proxy_interfaces stops every daemon that has IPv4 alone."""
    for name in ("inet_interfaces", "proxy_interfaces"):
        for word in value(probe, name).replace(",", " ").split():
            if family_of(word.strip("[]")) == "ipv6":
                yield Objection(
                    f"{name} names {word}: with IPv4 only, Postfix's daemons do not start (host not found)",
                    f"take the IPv6 address out of {name} first, or choose ipv4-for-receiver",
                )


def ipv6_service_names(probe: Probe) -> Iterator[Objection]:
    """A listener of master.cf bound to an IPv6 address stops master once inet_protocols says ipv4."""
    for entry in services(probe):
        host = entry.name.rpartition(":")[0].strip("[]")
        if entry.type == "inet" and family_of(host) == "ipv6":
            yield Objection(
                f"master.cf has the listener {entry.name}: with IPv4 only, Postfix does not start",
                "take that listener out of master.cf first, or choose ipv4-for-receiver",
            )


def inbound_ipv6(probe: Probe) -> Iterator[Objection]:
    """Who loses by closing the IPv6 listener; none of it stops the operator who asks for it by name."""
    own = {a.ip for a in probe.ask(HostAddresses()).answer or () if not a.loopback}
    name = value(probe, "myhostname")
    records = probe.ask(Records(name, "AAAA")).answer if name else None
    left = sorted(own & set(records.records)) if records else []
    if left:
        yield Objection(
            f"{name} still has the AAAA record {left[0]}: senders will try it first and find nobody",
            f"withdraw the AAAA record of {name}",
            blocking=False,
        )
    log = probe.ask(RecentDeliveries(30)).answer
    if log and log.local_ipv6_clients:
        yield Objection(
            f"{log.local_ipv6_clients} connections came from ::1 lately; such clients will be refused",
            "point local programs at 127.0.0.1",
            blocking=False,
        )
    networks = value(probe, "mynetworks")
    lost = re.findall(r"\[[0-9A-Fa-f:.]+\]/\d+", networks)
    if lost:
        yield Objection(f"mynetworks loses its IPv6 networks: {', '.join(lost)}", blocking=False)
    yield from docker_gateway(probe, networks)


def docker_gateway(probe: Probe, networks: str) -> Iterator[Objection]:
    """In a container without IPv6, clients may arrive from the gateway inside mynetworks: an open relay."""
    host = probe.ask(Host())
    if host.answer is not None and host.answer.container:
        yield Objection(
            "in a container, closing IPv6 can make strangers appear from the gateway's address: "
            f"make sure that it is not inside mynetworks ({networks})",
            "set mynetworks to the addresses of your own clients",
            blocking=False,
        )


def sender_dependent(probe: Probe) -> Iterator[Objection]:
    """transport_maps wins over what depends on the sender: such mail would leave by another way than today."""
    for name in BY_SENDER:
        if value(probe, name):
            yield Objection(
                f"{name} is set, and transport_maps would go past it for the domains named",
                "mailmend fix --remedy ipv4-for-receiver",
            )


def other_instances(probe: Probe) -> Iterator[Objection]:
    """Another Postfix instance keeps its own settings and sockets."""
    ours = PurePath(value(probe, "config_directory"))
    others = [
        i for i in probe.ask(Instances()).answer or () if i.enabled and PurePath(i.config_directory) != ours
    ]
    if others:
        names = ", ".join(i.config_directory for i in others)
        yield Objection(f"other Postfix instances stay as they are: {names}", blocking=False)


def overridden(probe: Probe, parameter: str) -> Iterator[Objection]:
    """A `-o` of the same parameter goes past main.cf for that service."""
    for entry in services(probe):
        if parameter in overrides(probe, entry.id):
            text = overrides(probe, entry.id)[parameter]
            yield Objection(f"{entry.id} has its own -o {parameter}={text}, which stays", blocking=False)


def _families(protocols: str) -> set[str]:
    words = set(protocols.replace(",", " ").split())
    return {"ipv4", "ipv6"} if "all" in words else words
