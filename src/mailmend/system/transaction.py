"""A plan becomes what runs, and is proven; or everything is as it was before. The one place that changes files.

Locked, validated, staged, written down as an intent, guarded from outside, swapped, activated, proven; then kept,
put on trial until it is confirmed, or put back, activated and proven again. What a crash leaves is an entry in
state `intent`: recovery.py takes it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from mailmend.model import (
    Activation,
    Expectation,
    FileEdit,
    MailmendError,
    Plan,
    Proof,
    Record,
    Refused,
)
from mailmend.system import boot, old_state, swap
from mailmend.system import merge as merging
from mailmend.system.backwards import Merge, backwards, difference, in_order
from mailmend.system.guard import Guard
from mailmend.system.history import History, interruption, way_out
from mailmend.system.holder import not_stopped_by_the_terminal
from mailmend.system.old_state import Degraded, failure_of, identical
from mailmend.system.probe import now

Activate = Callable[[Activation], None]
Prove = Callable[[], Proof]
Validate = Callable[[tuple[FileEdit, ...]], None]

_AGAIN = "mailmend fix makes a change anew"
_FIRST = "mailmend confirm keeps it, mailmend undo takes it back; then run this again"
WAIT = 10.0  # seconds for another mailmend, or for postconf -e, to end


@dataclass(frozen=True, slots=True)
class Applied:
    """*record* is the entry in the history. *rolled_back*: the old bytes are in force again, and *says* why."""

    record: Record
    proof: Proof | None
    rolled_back: bool
    says: str = ""


@dataclass(frozen=True, slots=True)
class Undone:
    """*record* is what was taken back. *identical*: its files are byte for byte what they were before it.

    *says* what a person should know besides: a table that had to stay.
    """

    record: Record
    proof: Proof | None
    identical: bool
    already: bool = False
    says: str = ""


@dataclass(frozen=True, slots=True)
class _Means:
    """What a change is carried out with; *wait* is how many seconds a lock is waited for."""

    activate: Activate
    prove: Prove
    prove_old: Prove | None
    history: History
    guard: Guard
    wait: float


def apply(
    plan: Plan,
    *,
    activate: Activate,
    prove: Prove,
    prove_old: Prove | None = None,
    history: History,
    by: str,
    reason: str = "",
    expectations: tuple[Expectation, ...] | None = None,
    pending: tuple[Expectation, ...] = (),
    old: tuple[Expectation, ...] = (),
    ran: bool = True,
    config_directory: str | None = None,
    validate: Validate | None = None,
    confirm_within: timedelta | None = None,
    guard: Guard,
    wait: float = WAIT,
) -> Applied:
    """Carry out *plan*. Returns also where the proof failed and the old state was put back and proven.

    *validate* raises where the files as they would be cannot run: nothing is touched then. *activate* raises
    MailmendError where the server did not follow. *prove_old* judges the state before; without it a successful
    activation of the old files is taken for it; *old* says the same for whoever finds the change interrupted.
    *confirm_within*: the change is on trial until `confirm`, and is taken back after that time. *guard* takes
    it back where this program dies, or nobody confirms it.
    Raises Refused with nothing touched (a file changed since, locked, not writable, another change open),
    Conflict where somebody edited a file while it was on trial, Degraded where the old state is not proven.
    """
    at = now()
    chosen = plan.chosen
    intent = Record(
        id=history.new_id(at, chosen.remedy if chosen else reason or "change"),
        at=at,
        by=by,
        remedy=chosen.remedy if chosen else None,
        reason=reason or plan.reason,
        state="intent",
        files=in_order(plan.files),
        activation=plan.activation,
        diff=plan.diff,
        digest=plan.digest,
        changes=chosen.changes if chosen else (),
        expectations=expectations if expectations is not None else chosen.expectations if chosen else (),
        pending=pending,
        old=old,
        ran=ran,
        config_directory=config_directory,
    )
    with alone(history, wait):
        require_settled(history)
        if validate is not None:
            validate(plan.files)
        return _carry_out(intent, _Means(activate, prove, prove_old, history, guard, wait), confirm_within)


def confirm(history: History, guard: Guard, record_id: str | None = None, wait: float = WAIT) -> Record:
    """The change on trial stays, or the one named that recovery left in conflict. Returns its entry,
    also where it was confirmed already.

    Raises Refused where there is none, or where it was taken back already.
    """
    with alone(history, wait):
        found = history.get(record_id) if record_id else history.on_trial()
        if found is None:
            raise Refused("no change waits for a confirmation", _last(history))
        if found.state == "kept":
            return found
        # Named, a change that others edited meanwhile is kept as it lies there: somebody has to decide.
        if found.state != "trial" and (found.state != "intent" or record_id is None):
            raise Refused(f"{found.id} cannot be confirmed: it is {found.state}", found.note)
        if found.state == "intent" and not _edited(found):
            raise Refused(f"{found.id} was interrupted: it is taken back, not confirmed", "mailmend status")
        if found.state == "trial" and identical(found):
            raise Refused(f"{found.id} cannot be confirmed: its files are as they were before it", _AGAIN)
        if found.confirm_by and not boot.left(found.confirm_by):
            raise Refused(f"{found.id} cannot be confirmed: its time is over", "it is being taken back")
        kept = replace(found, state="kept", confirm_by=None)
        with swap.refusing(history.folder):
            history.replace(kept)
        settle(kept, history, guard)
    return kept


def _edited(record: Record) -> bool:
    """Whether others have edited a file of *record*: then it can neither be taken back nor finished as it is."""
    return any(swap.read(edit.path) not in (edit.before, edit.after) for edit in record.files)


def undo(
    record: Record,
    *,
    activate: Activate,
    prove: Prove,
    prove_old: Prove | None = None,
    history: History,
    by: str,
    reason: str = "",
    merge: Merge = merging.postfix,
    old: tuple[Expectation, ...] = (),
    validate: Validate | None = None,
    guard: Guard,
    wait: float = WAIT,
) -> Undone:
    """Take *record* back: its files as they were before it, activated as it was applied, and proven by *prove*.

    An undo that was interrupted is finished: it is never taken for a change of its own.
    Where others changed the file since, *merge* takes back only our part of it. Already taken back: says so.
    *validate* raises where what would be written must not be: nothing is touched then.
    Raises Conflict, with nothing touched, where our part itself was changed; Refused where the undoing could
    not be proven and the change is in force again, or for an entry that is an undo; Degraded as `apply` does.
    """
    with alone(history, wait):
        record = history.get(record.id)
        if record.undoes is not None and record.state == "intent":
            record = history.get(record.undoes)
        trial = history.on_trial()
        if trial is not None and trial.id != record.id:
            raise Refused(f"{trial.id} waits for its confirmation", _FIRST)
        if record.state in ("undone", "rolled-back"):
            _settle(record, history)
            return Undone(
                record, None, identical(record), already=True, says=f"{record.id} is {record.state}"
            )
        if record.undoes is not None:
            raise Refused(f"{record.id} took back {record.undoes}", _AGAIN)
        edits, says = backwards(record, merge)
        if validate is not None:
            validate(edits)
        at = now()
        intent = Record(
            id=history.new_id(at, f"undo-{record.id.split('-', 2)[-1]}"),
            at=at,
            by=by,
            remedy=record.remedy,
            reason=reason or f"undo of {record.id}",
            state="intent",
            files=in_order(edits),
            activation=record.activation,
            diff="".join(difference(edit.path, edit.before, edit.after) for edit in edits),
            digest="",
            undoes=record.id,
            old=old,
            config_directory=record.config_directory,
        )
        applied = _carry_out(intent, _Means(activate, prove, prove_old, history, guard, wait))
        if applied.rolled_back:
            with swap.refusing(history.folder):
                _settle(record, history)
            raise Refused(f"{record.id} could not be undone and is in force again: {applied.says}")
        record = replace(record, state="undone", confirm_by=None)
    return Undone(record, applied.proof, identical(record), says=says)


def end(record: Record, *, history: History, wait: float = WAIT) -> Undone:
    """End an entry that changed no file: nothing is activated, nothing is proven."""
    with alone(history, wait):
        record = history.get(record.id)
        if record.state == "undone":
            return Undone(record, None, True, already=True, says=f"{record.id} is undone")
        record = replace(record, state="undone")
        history.replace(record)
    return Undone(record, None, True)


def _last(history: History) -> str:
    """What became of the newest change: why there is none to confirm."""
    last = next((record for record in history.records() if record.undoes is None), None)
    if last is None or last.state != "rolled-back":
        return "mailmend history shows what was changed"
    return f"{last.id} is {last.state}" + (f": {last.note}" if last.note else "")


def require_settled(history: History) -> None:
    """Raise Refused, with what to do, where a change is neither kept nor taken back yet."""
    if interrupted := history.interrupted():
        raise Refused(interruption(interrupted), way_out(interrupted))
    if trial := history.on_trial():
        raise Refused(
            f"{trial.id} waits for its confirmation",
            _FIRST,
        )


def settle(record: Record, history: History, guard: Guard) -> None:
    """*record* is kept or taken back, and that is written down: what could have taken it back goes."""
    # Nothing here may turn a change that is over into one that failed. The guard goes last, for as long as it is
    # there the next command tidies again.
    with suppress(OSError, MailmendError):
        if record.undoes is not None and record.state == "kept":
            undone = history.get(record.undoes)
            if undone.state != "undone":
                history.replace(replace(undone, state="undone", confirm_by=None))
            _settle(undone, history)
            swap.clean(undone.files)
        swap.clean(record.files)
        release(history, guard)


def release(history: History, guard: Guard) -> None:
    """Nothing is open any more but a change on trial, if there is one: only that is guarded."""
    if trial := history.on_trial():
        old_state.lay_ready(trial)
        guard.arm(trial)
    else:
        guard.disarm()


def _settle(record: Record, history: History) -> None:
    """An undo of *record* that was interrupted is over: another one has finished its work, or taken it back."""
    for other in history.records():
        if other.state == "intent" and other.undoes == record.id:
            history.replace(replace(other, state="rolled-back", reason=f"{other.reason}, interrupted"))


def _carry_out(intent: Record, means: _Means, confirm_within: timedelta | None = None) -> Applied:
    _begin(intent, means)
    record, failure = intent, None
    try:
        means.activate(intent.activation)
        record = replace(intent, proof=means.prove())
        failure = failure_of(record.proof)
        if failure is None:
            trial = boot.after(confirm_within) if confirm_within else None
            record = replace(record, state="trial" if trial else "kept", confirm_by=trial)
            with swap.refusing(means.history.folder):
                means.history.replace(record)
    except MailmendError as error:
        failure = str(error)
    except BaseException:
        # Interrupted from the keyboard, or a bug of ours: neither may leave a half-applied change.
        _take_back(record, "interrupted", means)
        raise
    if failure is not None:
        return Applied(_take_back(record, failure, means), record.proof, True, failure)
    if record.state == "kept":
        settle(record, means.history, means.guard)
    return Applied(record, record.proof, False)


def _begin(intent: Record, means: _Means) -> None:
    """The new files in place, with everything laid out to take them back. Raises with nothing changed."""
    swap.require(intent.files)
    try:
        with swap.refusing(means.history.state):
            # First what looks after the change, then its entry, then the files beside (Postfix's lock is one):
            # whenever this program dies, whoever comes next is led to all that it has left.
            means.guard.arm(intent)
            means.history.add(intent)
        with swap.locked(intent.files, means.wait) as targets:
            swap.stage(targets)
            swap.swap(targets)
    except BaseException as error:
        _abandon(intent, str(error) or "interrupted", means)
        raise


def _abandon(intent: Record, failure: str, means: _Means) -> None:
    """Nothing became of it, and nothing stays of it; what Postfix may have seen of the new files, it forgets.

    Raises Conflict or Degraded where that is not so.
    """
    try:
        stuck = any(swap.read(edit.path) == edit.after != edit.before for edit in intent.files)
        seen = swap.taken_back(intent.files)
    except (OSError, Refused):
        stuck = True  # it cannot be seen: going back is tried, and says so where it fails
    if stuck:
        _take_back(intent, failure, means)
        return
    trouble, remains = None, ""
    if seen and intent.ran:
        trouble, remains = old_state.activate(intent.activation, means.activate, means.prove_old)
    with suppress(OSError, MailmendError):
        swap.clean(intent.files)
        means.history.remove(intent.id)
        release(means.history, means.guard)
    if trouble is not None:
        raise _degraded(failure, trouble, remains) from None


def _take_back(record: Record, failure: str, means: _Means) -> Record:
    """The old bytes in place, activated and proven: returns the record as `rolled-back`."""
    old_state.put_back(record, failure, means.wait, f"sh {means.guard.script}")
    trouble, remains = old_state.activate(record.activation, means.activate, means.prove_old)
    record = replace(record, state="rolled-back", confirm_by=None, note=failure)
    # Where even this cannot be written (a full disk), the entry stays open, and the next command ends it.
    with suppress(OSError):
        means.history.replace(record)
        settle(record, means.history, means.guard)
    if trouble is not None:
        raise _degraded(failure, trouble, remains)
    return record


def _degraded(failure: str, trouble: str, remains: str) -> Degraded:
    return Degraded(
        f"{failure}; the old files are in place again, but Postfix did not come back with them: {trouble}",
        ("postfix check", remains),
    )


@contextmanager
def alone(history: History, wait: float) -> Iterator[None]:
    """No other mailmend changes this host's Postfix meanwhile; Refused where one does for *wait* seconds."""
    with (
        not_stopped_by_the_terminal(),
        swap.lock(lock_of(history), wait, "another mailmend is changing this Postfix"),
    ):
        yield


def lock_of(history: History) -> Path:
    """What `alone` locks."""
    return history.state / "lock"
