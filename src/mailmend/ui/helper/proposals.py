"""A proposal -> what it would do, for a person to see; and the same carried out, if it still is what was seen."""

from __future__ import annotations

from datetime import datetime

from mailmend.jobs.here import Here, Progress, silent
from mailmend.ui import show
from mailmend.ui.helper import planned, taken_back, verbs
from mailmend.ui.helper.seeing import Agreed, Require, Seen, Told, prove
from mailmend.ui.show import Shape, document, holds, moment


def shape(proposal: verbs.AnyProposal, seen: Seen) -> Shape:
    """proposal/1 of *seen*."""
    refused = seen.refused
    return document(
        "proposal",
        {
            "what": str(type(proposal).__struct_config__.tag),
            "digest": seen.digest,
            "diff": seen.diff,
            "activation": seen.activation,
            "step_up": seen.step_up,
            "not_from_a_page": {"reason": refused.reason, "next_step": refused.next_step}
            if refused
            else None,
            "since": moment(seen.since) if seen.since else None,
            "document": seen.told,
        },
    )


def look(
    proposal: verbs.AnyProposal, here: Here, *, since: datetime | None = None, progress: Progress = silent
) -> Seen:
    """What *proposal* would do to this host now, *since* being what it was made of before; nothing is done.

    Raises as the command's `--dry-run` does; what a remedy needs first is seen, too.
    """
    match proposal:
        case verbs.Fix():
            return planned.look_at_fix(proposal, here, progress)
        case verbs.Set():
            return planned.seen_set(planned.run_set(proposal, here, None, progress), here)
        case verbs.Undo():
            return taken_back.look_at_undo(proposal, here)
        case verbs.HoldOn():
            return planned.seen_hold(planned.run_hold(proposal, here, since, None, progress), here)
        case verbs.HoldOff():
            return taken_back.look_at_hold_off(here)
        case verbs.Activate():
            return taken_back.look_at_activation(here)


def carry_out(agreed: Agreed, here: Here, told: Told) -> Shape:
    """The command's document. Refused, with nothing done, where that is not what was seen or approved any more."""
    require = Require(agreed, here, told)
    match agreed.proposal:
        case verbs.Fix() as proposal:
            fixed = planned.run_fix(proposal, here, require.plan, told.step)
            prove(fixed.proof, told)
            return show.fixed(fixed)
        case verbs.Set() as proposal:
            done = planned.run_set(proposal, here, require.plan, told.step)
            prove(done.proof, told)
            return show.was_set(done)
        case verbs.Undo():
            return taken_back.undo_it(agreed.proposal, here, require, told)
        case verbs.HoldOn() as proposal:
            held = planned.run_hold(proposal, here, agreed.since, require.plan, told.step)
            prove(held.proof, told)
            return holds.switched(held)
        case verbs.HoldOff():
            return taken_back.end_hold(here, require, told)
        case verbs.Activate():
            return taken_back.activate(here, require, told)
