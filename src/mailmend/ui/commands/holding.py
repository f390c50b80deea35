"""The command hold: refused mail waits while its cure is prepared; and what other commands say of a hold."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from mailmend.model import CannotLook, ParseError, Refused
from mailmend.ui.ending import EXIT_PROBLEMS, EXIT_REFUSED, Outcome, write
from mailmend.ui.progress import progress
from mailmend.ui.show import document, holds

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from mailmend.jobs.here import Here
    from mailmend.jobs.hold import Hold, Switched
    from mailmend.model import Plan

_LENGTH = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
NOT_ASKED = "nothing was changed: the plan was not approved"


def duration(text: str) -> timedelta:
    """`4d`, `12h`, `90m`, `30s`. ParseError for anything else, and for none at all."""
    found = _LENGTH.fullmatch(text.strip())
    length = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not length:
        raise ParseError(f"{text} is no length of time", "write it as 4d, 12h, 90m or 30s")
    return length


def shown(here: Here) -> Outcome:
    """What is held now; 0 whether or not anything is."""
    from mailmend.jobs.hold import look

    here.require_postfix()
    with progress() as step:
        step("looking at the queue and the log")
        seen = look(here)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import holding

        holding.held(target, seen)

    return Outcome(0, holds.held(seen), screen)


def on(
    here: Here,
    causes: Sequence[str],
    length: str | None,
    limit: int | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> Outcome:
    """The plan is shown before anybody is asked; without an answer nothing is changed (4)."""
    from mailmend.jobs.hold import LIMIT
    from mailmend.jobs.hold import on as job
    from mailmend.ui.commands.knowing import cause_pages, no_such

    pages = cause_pages()
    for name in causes:
        if name not in pages:
            raise no_such("cause", name, tuple(pages))
    wanted = duration(length) if length else None
    with progress() as step:

        def approve(plan: Plan) -> bool:
            step.pause()
            if as_json:
                return yes
            _show(plan)
            return yes or _asked()

        done = job(
            here,
            causes=causes,
            length=wanted,
            limit=limit or LIMIT,
            dry_run=dry_run,
            approve=approve,
            progress=step,
        )
    if done.state == "planned" and not dry_run and not as_json:
        raise Refused(NOT_ASKED, "mailmend hold on --yes approves it")
    status = 0 if done.state == "on" or dry_run else EXIT_REFUSED
    return Outcome(status, holds.switched(done), _screen(done))


def off(here: Here) -> Outcome:
    """1 where the proof of the state before does not hold, or a message that was held is refused again."""
    from mailmend.jobs.hold import off as job

    with progress() as step:
        done = job(here, progress=step)
    proven = done.proof is None or done.proof.holds
    lost = any(one.outcome == "bounced" for one in done.attempted)
    return Outcome(0 if proven and not lost else EXIT_PROBLEMS, holds.switched(done), _screen(done))


def watch(state: Path | None) -> Outcome:
    """For the process that ends a hold when its bounds are reached."""
    from mailmend.jobs.here import require_root
    from mailmend.jobs.vigil import watch as job
    from mailmend.places import STATE

    require_root("watching a hold")
    said = job(state or STATE)

    def screen(target: Console) -> None:
        from mailmend.ui.terminal import say

        say(target, said or "There is no hold to be watched any more.")

    return Outcome(0, document("hold", {"state": "off", "reason": said}), screen)


def beside(here: Here, told: Outcome) -> Outcome:
    """*told* (of status, or of fix) with the hold in force beside it; after a proven cure it offers to end it."""
    if told.document.get("state") in ("nothing", "planned", "rolled-back"):
        return told
    found = _seen(here)
    cured = "state" in told.document

    def screen(target: Console) -> None:
        from mailmend.ui.screens import holding

        told.screen(target)
        if found and cured:
            holding.offered(target, found)
        elif found:
            holding.held(target, found)

    return Outcome(told.exit, {**told.document, "hold": holds.hold(found) if found else None}, screen)


def _seen(here: Here) -> Hold | None:
    """A hold in force, or mail that the last one held and that still waits; None for neither."""
    from mailmend.jobs.hold import look

    try:
        if look(here, queue=False).record is None:
            return None
        found = look(here)
    except CannotLook:
        return None
    return found if found.in_force or found.waiting else None


def _screen(done: Switched) -> Callable[[Console], None]:
    def screen(target: Console) -> None:
        from mailmend.ui.screens import holding

        holding.switched(target, done)

    return screen


def _show(plan: Plan) -> None:
    from mailmend.ui.screens import holding
    from mailmend.ui.terminal import drawn

    write(drawn(lambda target: holding.planned(target, plan)))


def _asked() -> bool:
    """Ask the person; where nobody sits at a terminal, or the answer is not yes, it is no."""
    from mailmend.ui.terminal import is_tty

    if not is_tty():
        return False
    sys.stderr.write("\nHold this mail? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in ("y", "yes")
