"""The command that sets what somebody typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailmend.model import Refused
from mailmend.parse import assignment
from mailmend.ui import show
from mailmend.ui.asking import approved
from mailmend.ui.commands.changing import NOT_ASKED
from mailmend.ui.ending import EXIT_PROBLEMS, EXIT_REFUSED, Outcome, write
from mailmend.ui.progress import progress

if TYPE_CHECKING:
    from datetime import timedelta

    from rich.console import Console

    from mailmend.jobs.here import Here
    from mailmend.jobs.set import Done


def set_(
    here: Here,
    assignments: Sequence[str],
    defaults: Sequence[str],
    *,
    dry_run: bool,
    yes: bool,
    trial: timedelta | None,
    as_json: bool,
) -> Outcome:
    """The plan is shown before anybody is asked; without an answer nothing is changed (4)."""
    from mailmend.jobs.set import set_ as job

    wanted = (*map(assignment.parse, assignments), *map(assignment.removal, defaults))
    with progress() as step:

        def approve(planned: Done) -> bool:
            step.pause()
            if as_json:
                return yes
            _show(planned)
            return yes or approved()

        done = job(here, wanted, dry_run=dry_run, approve=approve, trial=trial, progress=step)
    declined = done.state == "planned" and not dry_run
    if declined and not as_json:
        raise Refused(NOT_ASKED, "--yes approves it")

    def screen(target: Console) -> None:
        from mailmend.ui.screens import setting

        if done.state == "planned":
            setting.planned(target, done)
        setting.ended(target, done)

    refused = declined or done.state == "rolled-back"
    holds = done.proof is None or done.proof.holds
    return Outcome(EXIT_REFUSED if refused else 0 if holds else EXIT_PROBLEMS, show.was_set(done), screen)


def _show(planned: Done) -> None:
    from mailmend.ui.screens import setting
    from mailmend.ui.terminal import drawn

    write(drawn(lambda target: setting.planned(target, planned)))
