"""The case to be remedied: whose mail, by which way out, refused by whom, and how each family fares there."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.facts import mx
from mailmend.facts.looking import answer
from mailmend.facts.receiver_log import Tally, cause_of, taken_since, tallies
from mailmend.facts.route import route
from mailmend.model import Finding, Probe, Scope
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

    *relayed* is True where the nexthop is somebody's relay rather than the domain's own MX.
    """

    recipient: str
    domain: str
    service: str
    nexthop: str
    relayed: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """*receiver* is a receiver's id, *name* what people call it, *suffixes* its hosts (`.google.com`).

    *ipv4* and *ipv6* are what the log shows.
    """

    receiver: str
    name: str
    suffixes: tuple[str, ...]
    ways: tuple[Way, ...]
    findings: tuple[Finding, ...]
    ipv4: Fare
    ipv6: Fare

    @property
    def services(self) -> tuple[str, ...]:
        """The smtp client services by which the affected mail leaves, each once."""
        return tuple(dict.fromkeys(way.service for way in self.ways))

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
_MOST_DOMAINS = 5


def gather(findings: tuple[Finding, ...], probe: Probe, scope: Scope) -> Case:
    """The case that the findings and the log make out, for the receiver of *scope* or the one that refuses most.

    Raises CannotLook where routes or settings cannot be read; a log that cannot be read is a case without
    figures.
    """
    counts = _counts(probe)
    who = scope.receiver or _refusing_most(counts) or "google"
    receiver = next(r for r in load() if r.id == who)
    ours = [c for c in counts if of_host(c.relay_host or "") == who]
    fares = {(t.receiver, t.family): t for t in tallies(probe)} if counts else {}
    domains = [r.rpartition("@")[2] for r in scope.recipients] or _domains(ours) or list(receiver.domains[:1])
    return Case(
        receiver=who,
        name=receiver.name,
        suffixes=receiver.hosts,
        ways=tuple(_way(domain, probe) for domain in domains),
        findings=findings,
        ipv4=_fare(fares.get((who, "ipv4"))),
        ipv6=_fare(fares.get((who, "ipv6"))),
    )


def refused_for_identity(count: DeliveryCount) -> bool:
    """Whether these deliveries were refused for who is sending, by the rules of the receiver that refused."""
    return count.status != "sent" and cause_of(count, load()) in IDENTITY


def _counts(probe: Probe) -> tuple[DeliveryCount, ...]:
    seen = probe.ask(RecentDeliveries())
    return seen.answer.counts if seen.answer else ()


def _refusing_most(counts: tuple[DeliveryCount, ...]) -> str | None:
    tally: dict[str, int] = {}
    for count in counts:
        who = of_host(count.relay_host or "")
        if who and refused_for_identity(count):
            tally[who] = tally.get(who, 0) + count.count
    return max(tally, key=tally.__getitem__, default=None)


def _domains(counts: list[DeliveryCount]) -> list[str]:
    """The recipients' domains that were refused, most first; all of the receiver's, where none was."""
    refused = [c for c in counts if refused_for_identity(c)] or counts
    tally: dict[str, int] = {}
    for count in refused:
        tally[count.recipient_domain] = tally.get(count.recipient_domain, 0) + count.count
    return sorted(tally, key=lambda name: -tally[name])[:_MOST_DOMAINS]


def _fare(tally: Tally | None) -> Fare:
    if tally is None:
        return Fare()
    refused = [r for r in tally.refused if r.cause in IDENTITY and taken_since(r, tally) is None]
    latest = max(refused, key=lambda r: r.last, default=None)
    return Fare(
        sent=tally.sent,
        refused=sum(r.count for r in refused),
        unauthenticated=sum(r.count for r in refused if r.cause in AUTHENTICATION),
        reply=latest.text if latest else "",
    )


def _way(domain: str, probe: Probe) -> Way:
    found = route(domain, probe)
    return Way(
        recipient=f"postmaster@{found.domain}",
        domain=found.domain,
        service=found.service,
        nexthop=found.nexthop,
        relayed=found.relayed,
        hosts=mx.hosts(found.nexthop, probe).hosts,
    )
