"""history: every change of mailmend, newest first."""

from __future__ import annotations

from mailmend.jobs.here import Here
from mailmend.model import Record


def history(here: Here, record_id: str | None = None) -> tuple[Record, ...]:
    """All entries that can be read (damaged ones are told by the history itself), or the one named.

    Raises Refused where there is none of that name, CannotLook where the history cannot be read.
    """
    from mailmend.system.history import History

    kept = History(here.state)
    return (kept.get(record_id),) if record_id else kept.records()
