"""A hold on refused mail, and what became of the mail, as hold/1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.show.bounces import delivery
from mailmend.ui.show.changes import plan, proof, record
from mailmend.ui.show.common import Shape, document, moment

if TYPE_CHECKING:
    from mailmend.jobs.hold import Attempted, Hold, Switched


def hold(seen: Hold) -> Shape:
    """`in_force` and its bounds; `messages` and `waiting` are those held now, `ended` says why it is over."""
    bounds = seen.bounds
    return {
        "in_force": seen.in_force,
        "id": seen.record.id if seen.record else None,
        "causes": list(bounds.causes) if bounds else [],
        "since": moment(bounds.since) if bounds else None,
        "until": moment(bounds.until) if bounds else None,
        "limit": bounds.limit if bounds else None,
        "messages": seen.messages,
        "attempts": seen.attempts,
        "attempts_limit": bounds.attempts if bounds else None,
        "waiting": [delivery(each) for each in seen.waiting],
        "ended": seen.ended or None,
        "errors": list(seen.errors),
    }


def held(seen: Hold) -> Shape:
    """hold/1 of `mailmend hold` alone."""
    return document("hold", {"state": "on" if seen.in_force else "off", "reason": None, **hold(seen)})


def switched(done: Switched) -> Shape:
    """hold/1 of `on` and `off`: `state` is on, off, planned or rolled-back; `attempted` what became of each."""
    return document(
        "hold",
        {
            "state": done.state,
            "reason": done.reason or None,
            **hold(done.hold),
            "plan": plan(done.plan) if done.plan else None,
            "change": record(done.hold.record) if done.hold.record else None,
            "proof": proof(done.proof),
            "attempted": [_attempted(each) for each in done.attempted],
        },
    )


def _attempted(one: Attempted) -> Shape:
    return {**delivery(one.delivery), "outcome": one.outcome, "cause": one.cause}
