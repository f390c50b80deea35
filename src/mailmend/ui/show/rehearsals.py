"""What a rehearsal showed: the ways of mail without and with the change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.show.common import Shape, moment

if TYPE_CHECKING:
    from mailmend.rehearsal import Fate, Rehearsal


def fate(what: Fate) -> Shape:
    """`status` sent, bounced, deferred, rejected (not taken) or lost (no last word in time)."""
    return {
        "status": what.status,
        "family": what.family,
        "relay": what.relay,
        "text": what.text,
        "count": what.count,
    }


def rehearsal(held: Rehearsal | None) -> Shape | None:
    """`holds` is false where there are `failures`; `left_out` is what is not known by it."""
    if held is None:
        return None
    return {
        "holds": held.holds,
        "at": moment(held.at),
        "passages": [
            {
                "id": passage.id,
                "says": passage.says,
                "recipient": passage.recipient,
                "verdict": passage.verdict,
                "before": [fate(f) for f in passage.before],
                "after": [fate(f) for f in passage.after],
            }
            for passage in held.passages
        ],
        "listeners": {"before": list(held.listeners[0]), "after": list(held.listeners[1])},
        "complaints": list(held.complaints),
        "failures": list(held.failures),
        "left_out": [{"what": each.what, "why": each.why} for each in held.left_out],
        "version": held.version,
        "lab_version": held.lab_version,
    }
