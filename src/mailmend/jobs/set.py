"""set: what an operator typed -> the same road as a remedy's: planned, approved, applied, proven, or taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from mailmend.jobs.change import TRIAL, carry_out, fresh
from mailmend.jobs.here import Here, Progress, operator, require_root, silent
from mailmend.jobs.ready import require_loaded, require_running
from mailmend.model import Expectation, Plan, Proof, Record, Refused
from mailmend.parse.assignment import Assignment
from mailmend.road import tiers
from mailmend.road.about import Subject
from mailmend.road.setting import asked


@dataclass(frozen=True, slots=True)
class Done:
    """*state* `in-place` (all is so already), `planned` (shown, not applied), `kept`, `trial` (to be confirmed),
    `rolled-back` (the proof failed, the old bytes are back).

    *confirms* names what has to be confirmed (listeners, TLS, relaying), None where nothing has.
    """

    plan: Plan
    subjects: tuple[Subject, ...]
    state: Literal["in-place", "planned", "kept", "trial", "rolled-back"]
    record: Record | None
    proof: Proof | None
    reason: str
    confirms: str | None


def set_(
    here: Here,
    assignments: tuple[Assignment, ...],
    *,
    dry_run: bool = False,
    approve: Callable[[Done], bool],
    trial: timedelta | None = TRIAL,
    progress: Progress = silent,
) -> Done:
    """Plan, show it to *approve*, apply it in one transaction, prove it. *trial* as in `carry_out`.

    Raises Refused where nothing may be changed, CannotLook where Postfix cannot be read.
    """
    from mailmend.system.history import History
    from mailmend.system.transaction import WAIT, alone, require_settled

    here.require_postfix()
    if not dry_run:
        require_root("changing Postfix")
        history = History(here.state)
        with alone(history, WAIT):
            require_settled(history)
    progress("looking at what is set")
    wanted = asked(assignments, here.probe)
    plan, confirms = wanted.plan, tiers.needs_confirmation(wanted.plan.files)
    chosen = plan.chosen
    if chosen is None or not chosen.changes:
        proof = fresh(here, _as_asked(wanted.subjects), "after")
        return Done(
            plan, wanted.subjects, "in-place", None, proof, "nothing to change: all is set so already", None
        )
    planned = Done(plan, wanted.subjects, "planned", None, None, plan.reason, confirms)
    blocking = next((o for o in chosen.objections if o.blocking), None)
    if blocking is not None:
        raise Refused(blocking.reason, blocking.next_step)
    if not dry_run:
        require_running(here)
        progress("making sure that what is saved is what runs")
        require_loaded(here, sound=False)
    if dry_run or not approve(planned):
        return planned
    reason = f"set by {operator()}: {', '.join(s.target for s in wanted.subjects if not s.already)}"
    applied = carry_out(here, plan, reason=reason, trial=trial, typed=wanted.typed, progress=progress)
    if applied.rolled_back:
        return Done(
            plan, wanted.subjects, "rolled-back", applied.record, applied.proof, applied.says, confirms
        )
    state: Literal["kept", "trial"] = "trial" if applied.record.state == "trial" else "kept"
    return Done(plan, wanted.subjects, state, applied.record, applied.proof, reason, confirms)


def _as_asked(subjects: tuple[Subject, ...]) -> tuple[Expectation, ...]:
    return tuple(
        Expectation("saved", "written-is", s.target, s.wanted, f"{s.target} is as it was asked for")
        for s in subjects
    )
