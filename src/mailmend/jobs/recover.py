"""recover: what a mailmend that died has left is taken back; the guard waits for that outside of it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mailmend.jobs.change import fresh
from mailmend.jobs.here import here
from mailmend.model import Activation, CannotLook, Expectation, MailmendError, Proof, Record, Refused
from mailmend.places import STATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mailmend.system.guard import Guard
    from mailmend.system.history import History
    from mailmend.system.recovery import Means, Recovered

_LOOK = 0.5  # seconds between two looks of the guard at a change on trial
_TRIES = 5
PATIENCE = 180.0  # seconds that a change may take at most, as for undo.sh (system/guard.py)


def recover(state: Path = STATE, *, wait: float = 0.2) -> tuple[Recovered, ...]:
    """Take back what was interrupted or not confirmed in time. Nothing while another mailmend is at work.

    Raises Refused where a file cannot be written.
    """
    from mailmend.system.history import History
    from mailmend.system.recovery import recover as take_back
    from mailmend.system.swap import Busy

    try:
        return take_back(History(state), _means(state), wait=wait)
    except Busy:
        return ()


def guard(record_id: str, state: Path = STATE, *, patience: float = PATIENCE) -> tuple[Recovered, ...]:
    """Wait until the change *record_id* is settled; take it back where its program died, or its time is over.

    A program that has not come to an end of it after *patience* seconds is stopped, or hangs: it is killed.
    What cannot be done is tried again; then CannotLook is raised, and undo.sh goes on with nothing but sh.
    """
    from mailmend.system import boot
    from mailmend.system.history import History
    from mailmend.system.recovery import recover as take_back

    history, means = History(state), _means(state)
    while True:
        # The program that makes the change holds the lock; when it is given, that is over, or it is dead.
        if done := _insisting(
            lambda: take_back(history, means, only=record_id, wait=patience),
            lambda: _end_what_hangs(history, means.guard, record_id),
            patience,
        ):
            return done
        try:
            record = history.get(record_id)
        except Refused:
            return ()
        if record.state != "trial" or record.confirm_by is None:
            return ()
        time.sleep(min(_LOOK, boot.left(record.confirm_by)))


def _end_what_hangs(history: History, guard: Guard, record_id: str) -> None:
    """Only the program that began this very change is ended; whoever else is at work has a guard, or is one."""
    from mailmend.system.holder import end_holder
    from mailmend.system.transaction import lock_of

    with suppress(MailmendError, OSError):
        maker = guard.maker()
        if maker and guard.guarded() == record_id and history.get(record_id).state == "intent":
            end_holder(lock_of(history), maker)


def _insisting(
    take_back: Callable[[], tuple[Recovered, ...]], end_what_hangs: Callable[[], None], patience: float
) -> tuple[Recovered, ...]:
    from mailmend.system.swap import Busy

    tries, until = 0, time.monotonic() + patience
    while tries < _TRIES:
        try:
            return take_back()
        except Busy as error:
            last: Exception = error
            if time.monotonic() >= until:
                tries += 1
                end_what_hangs()
        except (MailmendError, OSError) as error:
            last = error
            tries += 1
        time.sleep(_LOOK)
    raise CannotLook(f"it could not be taken back: {last}", "")


def _means(state: Path) -> Means:
    from mailmend.system.guard import Guard
    from mailmend.system.recovery import Means

    def activate(record: Record, kind: Activation) -> None:
        here(record.config_directory, state).activate(kind, record.files)

    def prove(record: Record, expectations: tuple[Expectation, ...]) -> Proof:
        return fresh(here(record.config_directory, state), expectations, "recovered")

    return Means(activate, prove, Guard(state))
