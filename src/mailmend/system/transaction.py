"""A plan becomes what runs, and is proven; or everything is as it was before. The one place that changes files.

Locked, checked against the plan, staged, written down as an intent, swapped, activated, proven; then kept, or
put back, activated and proven again. What a crash may leave is a history entry in state `intent`, which `undo`
takes back.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import PurePath

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
from mailmend.system import merge as merging
from mailmend.system import swap
from mailmend.system.activation import Stopped
from mailmend.system.history import History, interruption, way_out
from mailmend.system.probe import now

Activate = Callable[[Activation], None]
Prove = Callable[[], Proof]
Merge = Callable[[FileEdit, str], str | None]

_WAIT = 10.0  # seconds for another mailmend, or for postconf -e, to end


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
    wait: float


class Conflict(Refused):
    """A file is neither what the change left nor what it found: nothing was touched; *difference* shows it."""

    def __init__(self, reason: str, next_step: str, difference: str) -> None:
        super().__init__(f"CONFLICT: {reason}", next_step)
        self.difference = difference


class Degraded(Refused):
    """The old files are in place, but the old state could not be proven; *commands* are what to run."""

    def __init__(self, reason: str, commands: tuple[str, ...]) -> None:
        super().__init__(f"DEGRADED: {reason}", "run " + ", then ".join(commands))
        self.commands = commands


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
    instance: str = "-",
    wait: float = _WAIT,
) -> Applied:
    """Carry out *plan*. Returns also where the proof failed and the old state was put back and proven.

    *activate* raises MailmendError where the server did not follow. *prove_old* judges the state before; without
    it a successful activation of the old files is taken for it.
    Raises Refused with nothing touched (a file changed since, locked, not writable, an interrupted change),
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
        files=plan.files,
        activation=plan.activation,
        diff=plan.diff,
        digest=plan.digest,
        changes=chosen.changes if chosen else (),
        expectations=expectations if expectations is not None else chosen.expectations if chosen else (),
        pending=pending,
    )
    with _alone(history, instance, wait):
        if interrupted := history.interrupted():
            raise Refused(interruption(interrupted), way_out(interrupted))
        return _carry_out(intent, _Means(activate, prove, prove_old, history, wait))


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
    instance: str = "-",
    wait: float = _WAIT,
) -> Undone:
    """Take *record* back: its files as they were before it, activated as it was applied, and proven by *prove*.

    An undo that was interrupted is finished: it is never taken for a change of its own.
    Where others changed the file since, *merge* takes back only our part of it. Already taken back: says so.
    Raises Conflict, with nothing touched, where our part itself was changed; Refused where the undoing could
    not be proven and the change is in force again, or for an entry that is an undo; Degraded as `apply` does.
    """
    with _alone(history, instance, wait):
        record = history.get(record.id)
        if record.undoes is not None and record.state == "intent":
            record = history.get(record.undoes)
        if record.state in ("undone", "rolled-back"):
            _settle(record, history)
            return Undone(
                record, None, _identical(record), already=True, says=f"{record.id} is {record.state}"
            )
        if record.undoes is not None:
            raise Refused(f"{record.id} took back {record.undoes}", "mailmend fix makes a change anew")
        edits, says = _all_backwards(record, merge)
        at = now()
        intent = Record(
            id=history.new_id(at, f"undo-{record.id.split('-', 2)[-1]}"),
            at=at,
            by=by,
            remedy=record.remedy,
            reason=reason or f"undo of {record.id}",
            state="intent",
            files=edits,
            activation=record.activation,
            diff="".join(_difference(edit.path, edit.before, edit.after) for edit in edits),
            digest="",
            undoes=record.id,
        )
        applied = _carry_out(intent, _Means(activate, prove, prove_old, history, wait))
        if applied.rolled_back:
            _settle(record, history)
            raise Refused(f"{record.id} could not be undone and is in force again: {applied.says}")
        record = replace(record, state="undone")
        history.replace(record)
        _settle(record, history)
        swap.tidy(edit.path for edit in record.files)
    return Undone(record, applied.proof, _identical(record), says=says)


def end(record: Record, *, history: History, instance: str = "-", wait: float = _WAIT) -> Undone:
    """End an entry that changed no file: nothing is activated, nothing is proven."""
    with _alone(history, instance, wait):
        record = history.get(record.id)
        if record.state == "undone":
            return Undone(record, None, True, already=True, says=f"{record.id} is undone")
        record = replace(record, state="undone")
        history.replace(record)
    return Undone(record, None, True)


def _settle(record: Record, history: History) -> None:
    """An undo of *record* that was interrupted is over: another one has finished its work, or taken it back."""
    for other in history.records():
        if other.state == "intent" and other.undoes == record.id:
            history.replace(replace(other, state="rolled-back", reason=f"{other.reason}, interrupted"))


