"""Outcomes in the order of the log -> what is still deferred when the log ends: whose, why, since when.

A recipient waits from its first deferral until it is sent, bounced, or its message has left the queue (qmgr(8) logs
`removed` for what was delivered, returned, expired or deleted alike).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailmend.model import Family
    from mailmend.parse.logscan import Failed
    from mailmend.road.tally import Place

_KEPT = 100_000  # messages that are followed at a time; of more only the first are


@dataclass(frozen=True, slots=True)
class Queued:
    """*count* recipients of *messages* messages that wait for one receiver, for one cause.

    *since* is when the one that waits longest was first deferred, *queue_id* its message; *tried* is when mail was
    deferred so the last time, and *text* why. The times are as the log writes them.
    """

    receiver: str | None
    family: Family | None
    cause: str | None
    count: int
    messages: int
    queue_id: str
    since: str
    tried: str
    text: str


@dataclass(slots=True)
class _Recipient:
    since: str
    place: Place


class Waiting:
    """What waits. Of each part of a log there may be one, to be joined to the beginning in the order of the parts.

    *alone*: there is but this one, so what left the queue before it came to wait here need not be kept.
    Queue ids are taken as one relay's: those of several in one log hardly ever meet.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone
        self.more = False  # whether there was more than could be followed
        # queue id -> recipient -> since when; None: settled, which an earlier part of the log does not know
        self._messages: dict[str, dict[str, _Recipient | None]] = {}
        self._last: dict[Place, tuple[str, str]] = {}  # of what is deferred: when the last time, the reply
        self._gone: list[str] = []  # of each block the queue ids that left, one a line

    def failed(self, one: Failed, place: Place) -> None:
        """A deferral or a bounce, to be told before what was sent or left the queue in the same block."""
        recipients = self._messages.get(one.queue_id)
        if recipients is None:
            recipients = self._of(one.queue_id)
            if recipients is None:
                return
        if place.status != "deferred":
            recipients[one.recipient] = None
            return
        self._last[place] = one.stamp, one.text
        known = recipients.get(one.recipient)
        if known is None:
            recipients[one.recipient] = _Recipient(one.stamp, place)
        else:
            known.place = place

    def sent(self, recipients: Iterable[tuple[str, str]]) -> None:
        """Queue id and recipient of what was delivered while the message stayed in the queue for others."""
        for queue_id, recipient in recipients:
            if (message := self._of(queue_id)) is not None:
                message[recipient] = None

    def gone(self, queue_ids: Sequence[str]) -> None:
        """Messages that left the queue."""
        for queue_id in self._messages.keys() & queue_ids:
            del self._messages[queue_id]
        if queue_ids and not self._alone:
            self._gone.append("\n".join(queue_ids))

    def update(self, later: Waiting) -> None:
        """Go on with the part that follows."""
        self.more |= later.more
        self._last.update(later._last)
        for block in later._gone:
            for queue_id in block.split("\n"):
                self._messages.pop(queue_id, None)
        for queue_id, recipients in later._messages.items():
            mine = self._of(queue_id)
            if mine is None:
                continue
            for recipient, found in recipients.items():
                known = mine.get(recipient)
                if found and known:
                    found.since = known.since
                mine[recipient] = found

    def queued(self) -> tuple[Queued, ...]:
        """What waits, by receiver, family and cause, the most first."""
        groups: dict[Place, list[tuple[str, _Recipient]]] = {}
        for queue_id, recipients in self._messages.items():
            for found in recipients.values():
                if found:
                    groups.setdefault(found.place, []).append((queue_id, found))
        out = []
        for place, members in groups.items():
            oldest, first = members[0]  # in the order of the log, as all dictionaries here are
            tried, text = self._last[place]
            out.append(
                Queued(
                    place.receiver,
                    place.family,
                    place.cause,
                    len(members),
                    len({queue_id for queue_id, _ in members}),
                    oldest,
                    first.since,
                    tried,
                    text,
                )
            )
        return tuple(sorted(out, key=lambda each: (-each.count, each.queue_id)))

    def _of(self, queue_id: str) -> dict[str, _Recipient | None] | None:
        """The recipients of a message that are followed; None where there are too many."""
        known = self._messages.get(queue_id)
        if known is None:
            if len(self._messages) >= _KEPT:
                self.more = True
                return None
            known = self._messages[queue_id] = {}
        return known
