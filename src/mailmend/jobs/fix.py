"""fix: what was measured -> the narrowest remedy, approved, applied, activated, proven, or taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import ModuleType
from typing import Literal

from mailmend.facts.case import Case, gather
from mailmend.jobs import signing_key
from mailmend.jobs.change import TRIAL, carry_out, fresh
from mailmend.jobs.here import Here, Progress, operator, require_root, silent
from mailmend.jobs.ready import require_loaded, require_running
from mailmend.model import Expectation, Finding, Plan, Proof, Proposal, Record, Refused, Scope
from mailmend.remedies import dkim_sign
from mailmend.road import verify
from mailmend.road.plan import WATCHED
from mailmend.road.plan import plan as make_plan


@dataclass(frozen=True, slots=True)
class Fixed:
    """*state* `nothing` (no remedy needed or none possible), `planned` (shown, not applied), `kept`,
    `trial` (proven, and taken back unless it is confirmed before the record's `confirm_by`),
    `in-place` (nothing to change, proven again), `rolled-back` (the proof failed, the old bytes are back).

    *record* is the entry of the history; *reason* says what was decided and why.
    """

    plan: Plan
    case: Case
    findings: tuple[Finding, ...]
    state: Literal["nothing", "planned", "kept", "trial", "in-place", "rolled-back"]
    record: Record | None
    proof: Proof | None
    reason: str


class Missing(Refused):
    """The remedy that was asked for by its name needs something first: all of it stands in *proposal*."""

    def __init__(self, proposal: Proposal, reason: str, next_step: str) -> None:
        super().__init__(reason, next_step)
        self.proposal = proposal


def fix(
    here: Here,
    scope: Scope,
    *,
    remedy: str | None = None,
    dry_run: bool = False,
    approve: Callable[[Plan], bool],
    trial: timedelta | None = TRIAL,
    progress: Progress = silent,
) -> Fixed:
    """Look, plan, ask *approve*, apply, prove; *trial* as for `carry_out`.

    Raises Refused where nothing may be changed (Missing, where something has to be there first), CannotLook where
    Postfix cannot be read.
    """
    from mailmend.system.history import History
    from mailmend.system.transaction import WAIT, alone, require_settled

    here.require_postfix()
    if not dry_run:
        require_root("changing Postfix")
        history = History(here.state)
        with alone(history, WAIT):
            require_settled(history)
        require_running(here)
        progress("making sure that what is saved is what runs")
        require_loaded(here)
        if remedy == dkim_sign.ID:
            signing_key.prepare(here, progress)
    progress("looking at host, DNS, routes and log")
    findings = _findings(here, scope)
    case = gather(findings, here.probe, scope)
    progress("planning")
    plan = make_plan(case, findings, here.probe, _remedies(), remedy=remedy)
    if plan.chosen is None:
        if remedy not in (None, WATCHED):
            named = next(p for p in plan.declined if p.remedy == remedy)
            step = next((o.next_step for o in named.objections if o.blocking and not o.overridable), "")
            raise Missing(named, plan.reason, step)
        watched = None if dry_run else _watched(here, plan)
        return Fixed(plan, case, findings, "nothing", watched, None, plan.reason)
    if dry_run or (plan.files and not approve(plan)):
        return Fixed(plan, case, findings, "planned", None, None, plan.reason)
    if not plan.files:
        proof = fresh(here, plan.chosen.expectations, "after")
        return Fixed(
            plan, case, findings, "in-place", None, proof, f"{plan.chosen.remedy} is in place already"
        )
    return _applied(here, plan, case, findings, trial=trial, progress=progress)


def _watched(here: Here, plan: Plan) -> Record | None:
    """The records that others have to publish, kept for `status` to look for; None where there are none."""
    from mailmend.system.history import History

    expectations = tuple(e for p in plan.pending for e in p.expectations)
    return History(here.state).watch(expectations, operator(), plan.reason) if expectations else None


def _applied(
    here: Here,
    plan: Plan,
    case: Case,
    findings: tuple[Finding, ...],
    *,
    trial: timedelta | None,
    progress: Progress,
) -> Fixed:
    def also(since: datetime, log: bool) -> tuple[Expectation, ...]:
        return (verify.delivered(case, "any", since),) if log else ()

    applied = carry_out(here, plan, reason=plan.reason, trial=trial, also=also, progress=progress)
    if applied.rolled_back:
        return Fixed(plan, case, findings, "rolled-back", applied.record, applied.proof, applied.says)
    state: Literal["kept", "trial"] = "trial" if applied.record.state == "trial" else "kept"
    return Fixed(plan, case, findings, state, applied.record, applied.proof, plan.reason)


def _findings(here: Here, scope: Scope) -> tuple[Finding, ...]:
    from mailmend import catalogue
    from mailmend.road.check import check

    known = catalogue.load()
    healed = {cause for remedy in known.remedies.values() for cause in remedy.HEALS}
    return check(here.probe, scope, known.checks, healed)


def _remedies() -> Mapping[str, ModuleType]:
    from mailmend import catalogue

    return catalogue.load().remedies
