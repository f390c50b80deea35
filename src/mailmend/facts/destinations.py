"""Whose mail is looked at: the recipients named, else those the log shows, refused ones first."""

from __future__ import annotations

from mailmend.model import Probe, Scope
from mailmend.questions import DeliveryCount, RecentDeliveries

# What is looked at where neither the operator nor the log names anybody: the receiver most often refused.
REFERENCE = "gmail.com"
_MOST = 5


def affected(scope: Scope, probe: Probe) -> tuple[str, ...]:
    """Up to five recipients (addresses or domains) whose way out matters: the refused ones, where any are."""
    if scope.recipients:
        return scope.recipients
    from mailmend.receivers import of_host

    log = probe.ask(RecentDeliveries()).answer
    weight: dict[str, tuple[int, int]] = {}
    for count in log.counts if log else ():
        if not count.relay_host or not _leaves(count):
            continue
        if scope.receiver in (None, of_host(count.relay_host)):
            refused, all_of = weight.get(count.recipient_domain, (0, 0))
            weight[count.recipient_domain] = (
                refused + (count.count if identity_refusal(count) else 0),
                all_of + count.count,
            )
    if any(refused for refused, _ in weight.values()):
        weight = {domain: both for domain, both in weight.items() if both[0]}
    ranked = sorted(weight, key=lambda domain: (-weight[domain][0], -weight[domain][1], domain))
    return tuple(ranked[:_MOST]) or (_reference(scope.receiver),)


def _reference(receiver: str | None) -> str:
    """A domain of the receiver asked about, where its own are known."""
    from mailmend.receivers import load

    domains = next((r.domains for r in load() if r.id == receiver), ())
    return domains[0] if domains else REFERENCE


def identity_refusal(count: DeliveryCount) -> bool:
    """Refused for policy or security (RFC 3463 x.7.x): that is where who-is-sending refusals live."""
    return count.status != "sent" and bool(count.dsn) and (count.dsn or "")[1:4] == ".7."


def _leaves(count: DeliveryCount) -> bool:
    """An answer of this host's own filter or content scanner is no receiver's."""
    return count.family is not None and count.relay_host not in ("127.0.0.1", "::1", "localhost")
