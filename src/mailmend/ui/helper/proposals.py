"""A proposal -> what it would do, for a person to see; and the same carried out, if it still is what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import Activation, FileEdit, Finding, Plan, Proof, Record, Refused, Scope
from mailmend.road.hold import TABLE
from mailmend.ui import show
from mailmend.ui.helper import verbs
from mailmend.ui.helper.allowed import needs_step_up, require_ours, require_plain_names
from mailmend.ui.show import Shape, document, holds, moment

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.fix import Fixed
    from mailmend.jobs.hold import Switched
    from mailmend.jobs.set import Done
    from mailmend.jobs.undo import Undoing


class Told(Protocol):
    """Who hears what is done, while it is done."""

    def step(self, says: str) -> None:
        """What is done now."""

    def finding(self, seen: Finding) -> None:
        """What was measured."""

    def proof(self, held: Proof) -> None:
        """What was looked at afresh."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a proposal would do. *digest* None: nothing is to be done, and *told* says why.

    *since*: the time that it is made of, None where it is made of none. *refused*: why no page may have it done.
    *told* is the command's document, *screen* its screen.
    """

    digest: str | None
    diff: str
    activation: Activation
    told: Shape
    screen: Callable[[Console], None]
    step_up: bool = False
    refused: Refused | None = None
    since: datetime | None = None


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

    Raises as the command's `--dry-run` does.
    """
    match proposal:
        case verbs.Fix():
            return _seen_fix(_fix(proposal, here, None, progress), here)
        case verbs.Set():
            return _seen_set(_set(proposal, here, None, progress), here)
        case verbs.Undo():
            return _look_at_undo(proposal, here)
        case verbs.HoldOn():
            return _seen_hold(_hold(proposal, here, since, None, progress), here)
        case verbs.HoldOff():
            return _look_at_hold_off(here)
        case verbs.Activate():
            return _look_at_activation(here)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was seen and is to be done: *digest*, made of *since*; *approved*: by a code of its own."""

    proposal: verbs.AnyProposal
    digest: str
    approved: bool
    since: datetime | None = None


def carry_out(agreed: Agreed, here: Here, told: Told) -> Shape:
    """The command's document. Refused, with nothing done, where that is not what was seen or approved any more."""
    require = _Require(agreed, here, told)
    match agreed.proposal:
        case verbs.Fix() as proposal:
            fixed = _fix(proposal, here, require.plan, told.step)
            _prove(fixed.proof, told)
            return show.fixed(fixed)
        case verbs.Set() as proposal:
            done = _set(proposal, here, require.plan, told.step)
            _prove(done.proof, told)
            return show.was_set(done)
        case verbs.Undo():
            return _undo(agreed.proposal, here, require, told)
        case verbs.HoldOn() as proposal:
            held = _hold(proposal, here, agreed.since, require.plan, told.step)
            _prove(held.proof, told)
            return holds.switched(held)
        case verbs.HoldOff():
            return _hold_off(here, require, told)
        case verbs.Activate():
            return _activate(here, require, told)


@dataclass(frozen=True, slots=True)
class _Require:
    """Asked by the jobs at the last moment, with what they would really write."""

    agreed: Agreed
    here: Here
    told: Told = field(repr=False)

    def plan(self, plan: Plan) -> bool:
        for seen in plan.findings:
            self.told.finding(seen)
        hold = isinstance(self.agreed.proposal, verbs.HoldOn)
        self.files(_but_the_table(plan.files) if hold else plan.files, plan.digest)
        return True

    def files(self, files: tuple[FileEdit, ...], digest: str) -> None:
        self.same(digest)
        if needs_step_up(files, self.here.probe):
            self.code()

    def same(self, digest: str) -> None:
        if digest != self.agreed.digest:
            raise Refused("this is not what was shown: the host has changed since", "look at it again")

    def code(self) -> None:
        if not self.agreed.approved:
            raise Refused("this asks for a fresh code", "mailmend web --code shows one to root")


def _judged(files: tuple[FileEdit, ...], here: Here) -> tuple[bool, Refused | None]:
    """Whether a page has to bring a code for *files*; or why none may change them."""
    try:
        return needs_step_up(files, here.probe), None
    except Refused as refused:
        return False, refused


def _but_the_table(files: tuple[FileEdit, ...]) -> tuple[FileEdit, ...]:
    """*files* of a hold without its table: no word in it is anybody's but ours, and its `|` run nothing."""
    return tuple(edit for edit in files if not edit.path.endswith(f"/{TABLE}"))


def _prove(proof: Proof | None, told: Told) -> None:
    if proof is not None:
        told.proof(proof)


# ---- fix and set -------------------------------------------------------------------------------


def _fix(
    proposal: verbs.Fix, here: Here, approve: Callable[[Plan], bool] | None, progress: Progress
) -> Fixed:
    """Without *approve* a dry run; so for the others."""
    from mailmend.jobs.fix import fix

    return fix(
        here,
        Scope(receiver=proposal.receiver),
        remedy=proposal.remedy,
        dry_run=approve is None,
        approve=approve or _nobody,
        progress=progress,
    )


def _seen_fix(done: Fixed, here: Here) -> Seen:
    from mailmend.ui.screens.fixing import planned

    step_up, refused = _judged(done.plan.files, here)
    return Seen(
        done.plan.digest if done.plan.files else None,
        done.plan.diff,
        done.plan.activation,
        show.fixed(done),
        lambda target: planned(target, done.plan),
        step_up,
        refused,
    )


def _set(proposal: verbs.Set, here: Here, approve: Callable[[Plan], bool] | None, progress: Progress) -> Done:
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


