"""The commands that change a running server: fix, apply, undo, webmin."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from mailmend.model import Refused, Scope
from mailmend.ui import show
from mailmend.ui.ending import EXIT_PROBLEMS, EXIT_REFUSED, Outcome, write
from mailmend.ui.progress import Progress, progress

if TYPE_CHECKING:
    from datetime import timedelta

    from rich.console import Console

    from mailmend.jobs.fix import Fixed, Missing
    from mailmend.jobs.here import Here
    from mailmend.jobs.prove import Proven
    from mailmend.model import Plan
    from mailmend.rehearsal import Rehearsal

NOT_ASKED = "nothing was changed: the plan was not approved"


def fix(
    here: Here,
    domains: Sequence[str],
    remedy: str | None,
    *,
    dry_run: bool,
    yes: bool,
    trial: timedelta | None,
    address: str | None,
    as_json: bool,
    rehearsed: bool = False,
) -> Outcome:
    """The plan is shown before anybody is asked; without an answer nothing is changed (4).

    *rehearsed*: it is tried on a copy of this host first; what fails there is not applied unasked (4).
    """
    from mailmend.jobs.fix import Missing
    from mailmend.jobs.fix import fix as job
    from mailmend.ui.commands import rehearsing
    from mailmend.ui.commands.knowing import no_such, remedies, require_address

    if remedy is not None and remedy not in remedies():
        raise no_such("remedy", remedy, remedies())
    if address is not None:
        require_address(address)
    held: list[Rehearsal] = []
    with progress() as step:

        def approve(plan: Plan) -> bool:
            if rehearsed:
                plan = rehearsing.held(here, plan, held, step)
            step.pause()
            if not as_json:
                _show_plan(plan)
            if yes:
                rehearsing.require(plan)
            if yes or as_json:
                return yes
            answer = _answer(rehearsal=not rehearsed)
            if answer == "rehearse":
                rehearsing.show_held(rehearsing.held(here, plan, held, step), step)
                return _asked()
            return answer == "yes"

        try:
            fixed = job(
                here,
                Scope(recipients=tuple(domains)),
                remedy=remedy,
                dry_run=dry_run,
                approve=approve,
                trial=trial,
                progress=step,
            )
        except Missing as lacking:
            if as_json:
                raise
            return _lacking(lacking)
        if dry_run and rehearsed and fixed.plan.files:
            rehearsing.held(here, fixed.plan, held, step)
        fixed = replace(fixed, plan=replace(fixed.plan, rehearsal=held[-1] if held else None))
        sent = _sent(here, address, fixed, step)
    planned_here = as_json or fixed.state != "planned" or dry_run
    status = _exit(fixed, sent, dry_run)
    if status == EXIT_REFUSED and fixed.state == "planned" and not as_json:
        raise Refused(NOT_ASKED, "mailmend fix --yes approves it")

    def screen(target: Console) -> None:
        from mailmend.ui.screens import fixing

        if fixed.state in ("nothing", "planned") and planned_here:
            fixing.planned(target, fixed.plan)
        fixing.ended(target, fixed, sent, remedy)

    return Outcome(status, show.fixed(fixed, sent), screen)


def _lacking(lacking: Missing) -> Outcome:
    """All that the remedy needs first: its steps have records, which one line would break."""

    def screen(target: Console) -> None:
        from mailmend.ui.screens import fixing

        fixing.missing(target, lacking.proposal)

    return Outcome(EXIT_REFUSED, {}, screen)


def _show_plan(plan: Plan) -> None:
    from mailmend.ui.screens import fixing
    from mailmend.ui.terminal import drawn

    write(drawn(lambda target: fixing.planned(target, plan)))


def _asked() -> bool:
    """Ask the person; where nobody sits at a terminal, or the answer is not yes, it is no."""
    return _answer(rehearsal=False) == "yes"


def _answer(*, rehearsal: bool) -> Literal["yes", "no", "rehearse"]:
    """What the person says; *rehearsal*: it can be rehearsed first."""
    from mailmend.ui.terminal import is_tty

    if not is_tty():
        return "no"
    offer = "r rehearses it first, on a copy of this host.\n" if rehearsal else ""
    sys.stderr.write(f"\n{offer}Apply this? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().casefold()
    if rehearsal and answer in ("r", "rehearse"):
        return "rehearse"
    return "yes" if answer in ("y", "yes") else "no"


def _sent(here: Here, address: str | None, fixed: Fixed, step: Progress) -> Proven | None:
    """One message and its way, where the operator asked for it and the change stands."""
    from mailmend.jobs.prove import prove

    if address is None or fixed.state not in ("kept", "trial", "in-place"):
        return None
    return prove(here, to=address, progress=step)


def _exit(fixed: Fixed, sent: Proven | None, dry_run: bool) -> int:
    if fixed.state == "rolled-back":
        return EXIT_REFUSED
    if fixed.state == "planned":
        return 0 if dry_run else EXIT_REFUSED
    if fixed.state == "nothing":
        # Remedies that were weighed and not taken: something is wrong, and was not put right.
        return EXIT_PROBLEMS if fixed.plan.declined else 0
    proofs = [fixed.proof, sent.proof if sent else None]
    delivered = all(d.severity == "delivered" for d in sent.deliveries) if sent else True
    return 0 if delivered and all(p is None or p.holds for p in proofs) else EXIT_PROBLEMS


def apply(here: Here) -> Outcome:
    """What was done, why, and its proof."""
    from mailmend.jobs.apply import apply as job

    with progress() as step:
        applied = job(here, progress=step)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import proving

        proving.applied(target, applied)

    return Outcome(0, show.applied(applied), screen)


def undo(here: Here, change_id: str | None) -> Outcome:
    """1 where the change was taken back and the proof of the old state does not hold."""
    from mailmend.jobs.undo import undo as job

    with progress() as step:
        undone = job(here, change_id, progress=step)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import proving

        proving.undone(target, undone)

    holds = undone.proof is None or undone.proof.holds
    return Outcome(0 if holds else EXIT_PROBLEMS, show.undone(undone), screen)


def confirm(here: Here, change_id: str | None) -> Outcome:
    """The change stays; what would have taken it back is gone."""
    from mailmend.jobs.confirm import confirm as job

    record = job(here, change_id)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import proving

        proving.confirmed(target, record)

    return Outcome(0, show.document("confirm", {"record": show.record(record)}), screen)


def webmin(here: Here, back: bool) -> Outcome:
    """Webmin's Apply button, pointed at mailmend or given back."""
    from mailmend.jobs.webmin import webmin as job

    path, before, now = job(here, undo=back)

    def screen(target: Console) -> None:
        from mailmend.ui.terminal import command, heading, pairs, say

        say(target, "Webmin's Apply button has its own command back." if back else
            "Webmin's Apply button now runs mailmend apply.")  # fmt: skip
        pairs(target, [("file", path), ("before", before or "not set"), ("now", now)])
        if not back:
            heading(target, "To take it back")
            say(target, command("mailmend webmin --undo"), indent=2)

    return Outcome(0, show.document("webmin", {"file": path, "before": before, "now": now}), screen)
