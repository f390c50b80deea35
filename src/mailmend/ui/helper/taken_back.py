"""undo, hold off, and what somebody saved: what has no plan of its own -> shown, or carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.jobs.here import Here
from mailmend.model import FileEdit, Record, Refused
from mailmend.ui import show
from mailmend.ui.helper import verbs
from mailmend.ui.helper.allowed import require_ours
from mailmend.ui.helper.seeing import Require, Seen, Told, in_words, judged, prove
from mailmend.ui.show import Shape, document, holds

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.undo import Undoing


def look_at_undo(proposal: verbs.Undo, here: Here) -> Seen:
    from mailmend.jobs.undo import planned

    _require_ours(proposal.change, here)
    return _seen_undo(planned(here, proposal.change), here)


def _seen_undo(undoing: Undoing, here: Here) -> Seen:
    record, says = undoing.record, undoing.says
    step_up, refused = judged(undoing.files, here)
    told = {"record": show.record(record), "files": [show.file_edit(e) for e in undoing.files], "says": says}
    heads = f"Takes back {record.id}: {record.reason}" + (f" ({says})" if says else "")
    return Seen(
        undoing.digest,
        undoing.diff,
        record.activation,
        document("undo", told),
        in_words(heads, undoing.diff),
        step_up,
        refused,
    )


def undo_it(proposal: verbs.Undo, here: Here, require: Require, told: Told) -> Shape:
    from mailmend.jobs.undo import covered, undo
    from mailmend.system.history import History

    record = _require_ours(proposal.change, here)
    if not record.files:
        # An entry that is only ended writes nothing that could be asked about.
        require.same(covered(record, ()))
    # An undo that was interrupted is finished: what is taken back is what that took back.
    name = record.undoes if record.state == "intent" and record.undoes else record.id

    def approve(files: tuple[FileEdit, ...]) -> None:
        require.files(files, covered(History(here.state).get(name), files))

    undone = undo(here, record.id, approve=approve, progress=told.step)
    prove(undone.proof, told)
    return show.undone(undone)


def _require_ours(change: str, here: Here) -> Record:
    from mailmend.system.history import History

    record = History(here.state).get(change)
    require_ours(record)
    return record


def look_at_hold_off(here: Here) -> Seen:
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


def end_hold(here: Here, require: Require, told: Told) -> Shape:
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
    prove(ended.proof, told)
    return holds.switched(ended)


def look_at_activation(here: Here) -> Seen:
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
        in_words(heads + known, diff)(target)

    # What somebody saved may be anything: it is not looked into, so it always asks for a code.
    return Seen(seen.digest, diff, seen.activation, told, screen, step_up=True)


def activate(here: Here, require: Require, told: Told) -> Shape:
    from mailmend.jobs.apply import Unapplied, apply

    def approve(seen: Unapplied) -> None:
        for each in seen.findings:
            told.finding(each)
        require.same(seen.digest)
        require.code()

    applied = apply(here, approve=approve, progress=told.step)
    prove(applied.proof, told)
    return show.applied(applied)
