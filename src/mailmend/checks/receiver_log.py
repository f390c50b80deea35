"""Receivers take this host's mail over both families: their answers, counted from its own log."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.looking import Seen, unknown
from mailmend.facts.receiver_log import IDENTITY, Refused, Tally, known_as, over, taken_since, tallies
from mailmend.model import CannotLook, Family, Finding, Probe, Scope, Standing

CAUSES = IDENTITY


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """Per receiver, family and cause the figures. The subject is the address that the replies name."""
    seen = Seen(probe)
    try:
        found = tallies(seen)
    except CannotLook as gap:
        yield unknown("ipv6-ptr-or-auth", scope.receiver or "log", gap, seen)
        return
    by = {(t.receiver, t.family): t for t in found}
    for tally in found:
        if scope.receiver in (None, tally.receiver):
            other = by.get((tally.receiver, "ipv4" if tally.family == "ipv6" else "ipv6"))
            yield from _findings(tally, other, seen)


def _findings(tally: Tally, other: Tally | None, seen: Seen) -> Iterator[Finding]:
    beside = f"; {other.sent} of {other.total} {over(other)} sent" if other else ""
    ours = [r for r in tally.refused if r.cause in CAUSES]
    for refused in ours:
        says = (
            f"{known_as(tally.receiver)}: {refused.count} of {tally.total} {over(tally)} refused, "
            f"last {refused.last.isoformat(timespec='minutes')}{beside}"
        )
        taken = taken_since(refused, tally, other)
        since = f"; none since, mail was taken up to {taken.isoformat(timespec='minutes')}" if taken else ""
        if not taken and tally.last_sent and tally.last_sent > refused.last:
            # It is believed to be over once that has held for a day; until then it is at least said.
            since = f"; mail {over(tally)} was taken after that, last {tally.last_sent.isoformat(timespec='minutes')}"
        yield _counted(refused, tally, says + since, seen, "cleared" if taken else "measured")
    if not ours and tally.sent:
        elsewhere = tuple(r.cause for r in other.refused if r.cause in CAUSES) if other else ()
        name = known_as(tally.receiver)
        says = f"{name}: {tally.sent} of {tally.total} {over(tally)} sent, none refused for who sends"
        for cause in dict.fromkeys(elsewhere or (_usual(tally.family),)):
            yield Finding(
                cause,
                tally.receiver,
                "cleared",
                says,
                seen.evidence,
                receiver=tally.receiver,
                family=tally.family,
            )


def _usual(family: Family) -> str:
    """What a receiver refuses first over this family, and so what its taking of the mail clears."""
    return "ipv6-ptr-or-auth" if family == "ipv6" else "unauthenticated"


def _counted(refused: Refused, tally: Tally, says: str, seen: Seen, standing: Standing) -> Finding:
    return Finding(
        refused.cause,
        refused.source_ip or tally.receiver,
        standing,
        says,
        seen.evidence,
        receiver=tally.receiver,
        family=tally.family,
        address=refused.source_ip,
    )
