"""What held before a change is in force again: the old files in place, Postfix activated on them, and proven."""

from __future__ import annotations

import time
from collections.abc import Callable

from mailmend.model import Activation, MailmendError, Proof, Record, Refused
from mailmend.system import successor, swap
from mailmend.system.activation import Stopped
from mailmend.system.backwards import Conflict, difference

_TRIES = 3
_BREATH = 0.1  # seconds


class Degraded(Refused):
    """What was before could not be brought back or not be proven; *commands* are what to run."""

    def __init__(self, reason: str, commands: tuple[str, ...]) -> None:
        super().__init__(f"DEGRADED: {reason}", "run " + ", then ".join(commands))
        self.commands = commands


def put_back(record: Record, failure: str, wait: float, command: str) -> None:
    """The files of *record* as they were before it, because of *failure*; *command* does it where we cannot.

    Raises Conflict where somebody else edited one meanwhile, Degraded where the disk does not let us.
    """
    reason = ""
    for _ in range(_TRIES):
        try:
            swap.put_back(record.files, wait)
            return
        except swap.Neither as others:
            shown = "".join(difference(e.path, e.after, swap.read(e.path)) for e in record.files)
            told = f"{failure}, and going back was not possible: {others.reason}"
            raise Conflict(told, f"mailmend undo {record.id}", shown) from None
        except (Refused, OSError) as refused:
            # Every step of it can be repeated; what failed once need not fail again.
            reason = refused.reason if isinstance(refused, Refused) else str(refused)
            time.sleep(_BREATH)
    raise Degraded(f"{failure}, and going back was not possible: {reason}", (command, "mailmend status"))


def lay_ready(record: Record) -> None:
    """The old files lie beside those of *record* again, as its swap had left them: for undo.sh, for a full disk."""
    for edit in record.files:
        target = swap.beside(edit)
        if edit.before is not None and swap.read(target.old) != edit.before:
            successor.write(target.old, edit.before, target.path, aged=target.aged)


def activate(
    kind: Activation, how: Callable[[Activation], None], prove: Callable[[], Proof] | None
) -> tuple[str | None, str]:
    """(what is not as it was before, None where all is; the command that remains to a person).

    Without *prove* an activation that succeeds is the proof.
    """
    trouble, remains = None, "mailmend status"
    try:
        how(kind)
    except Stopped as stopped:
        trouble, remains = stopped.reason, stopped.start
    except MailmendError as error:
        trouble = str(error)
    if prove is None:
        return trouble, remains
    # Whether an activation's trouble matters is for the proof to say: what never ran need not run now.
    try:
        failed = failure_of(prove())
    except MailmendError as error:
        failed = str(error)
    return failed and (trouble or failed), remains


def failure_of(proof: Proof | None) -> str | None:
    """What of *proof* does not hold, in one line; None where all does."""
    failed = [j for j in proof.judgements if j.verdict not in ("holds", "pending")] if proof else []
    if not failed:
        return None
    return "; ".join(f"not so: {j.expectation.says}" + (f" ({j.says})" if j.says else "") for j in failed)


def identical(record: Record) -> bool:
    """Whether the files of *record* are as they were before it; one that cannot be read is not known to be."""
    try:
        return all(swap.read(edit.path) == edit.before for edit in record.files)
    except OSError:
        return False
