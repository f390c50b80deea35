"""The hosts that take a domain's mail, their addresses, and whose they are (RFC 5321 5.1, RFC 7505)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from mailmend.facts.looking import answer
from mailmend.model import Family, Probe, family_of
from mailmend.questions import Records


@dataclass(frozen=True, slots=True)
class MailHosts:
    """*hosts* best first, lower case, no dot at the end. *implicit*: no MX, the domain itself is the host.

    *null*: the domain says that it takes no mail.
    """

    domain: str
    hosts: tuple[str, ...]
    implicit: bool = False
    null: bool = False


def hosts(nexthop: str, probe: Probe) -> MailHosts:
    """The mail hosts behind a Postfix next hop: a domain's MX, or the one host of `[host]:port`.

    Raises looking.Unknown where the MX records cannot be looked up.
    """
    name, bracketed = bare_host(nexthop)
    if bracketed:
        return MailHosts(name, (name,))
    records = answer(probe, Records(name, "MX")).records
    if not records:
        return MailHosts(name, (name,), implicit=True)
    pairs = sorted((int(r.split()[0]), r.split()[1].rstrip(".").lower()) for r in records)
    if all(not host for _, host in pairs):
        return MailHosts(name, (), null=True)
    return MailHosts(name, tuple(host for _, host in pairs if host))


def bare_host(nexthop: str) -> tuple[str, bool]:
    """`[Host]:25` -> (`host`, True): no MX look-up; `host:25` -> (`host`, False). The first of a list."""
    first = nexthop.split(",", maxsplit=1)[0].strip()
    if first.startswith("["):
        return first[1:].partition("]")[0].lower().removeprefix("ipv6:"), True
    return first.partition(":")[0].rstrip(".").lower(), False


def addresses(host: str, family: Family, probe: Probe) -> tuple[str, ...]:
    """The addresses of *host* in *family*; an address stands for itself. looking.Unknown if not looked up."""
    if family_of(host):
        return (host,) if family_of(host) == family else ()
    return answer(probe, Records(host, "A" if family == "ipv4" else "AAAA")).records


def direct(domain: str, nexthop: str, probe: Probe) -> bool:
    """Whether the next hop is one of the domain's own mail hosts, and so no relay in between."""
    name, bracketed = bare_host(nexthop)
    if not bracketed and name == domain:
        return True
    return bool(set(hosts(nexthop, probe).hosts) & set(hosts(domain, probe).hosts))


def destination(nexthop: str, family: Family, probe: Probe) -> str | None:
    """One address of the best mail host that has one in *family*; None where no host has.

    At most three hosts are looked at: a source address depends on the network, not on the host.
    """
    for host in hosts(nexthop, probe).hosts[:3]:
        found = addresses(host, family, probe)
        if found:
            return found[0]
    return None


def receiver(nexthop: str, probe: Probe) -> str | None:
    """The id of the receiver whose hosts take mail for *nexthop*, where one is known."""
    from mailmend.receivers import of_host

    for host in hosts(nexthop, probe).hosts:
        found = of_host(host)
        if found:
            return found
    return None


def same_address(one: str, other: str) -> bool:
    """Whether two texts are the same IP address, however they are spelt."""
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return False
