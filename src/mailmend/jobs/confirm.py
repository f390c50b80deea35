"""confirm: the change on trial stays, because whoever made it can still reach the host and says so."""

from __future__ import annotations

from mailmend.jobs.here import Here, require_root
from mailmend.model import Record


def confirm(here: Here, record_id: str | None = None) -> Record:
    """Keep the change that waits for it (*record_id* where it is named).

    Raises Refused where none does, or its time is over: then it is being taken back.
    """
    from mailmend.system import transaction
    from mailmend.system.guard import Guard
    from mailmend.system.history import History

    require_root("confirming a change")
    return transaction.confirm(History(here.state), Guard(here.state), record_id)
