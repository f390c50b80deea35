"""The case to be remedied: whose mail, by which way out, refused by whom, and how each family fares there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mailmend.facts import mx
from mailmend.facts.looking import answer
from mailmend.facts.receiver_log import cause_of, taken_since, tally
from mailmend.facts.route import Route, routes
from mailmend.facts.settings import smtp_services, value
from mailmend.model import Family, Finding, Probe, Refused, Scope
from mailmend.questions import DeliveryCount, RecentDeliveries, Setting
from mailmend.receivers import load, of_host


@dataclass(frozen=True, slots=True)
class Fare:
    """How mail fared at the receiver over one family: deliveries, and refusals for who is sending.

    *unauthenticated* are those of *refused* that miss SPF or DKIM, which no other address changes.
    """

    sent: int = 0
    refused: int = 0
    unauthenticated: int = 0
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """How mail to *domain* leaves: *service* of master.cf, *nexthop* as Postfix writes it, *hosts* it connects to.

    *sender* is set where the way depends on it. *relayed* is True where the nexthop is somebody's relay rather
    than the domain's own MX. *ipv4_hosts* are those of *hosts* that have an IPv4 address at all.
    """

    recipient: str
    sender: str | None
    domain: str
    service: str
    nexthop: str
    relayed: bool
    hosts: tuple[str, ...]
    ipv4_hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """*receiver* is a receiver's id, *name* what people call it, *suffixes* its hosts (`.google.com`).

    *services* are the smtp clients by which the affected mail leaves, or may leave: each once. *ipv4* and *ipv6*
    are what the log shows.
    """

    receiver: str
    name: str
    suffixes: tuple[str, ...]
    ways: tuple[Way, ...]
    services: tuple[str, ...]
    findings: tuple[Finding, ...]
    ipv4: Fare
    ipv6: Fare

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(way.recipient for way in self.ways))


def written(probe: Probe, name: str, service: str | None = None) -> str | None:
    """A setting as main.cf or `-o` writes it; None where the default applies. Unknown where unread."""
    return answer(probe, Setting(name, service)).written


# Refusals that concern who is sending: another source address, or better DNS, changes the answer.
IDENTITY = frozenset(
    (
        "ipv6-ptr-or-auth",
        "ptr-missing",
        "fcrdns-mismatch",
        "spf-fail",
        "unauthenticated",
        "ip-not-allowlisted",
    )
)
AUTHENTICATION = frozenset(("spf-fail", "unauthenticated"))
# Where one of these is set, mail to one domain goes different ways for different senders (postconf(5)).
BY_SENDER = ("sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps")
_MOST_DOMAINS = 5
_MOST_SENDERS = 20


def gather(findings: tuple[Finding, ...], probe: Probe, scope: Scope) -> Case:
    """The case that the findings and the log make out.

    It is about the recipients of *scope*, or those whom the receiver that refuses most refused. A receiver
    that no page describes is known by its hosts alone. Raises CannotLook where routes, settings or DNS cannot
    be read, Refused where the mail named does not leave this host; a log that cannot be read is a case
    without figures.
    """
    counts = _counts(probe)
    named = scope.recipients
    who = scope.receiver or (None if named else _refusing_most(counts) or "google")
    known = next((r for r in load() if r.id == who), None)
    refused = _domains([c for c in counts if who and _of(c) == who])
    recipients = named or refused or (known.domains[:1] if known else ())
    ways = _ways(recipients, counts, probe)
    if known is None:
        who = next((r for way in ways for host in way.hosts if (r := of_host(host))), None)
        known = next((r for r in load() if r.id == who), None)
    hosts = {host for way in ways for host in way.hosts}
    ours = [c for c in counts if (_of(c) == who if who else c.relay_host in hosts)]
    return Case(
        receiver=who or ways[0].domain,
        name=known.name if known else ways[0].domain,
        suffixes=known.hosts if known else (),
        ways=ways,
        services=_services(ways, probe),
        findings=findings,
        ipv4=_fare(ours, "ipv4"),
        ipv6=_fare(ours, "ipv6"),
    )


def _of(count: DeliveryCount) -> str | None:
    return of_host(count.relay_host or "")


def refused_for_identity(count: DeliveryCount) -> bool:
    """Whether these deliveries were refused for who is sending, by the rules of the receiver that refused."""
    return count.status != "sent" and cause_of(count, load()) in IDENTITY


def _counts(probe: Probe) -> tuple[DeliveryCount, ...]:
    seen = probe.ask(RecentDeliveries())
    return seen.answer.counts if seen.answer else ()


def _refusing_most(counts: tuple[DeliveryCount, ...]) -> str | None:
    refusals: Counter[str] = Counter()
    for count in counts:
        who = _of(count)
        if who and refused_for_identity(count):
            refusals[who] += count.count
    return max(refusals, key=refusals.__getitem__, default=None)


def _domains(counts: list[DeliveryCount]) -> tuple[str, ...]:
    """The recipients' domains that were refused, most first; all of the receiver's, where none was."""
    refused = [c for c in counts if refused_for_identity(c)] or counts
    most: Counter[str] = Counter()
    for count in refused:
        most[count.recipient_domain] += count.count
    return tuple(domain for domain, _ in most.most_common(_MOST_DOMAINS))


def _fare(counts: list[DeliveryCount], family: Family) -> Fare:
    seen = tally(counts, family)
    refused = [r for r in seen.refused if r.cause in IDENTITY and taken_since(r, seen) is None]
    latest = max(refused, key=lambda r: r.last, default=None)
    return Fare(
        sent=seen.sent,
        refused=sum(r.count for r in refused),
        unauthenticated=sum(r.count for r in refused if r.cause in AUTHENTICATION),
        reply=latest.text if latest else "",
    )


def _ways(recipients: Iterable[str], counts: Iterable[DeliveryCount], probe: Probe) -> tuple[Way, ...]:
    """Every way that mail to *recipients* takes, for each logged sender where that makes a difference."""
    found: dict[Way, None] = {}
    for recipient in recipients:
        # A bare domain is not what pattern tables are asked for; an address is.
        address = recipient if "@" in recipient else f"postmaster@{recipient}"
        for sender in _senders(recipient.rpartition("@")[2], counts, probe):
            for one in routes(address, probe, sender):
                if one.leaves:
                    found.setdefault(_way(one, sender, probe))
    if not found:
        raise Refused(
            f"mail to {', '.join(recipients)} does not leave this host by SMTP", "name its recipients"
        )
    return tuple(found)


def _services(ways: tuple[Way, ...], probe: Probe) -> tuple[str, ...]:
    """Those of *ways*; where the sender decides, any smtp client may be meant for one who has not written lately."""
    every = smtp_services(probe) if _by_sender(probe) else ()
    return tuple(dict.fromkeys((*(way.service for way in ways), *every)))


def _by_sender(probe: Probe) -> bool:
    return any(value(probe, name) for name in BY_SENDER)


def _senders(domain: str, counts: Iterable[DeliveryCount], probe: Probe) -> tuple[str | None, ...]:
    if not _by_sender(probe):
        return (None,)
    logged = dict.fromkeys(s for c in counts if c.recipient_domain == domain for s in c.senders if s)
    return (None, *tuple(logged)[:_MOST_SENDERS])


def _way(found: Route, sender: str | None, probe: Probe) -> Way:
    hosts = mx.hosts(found.nexthop, probe).hosts
    return Way(
        recipient=found.final if "@" in found.final else f"postmaster@{found.domain}",
        sender=sender,
        domain=found.domain,
        service=found.service,
        nexthop=found.nexthop,
        relayed=found.relayed,
        hosts=hosts,
        ipv4_hosts=tuple(host for host in hosts if mx.addresses(host, "ipv4", probe)),
    )