def _carry_out(intent: Record, means: _Means) -> Applied:
    history = means.history
    with swap.staged(_in_order(intent.files), means.wait) as ready:
        with swap.refusing(history.folder):
            history.add(intent)
        try:
            swap.swap(ready)
        except BaseException:
            history.remove(intent.id)
            raise
        record, failure = intent, None
        try:
            means.activate(intent.activation)
            record = replace(intent, proof=means.prove())
            failure = _failure(record.proof)
            if failure is None:
                record = replace(record, state="kept")
                with swap.refusing(history.folder):
                    history.replace(record)
        except MailmendError as error:
            failure = str(error)
        except BaseException:
            # Interrupted from the keyboard, or a bug of ours: neither may leave a half-applied change.
            _take_back(record, ready, "interrupted", means)
            raise
        if failure is None:
            swap.settle(ready)
            return Applied(record, record.proof, False)
        return Applied(_take_back(record, ready, failure, means), record.proof, True, failure)


def _take_back(record: Record, ready: swap.Staged, failure: str, means: _Means) -> Record:
    """The old bytes in place, activated and proven: returns the record as `rolled-back`."""
    try:
        swap.put_back(ready, means.wait)
    except Refused as refused:
        shown = "".join(_difference(e.path, e.after, swap.read(e.path)) for e in record.files)
        reason = f"{failure}, and going back was not possible: {refused.reason}"
        raise Conflict(reason, f"mailmend undo {record.id}", shown) from None
    record = replace(record, state="rolled-back")
    # Where even this cannot be written, the entry stays an intent, and the next change asks for its undo.
    with suppress(OSError):
        means.history.replace(record)
    trouble, remains = None, "mailmend status"
    try:
        means.activate(record.activation)
    except Stopped as stopped:
        trouble, remains = stopped.reason, stopped.start
    except MailmendError as error:
        trouble = str(error)
    if means.prove_old is not None:
        # Whether an activation's trouble matters is for the proof to say: what never ran need not run now.
        try:
            failed = _failure(means.prove_old())
        except MailmendError as error:
            failed = str(error)
        trouble = failed and (trouble or failed)
    if trouble is not None:
        raise Degraded(
            f"{failure}; the old files are in place again, but Postfix did not come back with them: {trouble}",
            ("postfix check", remains),
        )
    return record


def _failure(proof: Proof | None) -> str | None:
    """What of *proof* does not hold, in one line; None where all does."""
    failed = [j for j in proof.judgements if j.verdict not in ("holds", "pending")] if proof else []
    if not failed:
        return None
    return "; ".join(f"not so: {j.expectation.says}" + (f" ({j.says})" if j.says else "") for j in failed)


def _all_backwards(record: Record, merge: Merge) -> tuple[tuple[FileEdit, ...], str]:
    """What takes *record* back, and what stays all the same: a table that is named by others too."""
    edits = tuple(e for e in (_backwards(edit, merge) for edit in record.files) if e.before != e.after)
    kept = {e.path: by for e in edits if e.after is None and (by := _named_in(e.path, record.files, edits))}
    says = "; ".join(f"{path} is kept: {by} still names it" for path, by in kept.items())
    return tuple(e for e in edits if e.path not in kept), says


def _named_in(table: str, files: Iterable[FileEdit], edits: Iterable[FileEdit]) -> str | None:
    """The configuration file that, after *edits*, still names *table*; None where none does."""
    after = {edit.path: edit.after for edit in edits}
    folders = dict.fromkeys(PurePath(p).parent for p in (*(f.path for f in files), table))
    # `$config_directory/NAME` is the same file: a name that is found once too often keeps a table, no more.
    word = re.compile(rf"(?<![\w.-]){re.escape(PurePath(table).name)}(?![\w.-])")
    for path in (str(folder / name) for folder in folders for name in swap.CONFIGURATION):
        text = after[path] if path in after else swap.read(path)
        if any(word.search(line) for line in (text or "").split("\n") if not line.lstrip().startswith("#")):
            return path
    return None


def _in_order(edits: Iterable[FileEdit]) -> tuple[FileEdit, ...]:
    """New tables first, then what names them, and last what is removed: a crash leaves nothing named and missing."""

    def stage(edit: FileEdit) -> int:
        if edit.after is None:
            return 2
        return 1 if PurePath(edit.path).name in swap.CONFIGURATION else 0

    return tuple(sorted(edits, key=stage))


def _backwards(edit: FileEdit, merge: Merge) -> FileEdit:
    """The edit that takes *edit* back from what the file is now; before == after where nothing is to do."""
    with swap.refusing(edit.path):
        current = swap.read(edit.path)
    if current in (edit.before, edit.after):
        return FileEdit(edit.path, current, edit.before)
    merged = merge(edit, current) if current is not None else None
    if merged is None:
        raise Conflict(
            f"{edit.path} was changed since, in what is to be taken back",
            f"compare it with the difference and edit {edit.path} by hand; nothing was touched",
            _difference(edit.path, edit.after, current),
        )
    return FileEdit(edit.path, current, merged)


def _identical(record: Record) -> bool:
    return all(swap.read(edit.path) == edit.before for edit in record.files)


@contextmanager
def _alone(history: History, instance: str, wait: float) -> Iterator[None]:
    name = "lock" if instance == "-" else f"lock-{instance}"
    with swap.lock(history.state / name, wait, "another mailmend is changing this Postfix"):
        yield


def _difference(path: str, before: str | None, after: str | None) -> str:
    old, new = ([line + "\n" for line in (text or "").split("\n")] for text in (before, after))
    return "".join(difflib.unified_diff(old, new, path, path))
