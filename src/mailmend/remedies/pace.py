"""Mail to one receiver leaves one at a time, seconds apart, by a transport of its own (transport(5), postconf(5)).

`NAME_transport_rate_delay` holds for all domains of the receiver together: it counts by address and by sender, not
by the domain written to. The transport is a clone of the one that the mail takes today. Where SRS sends strangers'
mail round through its listener, a route in transport_maps would go past that: there the listener hands what it has
rewritten to the clone (access(5), FILTER).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailmend.facts import clones, pacing, srs
from mailmend.facts.case import BY_SENDER, Case, written
from mailmend.facts.route import Route, route, unaliased
from mailmend.facts.services import service as entry_of
from mailmend.facts.settings import value
from mailmend.facts.versions import version
from mailmend.model import CannotLook, Change, Effect, Expectation, Objection, Probe, Proposal
from mailmend.parse.listing import words
from mailmend.questions import File, MapTypes, RecentDeliveries
from mailmend.receivers import of_host

ID = "pace"
HEALS = ("rate-limited", "rate-limited-reputation")
EFFECT: Effect = "contains"
TABLE = "paced_transport"
# A delay counts whole seconds of the clock: of two, at least one is between two deliveries.
DELAY = 2
_A_DAY = 86400 // DELAY
_MOST_DOMAINS = 100
_RESTRICTIONS = f"{pacing.LISTENER}/smtpd_recipient_restrictions"


@dataclass(frozen=True, slots=True)
class _Paced:
    """Mail to *domain* leaves today by *service* (`smtp/unix`) to *nexthop*, "" where that is the domain itself."""

    domain: str
    service: str
    nexthop: str


def propose(case: Case, probe: Probe) -> Proposal:
    """A clone of each transport that the receiver's mail takes, its delay, and what leads the mail there.

    What could not be looked at stops this remedy, and no other that is weighed beside it.
    """
    try:
        return _proposal(case, probe)
    except CannotLook as gap:
        objection = Objection(f"the way of this mail could not be looked up: {gap.reason}", gap.next_step)
        return Proposal(ID, EFFECT, (), objections=(objection,))


def clone_name(service: str, receiver: str) -> str:
    """`smtp/unix`, `google` -> `smtp-paced-google`; a transport that is one already stays."""
    name = service.rpartition("/")[0]
    ending = f"-paced-{re.sub('[^a-z0-9]+', '-', receiver.lower())}"
    return name if name.endswith(ending) else name + ending


def _proposal(case: Case, probe: Probe) -> Proposal:
    rewriting = pacing.scoped_srs(probe)
    mail = _mail(case, rewriting, probe)
    if not mail:
        return Proposal(ID, EFFECT, (), objections=tuple(_objections(mail, case, rewriting, probe)))
    changes: list[Change] = []
    for service in dict.fromkeys(one.service for one in mail):
        changes += _clone(service, case, probe)
    changes += _after_srs(mail, case, probe) if rewriting else _by_table(mail, case, probe)
    return Proposal(
        ID,
        EFFECT,
        tuple(changes),
        tuple(_expectations(mail, case, rewriting)),
        tuple(_cost(mail, case, rewriting, probe)),
        tuple(_objections(mail, case, rewriting, probe)),
    )


def _mail(case: Case, rewriting: bool, probe: Probe) -> tuple[_Paced, ...]:
    """Every domain at the receiver that the case or the log names, with the way that its mail takes.

    The way is the domain's own: an address, or a pattern for it, that transport_maps leads elsewhere stays with that.
    """
    found = {}
    for domain in dict.fromkeys((*(way.domain for way in case.ways), *_logged(case, probe))):
        one = unaliased(domain, probe)
        if one.leaves and (rewriting or not _apart(f"postmaster@{domain}", one, probe)):
            found[domain] = _Paced(domain, one.service, one.nexthop if one.nexthop != domain else "")
    return tuple(found.values())


def _logged(case: Case, probe: Probe) -> tuple[str, ...]:
    """The domains whose mail the log shows the receiver to take."""
    log = probe.ask(RecentDeliveries()).answer
    theirs = [c for c in (log.counts if log else ()) if of_host(c.relay_host or "") == case.receiver]
    return tuple(dict.fromkeys(c.recipient_domain.lower() for c in theirs))[:_MOST_DOMAINS]


def _apart(address: str, domain: Route, probe: Probe) -> Route | None:
    """The way of *address* where it is not that of its *domain*: transport(5) looks for the address before that."""
    own = route(address, probe)
    same = (own.service, own.nexthop) == (domain.service, domain.nexthop)
    return None if own.forwarded or same else own


def _clone(service: str, case: Case, probe: Probe) -> Iterator[Change]:
    original = entry_of(probe, service)
    name = clone_name(service, case.receiver)
    if original is None or entry_of(probe, f"{name}/unix") is not None:
        return
    options = (("syslog_name", f"postfix/{name}"),)
    yield Change("service", f"{name}/unix", None, clones.entry(name, original, options), "reload")
    yield from clones.limits(name, original, probe, left=("transport_rate_delay",))
    delay = f"{name}_transport_rate_delay"
    yield Change("setting", delay, written(probe, delay), f"{DELAY}s", "reload")


def _by_table(mail: tuple[_Paced, ...], case: Case, probe: Probe) -> Iterator[Change]:
    """Our table before all others: it names whole domains, and an address that another names still wins."""
    path = f"{value(probe, 'config_directory')}/{TABLE}"
    head = "# Receivers that are sent one message after another, written by mailmend. See transport(5).\n"
    lines = {one.domain: f"{clone_name(one.service, case.receiver)}:{one.nexthop}" for one in mail}
    yield from _table(path, head, lines, probe)
    ours, before = f"texthash:{path}", written(probe, "transport_maps")
    if ours not in words(before or ""):
        yield Change("setting", "transport_maps", before, _first(ours, before), "reload")


def _after_srs(mail: tuple[_Paced, ...], case: Case, probe: Probe) -> Iterator[Change]:
    """FILTER is for a whole message, so each recipient goes round alone."""
    path = f"{value(probe, 'config_directory')}/{pacing.FORWARDS}"
    head = "# Rewritten mail to these leaves one message after another, written by mailmend. See access(5).\n"
    lines = {o.domain: f"FILTER {clone_name(o.service, case.receiver)}:{o.nexthop or o.domain}" for o in mail}
    yield from _table(path, head, lines, probe)
    alone = f"{srs.REWRITE}_destination_recipient_limit"
    if written(probe, alone) != "1":
        yield Change("setting", alone, written(probe, alone), "1", "reload")
    before = written(probe, "smtpd_recipient_restrictions", pacing.LISTENER)
    if f"texthash:{path}" not in words(before or ""):
        after = _first(f"check_recipient_access texthash:{path}", before)
        yield Change("override", _RESTRICTIONS, before, after, "reload")


def _table(path: str, head: str, lines: dict[str, str], probe: Probe) -> Iterator[Change]:
    """The lines that *path* has not yet; a domain that stands there keeps its own."""
    seen = probe.ask(File(path)).answer
    before = seen.text if seen and seen.exists else None
    text = head if before is None else before
    text += "" if text.endswith("\n") else "\n"
    named = {line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("#")}
    after = text + "".join(f"{key} {result}\n" for key, result in lines.items() if key not in named)
    if after != before:
        yield Change("file", path, before, after, "reload")


def _first(ours: str, before: str | None) -> str:
    return f"{ours}, {before.strip()}" if before and before.strip() else ours


def _expectations(mail: tuple[_Paced, ...], case: Case, rewriting: bool) -> Iterator[Expectation]:
    for name in dict.fromkeys(clone_name(one.service, case.receiver) for one in mail):
        delay = f"{name}_transport_rate_delay"
        yield Expectation(
            "saved", "setting-is", delay, f"{DELAY}s", f"{name} waits {DELAY} s after each delivery"
        )
        says = f"what {name} delivers is at least {DELAY - 1} s apart"
        yield Expectation("delivery", "spaced", name, str(DELAY - 1), says)
    if rewriting:
        socket = pacing.LISTENER.partition("/")[0]
        yield Expectation("running", "greeting", socket, "220", "the listener that rewrites answers")
        return
    for one in mail:
        clone = f"{clone_name(one.service, case.receiver)}/unix"
        says = f"mail to {one.domain} leaves by {clone}"
        yield Expectation("saved", "routed", f"postmaster@{one.domain}", clone, says)


def _cost(mail: tuple[_Paced, ...], case: Case, rewriting: bool, probe: Probe) -> Iterator[str]:
    domains = ", ".join(one.domain for one in mail[:5]) + (
        f" and {len(mail) - 5} more" if len(mail) > 5 else ""
    )
    whose = "forwarded mail" if rewriting else "mail"
    every = len({one.service for one in mail})
    each = f"by each of {every} transports one message" if every > 1 else "one message"
    yield (
        f"{whose} to {domains} leaves {each} every {DELAY} s, {_A_DAY * every:,} a day at most; "
        "what comes faster waits in the queue"
    )
    if not rewriting and value(probe, "transport_maps"):
        yield "an address that transport_maps names, or has a pattern for, still goes its own way, as fast as before"
    yield f"domains at {case.name} that neither the log nor you named leave as before: run this again for them"
    if rewriting:
        yield "mail of this host's own people and notices (null sender), which are not rewritten, are not slowed down"


def _objections(mail: tuple[_Paced, ...], case: Case, rewriting: bool, probe: Probe) -> Iterator[Objection]:
    known = version(probe)
    types = probe.ask(MapTypes()).answer
    if known and known < (3, 1):
        yield Objection(
            f"Postfix {value(probe, 'mail_version')} has no transport_rate_delay (it came with 3.1)",
            "set smtp_destination_rate_delay on a transport of its own by hand: it holds for each domain alone",
        )
    if types is not None and "texthash" not in types:
        yield Objection("this Postfix has no texthash tables", "postconf -m")
    apart = () if rewriting else tuple(_on_their_own(case, probe))
    yield from apart
    if not mail and not apart:
        yield Objection(f"no mail to {case.name} leaves here directly", "name a recipient there")
    for one in mail:
        yield from _taken(one, case, probe)
    yield from _by_sender(rewriting, probe)
    yield from _too_much(case, probe)


def _on_their_own(case: Case, probe: Probe) -> Iterator[Objection]:
    """Addresses of the case that a line for their domain would not reach; what they take is theirs alone."""
    for address in case.recipients:
        domain = unaliased(address.rpartition("@")[2].lower(), probe)
        if own := _apart(address, domain, probe):
            name = own.service.partition("/")[0]
            yield Objection(
                f"transport_maps leads {address} another way than {domain.domain} ({name}:{own.nexthop}), by its "
                "address or a pattern for it, which comes before a line for the domain",
                f"give that transport a delay (mailmend set {name}_transport_rate_delay={DELAY}s), or name others",
            )


def _taken(one: _Paced, case: Case, probe: Probe) -> Iterator[Objection]:
    """A delay that is there already, or another service that has the clone's name."""
    name = clone_name(one.service, case.receiver)
    if f"{name}/unix" == one.service:
        return
    if by := pacing.delayed(one.service, probe):
        yield Objection(
            f"mail to {one.domain} is paced already: {by}", f"mailmend set {by.partition(' ')[0]}=VALUE"
        )
    there = entry_of(probe, f"{name}/unix")
    if there is not None and not pacing.delayed(f"{name}/unix", probe):
        yield Objection(
            f"master.cf has another {name}/unix, which waits for nothing", "rename that service first"
        )


