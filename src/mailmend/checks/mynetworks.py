"""Only this host's own clients may relay through it, over either family (postconf(5) mynetworks)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from mailmend.facts.looking import Seen, answer, unknown
from mailmend.facts.settings import value, words
from mailmend.facts.source import families
from mailmend.model import CannotLook, Finding, Probe, Scope
from mailmend.questions import File, Host, MapLookup

CAUSES = ("open-relay", "mynetworks-gateway", "mynetworks-misses-loopback")

_Network = IPv4Network | IPv6Network
# Nobody owns a network this wide: whoever lists it trusts strangers.
_WIDEST = {4: 8, 6: 16}
_ENTRIES = 2000


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """Too wide a network, a container's gateway inside it, and ::1 left out where IPv6 is served."""
    seen = Seen(probe)
    try:
        networks, others = _networks(value(seen, "mynetworks"), seen)
    except CannotLook as gap:
        yield unknown("open-relay", "mynetworks", gap, seen)
        return
    wide = [n for n in networks if n.prefixlen < _WIDEST[n.version]]
    if wide:
        says = f"mynetworks holds {', '.join(map(str, wide))}: strangers may relay through this host"
        yield Finding("open-relay", "mynetworks", "measured", says, seen.evidence)
    else:
        says = f"mynetworks trusts {len(networks)} networks, none wider than a /8 (IPv4) or /16 (IPv6)"
        yield Finding("open-relay", "mynetworks", "cleared", says, seen.evidence)
    yield from _gateway(networks, probe)
    yield from _loopback(networks, others, probe)


def _gateway(networks: tuple[_Network, ...], probe: Probe) -> Iterator[Finding]:
    """In a container, clients that are translated arrive from the gateway: it must not be trusted."""
    seen = Seen(probe)
    try:
        if not answer(seen, Host()).container:
            return
        gateway = _default_gateway(answer(seen, File("/proc/net/route")).text)
    except CannotLook as gap:
        yield unknown("mynetworks-gateway", "mynetworks", gap, seen)
        return
    inside = gateway and [n for n in networks if n.version == 4 and ip_address(gateway) in n]
    if inside:
        says = (
            f"this is a container and its gateway {gateway} is inside mynetworks ({inside[0]}): "
            "clients whose address is translated there may relay"
        )
        yield Finding("mynetworks-gateway", "mynetworks", "measured", says, seen.evidence)
    elif gateway:
        says = f"the container's gateway {gateway} is not inside mynetworks"
        yield Finding("mynetworks-gateway", "mynetworks", "cleared", says, seen.evidence)


def _loopback(networks: tuple[_Network, ...], others: bool, probe: Probe) -> Iterator[Finding]:
    """Programs that mean localhost may arrive from ::1; with IPv6 served, that must be one of ours."""
    seen = Seen(probe)
    try:
        if "ipv6" not in families(None, seen):
            return
        trusts_ipv4 = any(ip_address("127.0.0.1") in n for n in networks if n.version == 4)
    except CannotLook as gap:
        yield unknown("mynetworks-misses-loopback", "mynetworks", gap, seen)
        return
    value(seen, "mynetworks")
    if any(ip_address("::1") in n for n in networks if n.version == 6):
        says = "mynetworks trusts ::1 as it trusts 127.0.0.1"
        yield Finding("mynetworks-misses-loopback", "mynetworks", "cleared", says, seen.evidence)
    elif trusts_ipv4 and not others:
        says = (
            "mynetworks trusts 127.0.0.1 but not ::1: programs that reach localhost over IPv6 may not relay"
        )
        yield Finding("mynetworks-misses-loopback", "mynetworks", "measured", says, seen.evidence)


def _networks(text: str, probe: Probe) -> tuple[tuple[_Network, ...], bool]:
    """The networks that are listed, and whether other patterns stand there that no list can show.

    A `!` pattern takes out a part; it never makes the list wider, so it is left aside.
    """
    networks: list[_Network] = []
    others = False
    for word in words(text)[:_ENTRIES]:
        if word.startswith("!"):
            continue
        if word.startswith("/"):
            inner, more = _networks(answer(probe, File(word)).text, probe)
            networks += inner
            others |= more
            continue
        bare = word.replace("[", "").replace("]", "")
        try:
            networks.append(ip_network(bare, strict=False))
        except ValueError:
            others = True
            yielded = _anybody(word, probe)
            networks += yielded
    return tuple(networks), others


def _anybody(table: str, probe: Probe) -> list[_Network]:
    """A table that trusts an address of nobody (RFC 5737) trusts everybody."""
    if ":" not in table:
        return []
    if table == "static:all" or answer(probe, MapLookup(table, "203.0.113.250")):
        return [ip_network("0.0.0.0/0")]
    return []


def _default_gateway(table: str) -> str | None:
    """The IPv4 default route's gateway in /proc/net/route: hexadecimal, least significant byte first."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 2 and fields[1] == "00000000" and fields[2] != "00000000":
            return str(ip_address(bytes.fromhex(fields[2])[::-1]))
    return None
