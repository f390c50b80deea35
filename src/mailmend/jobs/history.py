"""history: every change of mailmend, newest first; or one whole, with what others made of its files since."""

from __future__ import annotations

from mailmend.jobs.here import Here
from mailmend.model import Record, Refused

OPEN = ("intent", "trial", "kept")


def history(here: Here) -> tuple[Record, ...]:
    """All entries that can be read; damaged ones are told by the history itself. CannotLook where none can be."""
    from mailmend.system.history import History

    return History(here.state).records()


def entry(here: Here, record_id: str) -> tuple[Record, str | None]:
    """The entry named, and the difference between what it left and what is there now (None: cannot be read).

    Raises Refused where there is none of that name.
    """
    from mailmend.system.backwards import since
    from mailmend.system.history import History

    record = History(here.state).get(record_id)
    if record.state not in OPEN or record.undoes:
        return record, ""
    try:
        return record, since(record)
    except Refused:
        return record, None
