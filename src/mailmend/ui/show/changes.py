"""What is to be changed and what was: plans, proofs, entries of the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.road.needed import needed
from mailmend.ui.show.common import Shape, moment
from mailmend.ui.show.looks import evidence
from mailmend.ui.show.rehearsals import rehearsal

if TYPE_CHECKING:
    from mailmend.model import (
        Change,
        Expectation,
        FileEdit,
        Judgement,
        Objection,
        Plan,
        Proof,
        Proposal,
        Record,
    )
    from mailmend.road.tiers import Touched


def change(one: Change) -> Shape:
    return {
        "kind": one.kind,
        "target": one.target,
        "before": one.before,
        "after": one.after,
        "activation": one.activation,
    }


def expectation(wanted: Expectation) -> Shape:
    return {
        "layer": wanted.layer,
        "kind": wanted.kind,
        "subject": wanted.subject,
        "wanted": wanted.wanted,
        "says": wanted.says,
    }


def objection(why: Objection) -> Shape:
    return {"reason": why.reason, "next_step": why.next_step or None, "blocking": why.blocking}


def proposal(offered: Proposal) -> Shape:
    return {
        "remedy": offered.remedy,
        "effect": offered.effect,
        "activation": offered.activation,
        "cost": list(offered.cost),
        "changes": [change(c) for c in offered.changes],
        "expectations": [expectation(e) for e in offered.expectations],
        "objections": [objection(o) for o in offered.objections],
    }


def file_edit(edit: FileEdit) -> Shape:
    """Which file, and whether it is new or goes; its bytes stand in the difference."""
    return {"path": edit.path, "created": edit.before is None, "removed": edit.after is None}


def plan(made: Plan) -> Shape:
    """`remedy` is null where nothing is to be applied; `reason` then says why. `touched` is what differs, by tier."""
    from mailmend.road import tiers

    chosen = made.chosen
    return {
        "remedy": chosen.remedy if chosen else None,
        "effect": chosen.effect if chosen else None,
        "reason": made.reason,
        "cost": list(chosen.cost) if chosen else [],
        "activation": made.activation,
        "changes": [change(c) for c in chosen.changes] if chosen else [],
        "objections": [objection(o) for o in chosen.objections] if chosen else [],
        "expectations": [expectation(e) for e in chosen.expectations] if chosen else [],
        "touched": [touched(t) for t in tiers.touched(made.files)],
        "files": [file_edit(f) for f in made.files],
        "diff": made.diff,
        "digest": made.digest,
        "pending": [proposal(p) for p in made.pending],
        "declined": [proposal(p) for p in made.declined],
        "rehearsal": rehearsal(made.rehearsal),
    }


def judgement(held: Judgement) -> Shape:
    return {
        **expectation(held.expectation),
        "verdict": held.verdict,
        "saw": held.says,
        "evidence": [evidence(look) for look in held.evidence],
    }


def proof(shown: Proof | None) -> Shape | None:
    if shown is None:
        return None
    return {
        "holds": shown.holds,
        "at": moment(shown.at),
        "judgements": [judgement(j) for j in shown.judgements],
    }


def touched(one: Touched) -> Shape:
    """What really differs in the files; `step_up`: approving it asks for more than being logged in."""
    return {
        "target": one.target,
        "tier": one.tier,
        "step_up": one.step_up,
        "concerns": one.concerns,
        "why": one.why,
    }


def record(entry: Record) -> Shape:
    from mailmend.road import tiers

    return {
        "id": entry.id,
        "at": moment(entry.at),
        "by": entry.by,
        "remedy": entry.remedy,
        "reason": entry.reason,
        "state": entry.state,
        "note": entry.note,
        "undoes": entry.undoes,
        "config_directory": entry.config_directory,
        "confirm_by": moment(entry.confirm_by.at) if entry.confirm_by else None,
        "activation": entry.activation,
        "files": [file_edit(f) for f in entry.files],
        "changes": [change(c) for c in entry.changes],
        "touched": [touched(t) for t in tiers.touched(entry.files)],
        "diff": entry.diff,
        "digest": entry.digest,
        "pending": [expectation(e) for e in entry.pending],
        "proof": proof(entry.proof),
    }


def waits_for(offered: Proposal | None) -> Shape | None:
    """What has to be there before a remedy can be applied: per thing a `step`, or `records` to publish."""
    if offered is None:
        return None
    return {
        "remedy": offered.remedy,
        "things": [
            {
                "reason": one.reason,
                "step": one.step or None,
                "records": [{"name": name, "type": kind, "data": data} for name, kind, data in one.records],
            }
            for one in needed(offered)
        ],
    }
