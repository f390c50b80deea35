"""The start of every command, and the hidden `recover`: nothing half done is left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import CannotLook, MailmendError, Refused
from mailmend.places import STATE, hold, trial
from mailmend.ui.encode import printable
from mailmend.ui.ending import EXIT_REFUSED, Outcome

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.system.recovery import Recovered

# What is about no host, or itself settles what is open.
_WITHOUT = {"recover", "confirm", "demo", "bench", "list", "helper"}
_LOOKS_NOT_HERE = {"--replay", "--help", "-h", "--version"}


def at_start(words: Sequence[str]) -> None:
    """Where root runs a command and a change died half way, it is taken back first, and that is said on stderr."""
    asked = next((word for word in words if not word.startswith("-")), None)
    if os.geteuid() != 0 or asked is None or asked in _WITHOUT or _LOOKS_NOT_HERE.intersection(words):
        return
    if (asked != "hold" or "watch" not in words) and _is_there(hold()):
        _tend()
    if _is_there(trial()):
        _recover()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _recover() -> None:
    from mailmend.jobs.recover import recover

    try:
        found = recover()
    except MailmendError as error:
        _tell(f"{error}" + (f"; {error.next_step}" if error.next_step else ""))
        return
    for one in found:
        _tell(one.says + (f"; run {', or '.join(one.commands)}" if one.commands else ""))


def _tend() -> None:
    """A hold whose time or volume is over ends, and one that nobody watches is watched again."""
    from mailmend.jobs.vigil import tend

    try:
        said = tend()
    except MailmendError as error:
        said = str(error)
    if said:
        _tell(said)


def recover(change_id: str | None, state: Path | None) -> Outcome:
    """4 where a person has to decide or to start Postfix."""
    from mailmend.jobs.here import require_root
    from mailmend.jobs.recover import guard
    from mailmend.jobs.recover import recover as job
    from mailmend.ui import show

    try:
        require_root("taking a change back")
    except Refused as refused:
        # Not 4: undo.sh takes that for a decision that is a person's, and would go home.
        raise CannotLook(refused.reason, refused.next_step) from None
    place = state or STATE
    found = guard(change_id, place) if change_id else job(place, wait=10.0)

    def screen(target: Console) -> None:
        from mailmend.ui.terminal import say

        for one in found:
            say(target, one.says)
        if not found:
            say(target, "Nothing was interrupted.")

    fine = all(one.outcome == "taken-back" for one in found)
    return Outcome(
        0 if fine else EXIT_REFUSED,
        show.document("recover", {"recovered": [_shape(one) for one in found]}),
        screen,
    )


def _shape(one: Recovered) -> dict[str, object]:
    return {"id": one.record.id, "outcome": one.outcome, "says": one.says, "commands": list(one.commands)}


def _tell(line: str) -> None:
    sys.stderr.write(f"mailmend: {printable(line)}\n")
    sys.stderr.flush()
