"""The source address that a Postfix service really sends from, per family, and what settles it.

In this order (measured on 3.7.11): smtp_bind_address(6) of that service; a single non-loopback address of
the family in inet_interfaces; only then the kernel's choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal

from mailmend.facts.destinations import affected
from mailmend.facts.looking import Unknown, answer
from mailmend.facts.mx import destination, direct, same_address
from mailmend.facts.nat import named
from mailmend.facts.route import route, routes
from mailmend.facts.settings import value
from mailmend.model import CannotLook, Family, Probe, Scope, family_of
from mailmend.parse.listing import words
from mailmend.questions import HostAddress, HostAddresses, Resolve, SourceAddress

_FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
# Addresses that no receiver ever sees: RFC 1918, 6598, 3927, 4193, 4291.
_INSIDE = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)
# Any far address shows the kernel's default choice where the real one cannot be looked up (RFC 5737, 3849).
_FAR: dict[Family, str] = {"ipv4": "203.0.113.1", "ipv6": "2001:db8:ffff::1"}


@dataclass(frozen=True, slots=True)
class Source:
    """*ip* is what the host puts on the connection, None where it could not be told (*problem* says why).

    *outward* is what receivers see: *ip*, or behind NAT the address that those we know named in their
    refusals; None where they do not agree on one. *decided*: the parameter, or `kernel`. *refused*: the bind
    address that is not on this host.
    """

    service: str
    family: Family
    ip: str | None
    outward: str | None
    decided: Literal["smtp_bind_address", "smtp_bind_address6", "inet_interfaces", "kernel"]
    problem: str | None = None
    refused: str | None = None


def families(service: str | None, probe: Probe) -> tuple[Family, ...]:
    """The families that inet_protocols leaves to *service*."""
    wanted = words(value(probe, "inet_protocols", service).lower())
    return tuple(f for f in _FAMILIES if f in wanted or "all" in wanted)


def without_ipv6(recipient: str, probe: Probe) -> str | None:
    """The sentence that each smtp client by which mail to *recipient* leaves has IPv6 off; None: not so, not known."""
    try:
        services = sorted({one.service for one in routes(recipient, probe) if one.leaves})
        if not services or any("ipv6" in families(service, probe) for service in services):
            return None
    except CannotLook:
        return None
    return f"{', '.join(services)} does not use IPv6 at all (inet_protocols)"


def sources(service: str, probe: Probe, destinations: Iterable[str]) -> tuple[Source, ...]:
    """Per family in use, the addresses that *service* sends from towards *destinations* (IP addresses).

    A family without a destination is not used. Raises looking.Unknown where a setting cannot be read.
    """
    targets = tuple(destinations)
    out: dict[tuple[Family, str | None], Source] = {}
    for family in families(service, probe):
        for target in (t for t in targets if family_of(t) == family):
            source = _source(service, family, target, probe)
            out.setdefault((family, source.ip), source)
    return tuple(out.values())


def used(scope: Scope, probe: Probe) -> tuple[Source, ...]:
    """The sources of every service on the way of the affected recipients, without repetition.

    Where a receiver's hosts cannot be looked up, the kernel's choice towards any far address stands in.
    """
    targets: dict[str, dict[str, None]] = {}
    for recipient in affected(scope, probe):
        way = route(recipient, probe)
        if not way.smtp or (way.relayed and not _direct(way.domain, way.nexthop, probe)):
            continue  # behind a relay it is the relay's address that the receiver judges
        for family in families(way.service, probe):
            try:
                found = destination(way.nexthop, family, probe)
            except Unknown:
                found = _FAR[family]
            if found:
                targets.setdefault(way.service, {}).setdefault(found)
    out: dict[tuple[str, Family, str | None], Source] = {}
    for service, ips in targets.items():
        for source in sources(service, probe, ips):
            if source.ip is not None or _host_has(source.family, probe):
                out.setdefault((service, source.family, source.ip), source)
    return tuple(out.values())


def _direct(domain: str, nexthop: str, probe: Probe) -> bool:
    try:
        return direct(domain, nexthop, probe)
    except Unknown:
        return False


def _source(service: str, family: Family, target: str, probe: Probe) -> Source:
    parameter: Literal["smtp_bind_address", "smtp_bind_address6"] = (
        "smtp_bind_address6" if family == "ipv6" else "smtp_bind_address"
    )
    bound = value(probe, parameter, service).strip("[]")
    if bound and _on_host(bound, probe):
        return Source(service, family, bound, outward(bound, probe), parameter)
    if bound and value(probe, "smtp_bind_address_enforce", service) == "yes":
        problem = f"{parameter} = {bound} is not on this host and smtp_bind_address_enforce = yes"
        return Source(service, family, None, None, parameter, problem, refused=bound)
    if not bound:
        listed = _listed(family, service, probe)
        if len(listed) == 1 and not ip_address(listed[0]).is_loopback:
            return Source(service, family, listed[0], outward(listed[0], probe), "inet_interfaces")
    chosen = probe.ask(SourceAddress(target))
    if chosen.answer is None:
        return Source(service, family, None, None, "kernel", chosen.error, refused=bound or None)
    return Source(
        service, family, chosen.answer, outward(chosen.answer, probe), "kernel", refused=bound or None
    )


def _listed(family: Family, service: str, probe: Probe) -> tuple[str, ...]:
    """The addresses of *family* that inet_interfaces names; () for `all`, which never binds."""
    out: dict[str, None] = {}
    for word in words(value(probe, "inet_interfaces", service)):
        if word.lower() == "all":
            return ()
        for ip in interface_addresses(word, family, probe):
            out.setdefault(ip)
    return tuple(out)


def interface_addresses(word: str, family: Family, probe: Probe) -> tuple[str, ...]:
    """The addresses of *family* behind one word of inet_interfaces: an address, a name, `loopback-only`.

    A name is asked as Postfix asks it: natively, and for both families at once where both are in use.
    Raises CannotLook where it has no address at all: Postfix does not start with such a name.
    """
    bare = word.strip("[]").removeprefix("IPv6:")
    if family_of(bare):
        return (bare,) if family_of(bare) == family else ()
    if bare.lower() == "loopback-only":
        return ("127.0.0.1",) if family == "ipv4" else ("::1",)
    wanted = families(None, probe)
    found = answer(probe, Resolve(bare.lower(), wanted[0] if len(wanted) == 1 else None))
    if not found:
        raise CannotLook(f"{bare} has no address on this host", "see /etc/hosts and inet_interfaces")
    return tuple(ip for ip in found if family_of(ip) == family)


def host_address(ip: str, probe: Probe) -> HostAddress | None:
    """The interface's own entry for *ip*; None where it is not on this host."""
    return next((a for a in answer(probe, HostAddresses()) if same_address(a.ip, ip)), None)


def _on_host(ip: str, probe: Probe) -> bool:
    return host_address(ip, probe) is not None


def _host_has(family: Family, probe: Probe) -> bool:
    """Whether the host has an address of *family* that could leave it."""
    held = probe.ask(HostAddresses()).answer
    return held is None or any(
        family_of(a.ip) == family and not a.loopback and not a.link_local for a in held
    )


def inside(ip: str) -> bool:
    """Whether *ip* is of a network that is not routed on the Internet."""
    address = ip_address(ip)
    return any(address.version == net.version and address in net for net in _INSIDE)


def outward(ip: str, probe: Probe) -> str | None:
    """What receivers see of *ip*: itself, or behind NAT the address on which those we know agree."""
    family = family_of(ip)
    if family is None or not inside(ip):
        return ip
    found = named(family, probe)
    return None if found is None or inside(found) else found
