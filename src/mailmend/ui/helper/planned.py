"""fix, set and hold on: what has a plan -> shown, or carried out by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailmend.jobs.here import Here, Progress
from mailmend.model import Plan, Scope
from mailmend.ui import show
from mailmend.ui.helper import verbs
from mailmend.ui.helper.allowed import require_plain_names
from mailmend.ui.helper.seeing import Seen, but_the_table, judged
from mailmend.ui.show import holds

if TYPE_CHECKING:
    from mailmend.jobs.fix import Fixed
    from mailmend.jobs.hold import Switched
    from mailmend.jobs.set import Done


def run_fix(
    proposal: verbs.Fix, here: Here, approve: Callable[[Plan], bool] | None, progress: Progress
) -> Fixed:
    """Without *approve* a dry run; so for the others."""
    from mailmend.jobs.fix import fix

    return fix(
        here,
        Scope(receiver=proposal.receiver),
        remedy=proposal.remedy,
        dry_run=approve is None,
        approve=approve or nobody,
        progress=progress,
    )


def look_at_fix(proposal: verbs.Fix, here: Here, progress: Progress) -> Seen:
    """What it would do, or what has to be there first. Raises as `mailmend fix --dry-run` does."""
    from mailmend.jobs.fix import Missing
    from mailmend.ui.screens.fixing import missing

    try:
        return seen_fix(run_fix(proposal, here, None, progress), here)
    except Missing as lacking:
        offered = lacking.proposal
        told = show.lacking(offered, lacking.reason)
        return Seen(None, "", "none", told, lambda target: missing(target, offered))


def seen_fix(done: Fixed, here: Here) -> Seen:
    from mailmend.ui.screens.fixing import planned

    step_up, refused = judged(done.plan.files, here)
    return Seen(
        done.plan.digest if done.plan.files else None,
        done.plan.diff,
        done.plan.activation,
        show.fixed(done),
        lambda target: planned(target, done.plan),
        step_up,
        refused,
    )


def run_set(
    proposal: verbs.Set, here: Here, approve: Callable[[Plan], bool] | None, progress: Progress
) -> Done:
    from mailmend.jobs.set import set_
    from mailmend.parse import assignment

    wanted = tuple(
        assignment.removal(a.name) if a.value is None else assignment.parse(f"{a.name}={a.value}")
        for a in proposal.assignments
    )
    require_plain_names(wanted)

    def agreed(done: Done) -> bool:
        return approve is not None and approve(done.plan)

    return set_(here, wanted, dry_run=approve is None, approve=agreed, progress=progress)


def seen_set(done: Done, here: Here) -> Seen:
    from mailmend.ui.screens.setting import planned

    step_up, refused = judged(done.plan.files, here)
    return Seen(
        done.plan.digest if done.state == "planned" else None,
        done.plan.diff,
        done.plan.activation,
        show.was_set(done),
        lambda target: planned(target, done),
        step_up,
        refused,
    )


def run_hold(
    proposal: verbs.HoldOn,
    here: Here,
    since: datetime | None,
    approve: Callable[[Plan], bool] | None,
    progress: Progress,
) -> Switched:
    from mailmend.jobs.hold import on

    return on(
        here,
        causes=proposal.causes,
        length=timedelta(hours=proposal.hours) if proposal.hours else None,
        limit=proposal.limit,
        since=since,
        dry_run=approve is None,
        approve=approve or nobody,
        progress=progress,
    )


def seen_hold(done: Switched, here: Here) -> Seen:
    from mailmend.ui.screens.holding import planned

    plan, bounds = done.plan, done.hold.bounds
    assert plan is not None  # noqa: S101  (a dry run has one)
    assert bounds is not None  # noqa: S101  (and so a hold that is planned)
    step_up, refused = judged(but_the_table(plan.files), here)
    return Seen(
        plan.digest,
        plan.diff,
        plan.activation,
        holds.switched(done),
        lambda target: planned(target, plan),
        step_up,
        refused,
        bounds.since,
    )


def nobody(_plan: Plan) -> bool:
    return False
