"""The affected mail goes straight to its receiver, by a service that main.cf reaches (transport(5))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from mailmend.facts.destinations import affected
from mailmend.facts.looking import Seen, answer, each
from mailmend.facts.mx import bare_host, direct
from mailmend.facts.route import Route, routes
from mailmend.facts.settings import services as entries
from mailmend.model import Finding, Probe, Scope
from mailmend.questions import RecentDeliveries, Setting

CAUSES = ("relayhost-in-between", "override-in-force")

# Parameters by which a remedy works on the smtp client; a `-o` of master.cf silently wins over main.cf.
_REMEDIAL = (
    "smtp_dns_reply_filter",
    "smtp_bind_address",
    "smtp_bind_address6",
    "inet_protocols",
    "smtp_address_preference",
    "smtp_delivery_status_filter",
)


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """Per affected recipient who is contacted; per service on the way, what its `-o` takes from main.cf."""
    services: dict[str, None] = {}
    yield from each(
        probe, affected(scope, probe), "relayhost-in-between", partial(_way, services=services, scope=scope)
    )
    yield from each(probe, tuple(services), "override-in-force", _overrides)


def _way(recipient: str, seen: Seen, *, services: dict[str, None], scope: Scope) -> Iterable[Finding]:
    for way in routes(recipient, seen, scope.senders[0] if scope.senders else None):
        if not way.smtp:
            continue
        services.setdefault(way.service)
        yield _finding(way, seen)


def _finding(way: Route, seen: Seen) -> Finding:
    forward = f"{way.recipient} -> {way.final}" if way.forwarded else way.final
    says = f"{forward} leaves by {way.service} to {way.nexthop} ({', '.join(way.decided)})"
    if not way.relayed or direct(way.domain, way.nexthop, seen):
        return Finding("relayhost-in-between", way.domain, "cleared", says, seen.evidence)
    host = bare_host(way.nexthop)[0]
    counts = [c for c in answer(seen, RecentDeliveries()).counts if (c.relay_host or "").lower() == host]
    refused = sum(c.count for c in counts if c.status != "sent")
    total = sum(c.count for c in counts)
    if refused:
        says += f"; that relay refused {refused} of {total}: its address and its rules are what count"
        return Finding("relayhost-in-between", way.domain, "measured", says, seen.evidence)
    says += f"; a relay, which {f'refused 0 of {total} lately' if total else 'the log shows no mail for'}"
    return Finding("relayhost-in-between", way.domain, "cleared", says, seen.evidence)


def _overrides(service: str, seen: Seen) -> Iterable[Finding]:
    entry = next(s for s in entries(seen) if s.id == service)
    for name, text in dict(entry.overrides).items():
        if name not in _REMEDIAL:
            continue
        main = answer(seen, Setting(name)).written
        subject = f"{service}/{name}"
        if main is not None and main.split() != text.split():
            says = f"master.cf's `-o {name}={text}` of {service} wins over main.cf's `{name} = {main}`"
            yield Finding("override-in-force", subject, "measured", says, seen.evidence)
        else:
            says = f"{service} has its own `-o {name}={text}`; main.cf says nothing else"
            yield Finding("override-in-force", subject, "cleared", says, seen.evidence)
