"""check forwarding: who forwards whose mail where, and in what state it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.ending import EXIT_PROBLEMS, Outcome
from mailmend.ui.progress import progress

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here

EXIT_CANNOT_LOOK = 3


def forwards(here: Here) -> Outcome:
    """1 where mail leaves in a state that receivers refuse, or comes back; 3 where not all could be looked at."""
    from mailmend.jobs.forwards import look
    from mailmend.ui.show import forwards as shapes

    with progress() as step:
        seen = look(here, step)
    host = here.host().hostname

    def screen(target: Console) -> None:
        from mailmend.ui.screens import forwarding

        forwarding.forwards(target, seen, host)

    status = EXIT_PROBLEMS if seen.wrong else EXIT_CANNOT_LOOK if seen.blind else 0
    return Outcome(status, shapes.forwards(seen, host), screen)
