"""What a program that died has left is taken back: by the next command of root, or by the guard that waits for it.

stopped at                                what is done
before the intent was written             what lies beside the files goes
intent written, nothing swapped           the same, and the entry is closed
some or all files swapped                 the old files, activated as the change would have been, proven
while it was being taken back             the same again: every step can be repeated
on trial, its time over or booted since   the same
kept, not tidied                          kept; what lies beside the files goes
a file is neither old nor new             CONFLICT: nothing is touched, until a person decides
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from mailmend.model import Activation, Expectation, Proof, Record
from mailmend.system import boot, old_state, swap
from mailmend.system.guard import Guard
from mailmend.system.history import History, interruption
from mailmend.system.transaction import WAIT, alone, release, settle

Activate = Callable[[Activation], None]
Prove = Callable[[tuple[Expectation, ...]], Proof]


@dataclass(frozen=True, slots=True)
class Recovered:
    """*outcome* `taken-back`: the old state is in force again; `conflict`: others edited the files, nothing was
    touched; `degraded`: the old files are in place and Postfix did not come back with them.

    *says* is one line for a person, *commands* what to run.
    """

    record: Record
    outcome: Literal["taken-back", "conflict", "degraded"]
    says: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Means:
    """How to go back on this host: *activate* and *prove* are for the instance that the record names."""

    activate: Callable[[Record, Activation], None]
    prove: Callable[[Record, tuple[Expectation, ...]], Proof]
    guard: Guard


def recover(
    history: History, means: Means, *, only: str | None = None, wait: float = WAIT
) -> tuple[Recovered, ...]:
    """Take back every change that was interrupted, or whose trial is over; the newest first.

    *only* names the one change that is looked at. Running it twice does nothing more.
    Raises Refused where another mailmend is at work for *wait* seconds, or a file cannot be written.
    """
    with alone(history, wait):
        if means.guard.sh_is_at_it():
            raise swap.Busy(f"{means.guard.script} is going back right now", "wait for it to end")
        found = tuple(
            _take_back(record, history, means)
            for record in history.records()
            if only in (None, record.id) and _is_due(record)
        )
        with swap.refusing(history.state):
            _tidy(history, means.guard)
    return found


def _is_due(record: Record) -> bool:
    if record.state == "intent":
        return True
    if record.state != "trial":
        return False
    # undo.sh by hand, or before Postfix at the boot, has taken it back and could not write that down.
    return old_state.identical(record) or not (record.confirm_by and boot.left(record.confirm_by))


def _take_back(record: Record, history: History, means: Means) -> Recovered:
    why = f"{record.id} was not confirmed in time" if record.state == "trial" else interruption(record)
    try:
        began = swap.put_back(record.files, WAIT)
    except swap.Neither as others:
        return Recovered(
            record,
            "conflict",
            f"CONFLICT: {why}, and {others.reason} by others: nothing was touched",
            (f"mailmend history {record.id}", f"mailmend undo {record.id}", f"mailmend confirm {record.id}"),
        )
    trouble, command = None, ""
    if (began or means.guard.went_back.exists()) and record.ran:
        trouble, command = old_state.activate(
            record.activation,
            lambda kind: means.activate(record, kind),
            (lambda: means.prove(record, record.old)) if record.old else None,
        )
    # First the files beside, then the entry: what is closed has left nothing behind.
    with swap.refusing(" and ".join(edit.path for edit in record.files)):
        swap.clean(record.files)
    closed = replace(record, state="rolled-back", confirm_by=None, note=why)
    with swap.refusing(history.folder):
        history.replace(closed)
    if trouble:
        says = (
            f"DEGRADED: {why}; the old files are in place, but Postfix did not come back with them: {trouble}"
        )
        return Recovered(closed, "degraded", says, ("postfix check", command))
    return Recovered(closed, "taken-back", f"{why}: the state before it is in force again")


def _tidy(history: History, guard: Guard) -> None:
    """What lies beside the files of a change that is settled goes; one that is still open is guarded again."""
    name = guard.guarded()
    if name is None and not guard.folder.exists():
        return
    for path in history.folder.glob("*.new"):
        path.unlink(missing_ok=True)
    known = {record.id: record for record in history.records()}
    record = known.get(name or "")
    if record is not None and record.state in ("intent", "trial"):
        return
    if record is None and name and history.has(name):
        history.get(name)  # it cannot be read now, which is told; its guard stays until it can
    if record is not None:
        settle(record, history, guard)
    else:
        release(history, guard)
