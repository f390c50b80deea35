"""A remedy that may not be applied yet -> what has to be there first: each thing with what to type or to publish."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.model import Plan, Proposal
from mailmend.road.choose import CURE

# How a next step begins that is records, ` | ` between them, each `NAME TYPE DATA`.
_PUBLISH = "publish: "


@dataclass(frozen=True, slots=True)
class Needed:
    """*reason*: what is missing. *step*: what to do about it, "" where that is *records* to publish: (name, type,
    data), the name without its last dot."""

    reason: str
    step: str
    records: tuple[tuple[str, str, str], ...] = ()


def needed(proposal: Proposal) -> tuple[Needed, ...]:
    """What stops *proposal*, in the order in which it is to be done."""
    found = []
    for objection in proposal.objections:
        if not objection.blocking:
            continue
        step, publish, rest = objection.next_step.partition(_PUBLISH)
        if publish and not step:
            records = (tuple(one.split(" ", 2)) for one in rest.split(" | "))
            found.append(Needed(objection.reason, "", tuple((n, t, d) for n, t, d in records)))
        else:
            found.append(Needed(objection.reason, objection.next_step))
    return tuple(found)


def awaited(plan: Plan) -> Proposal | None:
    """SRS, where nothing may be applied because of what is still missing for it; else None."""
    if plan.chosen:
        return None
    return next((offered for offered in plan.declined if offered.remedy == CURE and offered.blocked), None)
