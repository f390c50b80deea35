"""history: every change of mailmend, newest first."""

from __future__ import annotations

from mailmend.jobs.here import Here
from mailmend.model import Record


def history(here: Here) -> tuple[Record, ...]:
    """All entries that can be read; damaged ones are told by the history itself."""
    from mailmend.system.history import History

    return History(here.state).records()
