"""undo: a change of the history is taken back, activated the way it was applied, and proven."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.jobs.here import Here, Progress, operator, require_root, silent
from mailmend.model import Expectation, Proof, Record, Refused
from mailmend.questions import Listeners
from mailmend.road.verify import verify


@dataclass(frozen=True, slots=True)
class Undone:
    """*record* is what was taken back; *identical*: the files are byte for byte what they were before it."""

    record: Record
    proof: Proof | None
    identical: bool
    already: bool


def undo(here: Here, record_id: str | None = None, *, progress: Progress = silent) -> Undone:
    """Take back *record_id*, or the newest change in force.

    Raises Refused where there is nothing to undo, where somebody else changed the same lines since
    (CONFLICT), or where not even the old state could be proven (DEGRADED).
    """
    from mailmend.system import transaction
    from mailmend.system.history import History

    require_root("undoing a change")
    here.require_postfix()
    history = History(here.state)
    record = history.get(record_id) if record_id else _newest(history.records())
    if record.state in ("undone", "rolled-back"):
        return Undone(record, None, True, already=True)
    progress(f"taking back {record.id}")
    undone = transaction.undo(
        record,
        activate=here.activate,
        prove=lambda: _proof(here, record),
        history=history,
        by=operator(),
    )
    return Undone(undone.record, undone.proof, undone.identical, already=False)


def _newest(records: tuple[Record, ...]) -> Record:
    for record in records:
        if record.state == "kept" and record.undoes is None:
            return record
    raise Refused("there is nothing to undo", "mailmend history shows what was changed")


def _proof(here: Here, record: Record) -> Proof:
    """Sockets that the change closed are open again, and Postfix runs on what was saved before."""
    here.probe.begin("undone")
    back = [
        Expectation(e.layer, e.kind, e.subject, "open", f"{e.subject} is open again")
        for e in record.expectations
        if e.kind == "listener"
    ]
    running = Expectation("running", "running-since", "master", None, "Postfix is running")
    here.probe.ask(Listeners())
    return verify((running, *back), here.probe)
