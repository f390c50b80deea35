"""The commands that only look: check, status, history, prove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailmend.ui import show
from mailmend.ui.ending import EXIT_PROBLEMS, Outcome
from mailmend.ui.given import given
from mailmend.ui.progress import progress

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here

EXIT_CANNOT_LOOK = 3


def check(domains: Sequence[str], here: Here, message: str | None = None) -> Outcome:
    """1 where anything measured is a problem; 3 where nothing is, but not all could be looked at.

    *message* names the file of a message to look at as well.
    """
    from mailmend.jobs.check import check as job
    from mailmend.ui.commands.knowing import cause_pages

    text = given(message).decode("latin-1") if message else None
    with progress() as step:
        report = job(here, domains, message=text, progress=step)
    host = here.host().hostname

    def screen(target: Console) -> None:
        from mailmend.ui.screens import checking

        checking.checked(target, report.findings, cause_pages(), host)

    looked = not report.failed
    return Outcome(
        exit=EXIT_PROBLEMS if report.measured else 0 if looked else EXIT_CANNOT_LOOK,
        document=show.checked(report, host, domains),
        screen=screen,
    )


def status(here: Here) -> Outcome:
    """1 where what runs is not what is saved, a check finds a problem, or a change was interrupted or overwritten."""
    from mailmend.jobs.status import status as job

    with progress() as step:
        step("looking at configuration, processes, sockets and log")
        seen = job(here)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import standing

        standing.status(target, seen)

    problems = (
        seen.interrupted is not None
        or seen.overwritten
        or any(f.standing == "measured" for f in seen.findings)
    )
    return Outcome(EXIT_PROBLEMS if problems else 0, show.status(seen), screen)


def history(here: Here, change_id: str | None) -> Outcome:
    """What was changed; an empty history is a clean one. With *change_id*, that entry whole."""
    from mailmend.jobs import history as job

    if change_id:
        return _entry(here, change_id)
    records = job.history(here)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import past

        past.history(target, records)

    return Outcome(0, show.history(records), screen)


def _entry(here: Here, change_id: str) -> Outcome:
    from mailmend.jobs import history as job

    record, since = job.entry(here, change_id)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import past

        past.change(target, record, since)

    return Outcome(0, show.entry(record, since), screen)


def prove(here: Here, address: str | None) -> Outcome:
    """0 where everything holds or is pending; 1 where something fails or could not be looked at."""
    from mailmend.jobs.prove import prove as job
    from mailmend.ui.commands.knowing import require_address

    if address is not None:
        require_address(address)
    with progress() as step:
        proven = job(here, to=address, progress=step)
    delivered = all(d.severity == "delivered" for d in proven.deliveries)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import proving

        proving.proven(target, proven)

    return Outcome(0 if proven.proof.holds and delivered else EXIT_PROBLEMS, show.proven(proven), screen)
