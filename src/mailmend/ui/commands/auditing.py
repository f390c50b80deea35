"""check --senders: whose forwarded mail is taken, and whose not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.ui.ending import EXIT_PROBLEMS, Outcome
from mailmend.ui.given import given
from mailmend.ui.progress import progress
from mailmend.ui.show import audits

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here

DAYS = "30d"
EXIT_CANNOT_LOOK = 3


def senders(names: Sequence[str], here: Here, since: str | None, message: str | None) -> Outcome:
    """1 where mail of anybody will be refused, or was and nobody knows; 3 where none could be looked at.

    *names* are logs; `forwarding` before them is the check's own name. *message* names a message as it arrived.
    """
    from mailmend.jobs.sender_audit import audit
    from mailmend.parse import when

    files = [Path(name) for name in (names[1:] if names[:1] == ("forwarding",) else names)]
    text = given(message).decode("latin-1") if message else None
    start = when.since(since or DAYS, datetime.now(UTC).astimezone())
    with progress() as step:
        step("reading the log")
        seen = audit(here, files, since=start, message=text, progress=step)
    host = here.host().hostname

    def screen(target: Console) -> None:
        from mailmend.ui.screens import auditing

        auditing.audited(target, seen, host)

    problems = any(
        row.judged.verdict == "refused" or (row.judged.verdict == "unknown" and row.refused)
        for row in seen.rows
    )
    blind = bool(seen.rows) and all(row.judged.error for row in seen.rows)
    return Outcome(
        EXIT_PROBLEMS if problems else EXIT_CANNOT_LOOK if blind else 0,
        audits.audited(seen, host),
        screen,
    )
