"""undo: a change of the history is taken back, activated the way it was applied, and proven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailmend.jobs.here import Here, Progress, operator, require_root, silent
from mailmend.jobs.here import here as another
from mailmend.jobs.validate import require_bindable
from mailmend.model import Activation, Expectation, FileEdit, Proof, Record, Refused
from mailmend.questions import Listeners
from mailmend.road import verify
from mailmend.road.edits import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailmend.system import transaction
    from mailmend.system.history import History


@dataclass(frozen=True, slots=True)
class Undone:
    """*record* is what was taken back; *identical*: the files are byte for byte what they were before it.

    *says* is what a person should know besides: a table that stays because others name it.
    """

    record: Record
    proof: Proof | None
    identical: bool
    already: bool
    says: str = ""


def undo(
    here: Here,
    record_id: str | None = None,
    *,
    reason: str = "",
    approve: Callable[[tuple[FileEdit, ...]], None] | None = None,
    progress: Progress = silent,
) -> Undone:
    """Take back *record_id*; without one, what was interrupted, else the newest change in force.

    *reason* stands in the history. *approve* is shown what would be written, and raises where it must not be.

    Raises Refused where there is nothing to undo, where somebody else changed the same lines since
    (CONFLICT), or where not even the old state could be proven (DEGRADED).
    """
    from mailmend.system import history as entries
    from mailmend.system import transaction, webmin
    from mailmend.system.history import History

    require_root("undoing a change")
    history = History(here.state)
    # Whoever is at work now ends first: what was interrupted is only then told from what goes on.
    with transaction.alone(history, transaction.WAIT):
        record = _meant(history, record_id)
    if entries.is_watch(record):
        return _told(transaction.end(record, history=history))
    if webmin.is_ours(record):
        return _told(webmin.take_back(record, history, operator()))
    here = _instance(here, record)
    here.require_postfix()
    progress(f"taking back {record.id}")
    undone = transaction.undo(
        record,
        activate=_Activation(here, record.files).activate,
        prove=lambda: _proof(here, record),
        history=history,
        by=operator(),
        reason=reason,
        old=verify.listeners_as_they_are(here.probe),
        validate=approve,
        guard=here.guard(),
    )
    return _told(undone)


@dataclass(frozen=True, slots=True)
class Undoing:
    """What taking *record* back would write; *says* what would stay all the same. *digest* covers every byte."""

    record: Record
    files: tuple[FileEdit, ...]
    diff: str
    digest: str
    says: str


def planned(here: Here, record_id: str) -> Undoing:
    """What `undo` of *record_id* would do now; nothing is done.

    Raises Refused where it is taken back already, is itself an undo, or others changed the same lines since.
    """
    from mailmend.system import backwards, merge, swap
    from mailmend.system.history import History

    record = _meant(History(here.state), record_id)
    if record.state in ("undone", "rolled-back") or record.undoes is not None:
        gone = f"it took back {record.undoes}" if record.undoes else f"it is {record.state}"
        raise Refused(f"{record.id} cannot be taken back: {gone}", "mailmend history shows what was changed")
    with swap.refusing(" and ".join(edit.path for edit in record.files)):
        files, says = backwards.backwards(record, merge.postfix)
    diff = "".join(backwards.difference(edit.path, edit.before, edit.after) for edit in files)
    return Undoing(record, files, diff, covered(record, files), says)


def covered(record: Record, files: tuple[FileEdit, ...]) -> str:
    """The digest of taking *record* back by *files*: what an approval covers."""
    return digest(f"undo {record.id}", (), sorted(files, key=lambda edit: edit.path))


def _instance(here: Here, record: Record) -> Here:
    """The Postfix that was changed, where the host has several."""
    if record.config_directory == here.config_directory:
        return here
    return another(record.config_directory, here.state)


class _Activation:
    """Activates what an undo saved, but never together with somebody else's edit that would end master.

    Where that was refused nothing was activated, so there is nothing to activate on the way back either.
    """

    def __init__(self, here: Here, files: tuple[FileEdit, ...]) -> None:
        self._here = here
        self._files = files
        self._refused: bool | None = None

    def activate(self, kind: Activation) -> None:
        if self._refused is None and kind in ("reload", "restart"):
            self._refused = True
            self._here.probe.begin("undoing")
            require_bindable(self._here.probe)
            self._refused = False
        if not self._refused:
            self._here.activate(kind, self._files)


def _meant(history: History, record_id: str | None) -> Record:
    """The change to take back; of an undo that was interrupted, the change that it was taking back."""
    record = history.get(record_id) if record_id else history.interrupted() or _newest(history)
    if record.undoes is not None and record.state == "intent":
        return history.get(record.undoes)
    return record


def _newest(history: History) -> Record:
    if in_force := history.in_force():
        return in_force[0]
    raise Refused("there is nothing to undo", "mailmend history shows what was changed")


def _told(undone: transaction.Undone) -> Undone:
    return Undone(
        undone.record,
        undone.proof,
        undone.identical,
        undone.already,
        "" if undone.already else undone.says,
    )


def _proof(here: Here, record: Record) -> Proof:
    """Sockets that the change closed are open again, and Postfix runs on what was saved before."""
    here.probe.begin("undone")
    back = [
        Expectation(e.layer, e.kind, e.subject, "open", f"{e.subject} is open again")
        for e in record.expectations
        if e.kind == "listener" and e.wanted != "open"
    ]
    running = Expectation("running", "running-since", "master", None, "Postfix is running")
    here.probe.ask(Listeners())
    return verify.verify((running, *back), here.probe)
