"""rehearse: a remedy or settings, tried on a copy of this host before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mailmend.model import ParseError, Refused
from mailmend.ui import show
from mailmend.ui.ending import EXIT_PROBLEMS, Outcome, write
from mailmend.ui.progress import Progress, progress

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here
    from mailmend.model import Plan
    from mailmend.rehearsal import Rehearsal


def rehearse(here: Here, assignments: Sequence[str], remedy: str | None) -> Outcome:
    """0 where no way of mail gets worse, 1 where one does. Nothing of the host is changed."""
    from mailmend.jobs.rehearse import rehearse as job
    from mailmend.jobs.rehearse_plan import of_assignments, of_remedy
    from mailmend.ui.commands.knowing import no_such, remedies

    if remedy is not None and assignments:
        raise ParseError(
            "a remedy and settings cannot be rehearsed at once", "give --remedy ID, or NAME=VALUE..."
        )
    if remedy is not None and remedy not in remedies():
        raise no_such("remedy", remedy, remedies())
    with progress() as step:
        plan = of_assignments(here, assignments) if assignments else of_remedy(here, remedy, step)
        plan = replace(plan, rehearsal=job(here, plan, step))
    shown = plan.rehearsal
    assert shown is not None  # noqa: S101  (for the type checker)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import rehearsing

        _planned(target, plan)
        rehearsing.rehearsed(target, shown)

    document = show.document("rehearse", {"plan": show.plan(plan), **(show.rehearsal(shown) or {})})
    return Outcome(0 if shown.holds else EXIT_PROBLEMS, document, screen)


def _planned(target: Console, plan: Plan) -> None:
    from mailmend.ui.terminal import difference, say

    if plan.diff:
        say(target, f"What is rehearsed: {plan.chosen.remedy if plan.chosen else 'settings'}")
        target.print()
        difference(target, plan.diff)
    else:
        why = "it is so already" if plan.chosen else plan.reason
        say(target, f"Nothing would change ({why}), so what is saved is rehearsed as it is.")


def held(here: Here, plan: Plan, kept: list[Rehearsal], step: Progress) -> Plan:
    """*plan* with its rehearsal, held now; it is also the last of *kept*."""
    from mailmend.jobs.rehearse import rehearse as job

    kept.append(job(here, plan, step))
    return replace(plan, rehearsal=kept[-1])


def show_held(plan: Plan, step: Progress) -> None:
    """Put the rehearsal of *plan* before the person who is asked."""
    from mailmend.ui.screens import rehearsing
    from mailmend.ui.terminal import drawn

    step.pause()
    if (shown := plan.rehearsal) is not None:
        write(drawn(lambda target: rehearsing.rehearsed(target, shown)))


def require(plan: Plan) -> None:
    """Raise Refused, in one line, where *plan* was rehearsed and did not hold."""
    shown = plan.rehearsal
    if shown is not None and not shown.holds:
        more = f", and {len(shown.failures) - 1} more" if len(shown.failures) > 1 else ""
        step = "nothing was changed; mailmend rehearse shows all of it"
        raise Refused(f"the rehearsal failed: {shown.failures[0]}{more}", step)