def _seen_set(done: Done, here: Here) -> Seen:
    from mailmend.ui.screens.setting import planned

    step_up, refused = _judged(done.plan.files, here)
    return Seen(
        done.plan.digest if done.state == "planned" else None,
        done.plan.diff,
        done.plan.activation,
        show.was_set(done),
        lambda target: planned(target, done),
        step_up,
        refused,
    )


def _nobody(_plan: Plan) -> bool:
    return False


# ---- undo --------------------------------------------------------------------------------------


def _look_at_undo(proposal: verbs.Undo, here: Here) -> Seen:
    from mailmend.jobs.undo import planned

    _require_ours(proposal.change, here)
    return _seen_undo(planned(here, proposal.change), here)


def _seen_undo(undoing: Undoing, here: Here) -> Seen:
    record, says = undoing.record, undoing.says
    step_up, refused = _judged(undoing.files, here)
    told = {"record": show.record(record), "files": [show.file_edit(e) for e in undoing.files], "says": says}
    heads = f"Takes back {record.id}: {record.reason}" + (f" ({says})" if says else "")
    return Seen(
        undoing.digest,
        undoing.diff,
        record.activation,
        document("undo", told),
        _difference(heads, undoing.diff),
        step_up,
        refused,
    )


def _undo(proposal: verbs.Undo, here: Here, require: _Require, told: Told) -> Shape:
    from mailmend.jobs.undo import covered, undo
    from mailmend.system.history import History

    record = _require_ours(proposal.change, here)
    if not record.files:
        require.same(
            covered(record, ())
        )  # an entry that is only ended writes nothing that could be asked about

    def approve(files: tuple[FileEdit, ...]) -> None:
        require.files(files, covered(History(here.state).get(record.id), files))

    undone = undo(here, record.id, approve=approve, progress=told.step)
    _prove(undone.proof, told)
    return show.undone(undone)


def _require_ours(change: str, here: Here) -> Record:
    from mailmend.system.history import History

    record = History(here.state).get(change)
    require_ours(record)
    return record


# ---- hold --------------------------------------------------------------------------------------


def _hold(
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
        approve=approve or _nobody,
        progress=progress,
    )


def _seen_hold(done: Switched, here: Here) -> Seen:
    from mailmend.ui.screens.holding import planned

    plan, bounds = done.plan, done.hold.bounds
    assert plan is not None  # noqa: S101  (a dry run has one)
    assert bounds is not None  # noqa: S101  (and so a hold that is planned)
    step_up, refused = _judged(_but_the_table(plan.files), here)
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


def _look_at_hold_off(here: Here) -> Seen:
    from mailmend.jobs.hold import look as look_at_hold
    from mailmend.jobs.undo import planned
    from mailmend.road.edits import digest
    from mailmend.ui.screens.holding import held

    hold = look_at_hold(here)
    told = holds.held(hold)
    if hold.record is None:
        return Seen(None, "", "none", told, lambda target: held(target, hold))
    if hold.in_force:
        require_ours(hold.record)
        return _seen_undo(planned(here, hold.record.id), here)
    # What the last one held and still waits is only tried again.
    again = digest(f"hold off {hold.record.id}", (), ()) if hold.waiting else None
    return Seen(again, "", "none", told, lambda target: held(target, hold))


def _hold_off(here: Here, require: _Require, told: Told) -> Shape:
    from mailmend.jobs.hold import look as look_at_hold
    from mailmend.jobs.hold import off
    from mailmend.jobs.undo import covered
    from mailmend.road.edits import digest
    from mailmend.system.history import History

    hold = look_at_hold(here, queue=False)
    if hold.record is None:
        raise Refused("nothing was ever held here", "look at it again")
    name = hold.record.id

    def approve(files: tuple[FileEdit, ...]) -> None:
        require.files(files, covered(History(here.state).get(name), files))

    if hold.in_force:
        require_ours(hold.record)
    else:
        require.same(digest(f"hold off {name}", (), ()))
    ended = off(here, approve=approve, progress=told.step)
    _prove(ended.proof, told)
    return holds.switched(ended)


# ---- what is saved, brought to life ------------------------------------------------------------


def _look_at_activation(here: Here) -> Seen:
    from mailmend.jobs.apply import Applied, planned, since_ours
    from mailmend.ui.screens.checking import findings_list

    seen = planned(here)
    told = show.applied(Applied(seen.activation, seen.findings, None))
    if seen.activation == "none":
        return Seen(None, "", "none", told, lambda target: findings_list(target, seen.findings))
    diff = since_ours(here, seen.files)
    heads = f"What is saved comes to the running server by a {seen.activation}."
    known = "" if diff else " What differs from what runs is not known: nothing of it was saved by mailmend."

    def screen(target: Console) -> None:
        findings_list(target, seen.findings)
        target.print()
        _difference(heads + known, diff)(target)

    # What somebody saved may be anything: it is not looked into, so it always asks for a code.
    return Seen(seen.digest, diff, seen.activation, told, screen, step_up=True)


def _activate(here: Here, require: _Require, told: Told) -> Shape:
    from mailmend.jobs.apply import Unapplied, apply

    def approve(seen: Unapplied) -> None:
        for each in seen.findings:
            told.finding(each)
        require.same(seen.digest)
        require.code()

    applied = apply(here, approve=approve, progress=told.step)
    _prove(applied.proof, told)
    return show.applied(applied)


def _difference(says: str, diff: str) -> Callable[[Console], None]:
    def screen(target: Console) -> None:
        from mailmend.ui.terminal import difference, heading, say

        say(target, says)
        if diff:
            heading(target, "What changes")
            difference(target, diff)

    return screen