def _by_sender(rewriting: bool, probe: Probe) -> Iterator[Objection]:
    """transport_maps and FILTER come before what depends on the sender: an account at a relay, an own way out."""
    for parameter in BY_SENDER:
        tables = words(value(probe, parameter))
        others = [t for t in tables if not (rewriting and t.endswith(f"/{srs.LEAVING}"))]
        if others:
            yield Objection(
                f"{parameter} = {' '.join(others)} chooses a way by the sender, which a transport of the receiver's "
                "own would go past",
                "give the transports named there a delay: mailmend set NAME_transport_rate_delay=2s",
            )


def _too_much(case: Case, probe: Probe) -> Iterator[Objection]:
    """More than the pace lets through would fill the queue for ever."""
    log = probe.ask(RecentDeliveries()).answer
    if log is None or log.since is None or log.until is None:
        return
    sent = sum(
        c.count for c in log.counts if c.status == "sent" and of_host(c.relay_host or "") == case.receiver
    )
    days = max((log.until - log.since).total_seconds() / 86400, 1)
    if sent / days > _A_DAY / 2:
        yield Objection(
            f"{sent / days:,.0f} messages a day go to {case.name}: at {_A_DAY:,} a day at most, the queue would fill",
            "ask the receiver for its limit, and split this mail over several addresses or domains",
            overridable=True,
        )
