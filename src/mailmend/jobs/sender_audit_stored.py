"""The delivery store -> what was forwarded before the log begins: refusals whole, what was taken by sender domain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from mailmend.jobs.here import Here
from mailmend.model import MailmendError
from mailmend.parse import maillog
from mailmend.parse.forwards import Forwarded, original

if TYPE_CHECKING:
    from mailmend.jobs.sender_audit import Counts
    from mailmend.system.store.queries import Kept

_DAY = timedelta(days=1)


class Stored(NamedTuple):
    """*since* when the store was asked: forwards that were *refused* and *taken* are in the audit's counts. *unknown*:
    taken too, of whom it does not know the senders (days in part, or before it kept them).
    """

    since: datetime
    refused: int
    taken: int
    unknown: int


def add(here: Here, since: datetime | None, began: datetime | None, counts: Counts) -> Stored | None:
    """Add to *counts* what the store knows of the time from *since* until the log *began* (None: there is no log).

    None where it knows nothing of that time, or cannot be read: the log is then all there is.
    """
    from mailmend.jobs.ingest import folder
    from mailmend.system.probe import Recorded
    from mailmend.system.store.sqlite import Store

    if isinstance(here.probe, Recorded):
        return None
    try:
        store = Store(folder(here))
        first, _ = store.span()
        start, until = max((at for at in (first, since) if at), default=None), began or datetime.now(UTC)
        if first is None or start is None or start >= until:
            return None
        refused = [told for kept in store.failures(since=start, until=until) if (told := _refused(kept))]
        # Whole days: the one in which the log begins is in it in part, and so is the first that was asked for.
        _, taken = store.forwarded(start if start == first else start + _DAY, until)
        every = sum(c.forwarded for c in store.counts(start, until) if c.place.status == "sent")
    except MailmendError:
        return None
    counts.add(refused)
    for domain, place, count in taken:
        counts.taken(domain, place.receiver or "", count)
    known = sum(count for _, _, count in taken)
    if not (refused or known or every):
        return None
    return Stored(start, len(refused), known, max(every - known, 0))


def _refused(kept: Kept) -> Forwarded | None:
    """What the audit asks of a failure; None where it is no refusal of forwarded mail."""
    line = kept.line
    moved = maillog.forwarded(line.recipient, line.original) is True
    back = original(line.original or "")
    if kept.place.status != "bounced" or back or not (moved or original(line.sender or "")):
        return None
    return Forwarded(
        line.sender, moved, False, None, None, None, line.recipient, line.relay, line.ip, "bounced", line.dsn,
        line.text, kept.at,
    )  # fmt: skip
