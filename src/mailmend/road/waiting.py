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
    """*name* was first deferred *since*; *place* None: settled, which an earlier part of the log does not know."""

    name: str
    since: str
    place: Place | None


class Waiting:
    """What waits. Of each part of a log there may be one, to be joined to the beginning in the order of the parts.

    *alone*: there is but this one, so what left the queue before it came to wait here need not be kept.
    Queue ids are taken as one relay's: those of several in one log hardly ever meet.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone
        self.more = False  # whether there was more than could be followed
        # By queue id; one recipient is kept as he is: nearly all messages have one, and a dictionary takes more.
        self._messages: dict[str, _Recipient | dict[str, _Recipient]] = {}
        self._last: dict[Place, tuple[str, str]] = {}  # of what is deferred: when the last time, the reply
        self._gone: list[str] = []  # of each block the queue ids that left, one a line

    def failed(self, one: Failed, place: Place) -> None:
        """A deferral or a bounce, to be told before what was sent or left the queue in the same block."""
        queue_id, recipient = one.queue_id, one.recipient
        if place.status != "deferred":
            self._settle(queue_id, recipient)
            return
        known = self._known(queue_id, recipient)
        if known is not None and known.place is not None:
            known.place = place
        elif not self._keep(queue_id, _Recipient(recipient, one.stamp, place)):
            return
        self._last[place] = one.stamp, one.text

    def sent(self, recipients: Iterable[tuple[str, str]]) -> None:
        """Queue id and recipient of what was delivered while the message stayed in the queue for others."""
        for queue_id, recipient in recipients:
            self._settle(queue_id, recipient)

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
        for queue_id, held in later._messages.items():
            for found in _recipients(held):
                known = self._known(queue_id, found.name)
                if found.place and known and known.place:
                    found.since = known.since
                self._keep(queue_id, found)

    def queued(self) -> tuple[Queued, ...]:
        """What waits, by receiver, family and cause, the most first."""
        groups: dict[Place, list[tuple[str, _Recipient]]] = {}
        for queue_id, held in self._messages.items():
            for found in _recipients(held):
                if found.place:
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

    def _known(self, queue_id: str, name: str) -> _Recipient | None:
        held = self._messages.get(queue_id)
        if isinstance(held, dict):
            return held.get(name)
        return held if held is not None and held.name == name else None

    def _settle(self, queue_id: str, name: str) -> None:
        """*name* has it, or will not get it. Where no part comes before this one, others need not be known of."""
        if not self._alone or queue_id in self._messages:
            self._keep(queue_id, _Recipient(name, "", None))

    def _keep(self, queue_id: str, one: _Recipient) -> bool:
        """Whether *one* is followed: not where there are too many."""
        held = self._messages.get(queue_id)
        if held is None:
            if len(self._messages) >= _KEPT:
                self.more = True
                return False
            self._messages[queue_id] = one
        elif isinstance(held, dict):
            held[one.name] = one
        elif held.name == one.name:
            self._messages[queue_id] = one
        else:
            self._messages[queue_id] = {held.name: held, one.name: one}
        return True


def _recipients(held: _Recipient | dict[str, _Recipient]) -> Iterable[_Recipient]:
    return held.values() if isinstance(held, dict) else (held,)
