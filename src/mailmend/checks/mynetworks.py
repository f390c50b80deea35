"""Only this host's own clients may relay through it, over either family (postconf(5) mynetworks)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from mailmend.facts.looking import Seen, answer, unknown
from mailmend.facts.relaying import RECIPIENT, RELAY, entrances, walk, will_serve
from mailmend.facts.settings import file_words, value
from mailmend.facts.source import families
from mailmend.model import CannotLook, Finding, Probe, Scope, Standing
from mailmend.parse.listing import words
from mailmend.questions import File, Host, MapLookup, Service

CAUSES = ("open-relay", "mynetworks-gateway", "mynetworks-misses-loopback")

_Network = IPv4Network | IPv6Network
# Nobody owns a network this wide: whoever lists it trusts strangers.
_WIDEST = {4: 8, 6: 16}
_ENTRIES = 2000


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """Whether strangers may relay, a container's gateway among the trusted, and ::1 left out of them."""
    seen = Seen(probe)
    try:
        networks, others = _networks(value(seen, "mynetworks"), seen)
    except CannotLook as gap:
        yield unknown("open-relay", "mynetworks", gap, seen)
        return
    yield from _relay(networks, probe)
    yield from _gateway(networks, probe)
    yield from _loopback(networks, others, probe)


def _relay(networks: tuple[_Network, ...], probe: Probe) -> Iterator[Finding]:
    """What is measured, else why strangers are stopped; each smtpd with its own `-o` is looked at."""
    seen = Seen(probe)
    found: list[Finding] = []
    try:
        for entry in entrances(seen):
            found.append(_entrance(entry, networks, seen))
    except CannotLook as gap:
        yield unknown("open-relay", "mynetworks", gap, seen)
        return
    if not found:
        says = "no smtpd that a stranger could reach stands in master.cf"
        yield Finding("open-relay", "mynetworks", "cleared", says, seen.evidence)
        return
    open_to = {f.subject: f for f in reversed(found) if f.standing == "measured"}
    yield from list(open_to.values())[::-1] or found[:1]


def _entrance(entry: Service, networks: tuple[_Network, ...], seen: Seen) -> Finding:
    own = value(seen, "mynetworks", entry.id) != value(seen, "mynetworks")
    if own:
        networks = _networks(value(seen, "mynetworks", entry.id), seen)[0]
    wide = [n for n in networks if n.prefixlen < _WIDEST[n.version]]
    stranger = walk(entry.id, seen, trusted=False)
    if not will_serve(entry.id, seen):
        return _finding(_named(RELAY, entry), "measured", _dead(entry), seen)
    if stranger.stopped is None:
        let_in = [pair for pair in stranger.let_in if pair[1]] or stranger.let_in[:1]
        terms = " and ".join(f"`{term or 'the end'}` of {name}" for name, term in let_in)
        says = f"{terms} lets strangers relay through {entry.id}"
        return _finding(_named(let_in[0][0], entry), "measured", says, seen)
    trusted = walk(entry.id, seen, trusted=True)
    names = ", ".join(map(str, wide))
    if wide and trusted.stopped is None:
        says = f"mynetworks holds {names} and is permitted: strangers may relay through {entry.id}"
        return _finding(_named("mynetworks", entry), "measured", says, seen)
    setting, term = stranger.stopped
    if wide:
        says = f"mynetworks holds {names}, but nothing permits it to relay: `{term}` of {setting} stops strangers"
    else:
        says = (
            f"`{term}` of {setting} stops strangers; mynetworks trusts {len(networks)} networks, "
            "none wider than a /8 (IPv4) or /16 (IPv6)"
        )
    if stranger.unasked:
        says += f"; what {', '.join(stranger.unasked)} may add was not asked"
    return _finding("mynetworks", "cleared", says, seen)


def _dead(entry: Service) -> str:
    return (
        f"{RELAY} and {RECIPIENT} of {entry.id} hold nothing that stops strangers before a `permit`: "
        "smtpd does not start so, and takes no mail at all; reject_unauth_destination belongs there"
    )


def _named(name: str, entry: Service) -> str:
    """The setting; `service/setting` where a `-o` of that service says it."""
    return name if name not in dict(entry.overrides) else f"{entry.id}/{name}"


def _finding(subject: str, standing: Standing, says: str, seen: Seen) -> Finding:
    return Finding("open-relay", subject, standing, says, seen.evidence)


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
            inner, more = _networks(" ".join(file_words(answer(probe, File(word)).text)), probe)
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
