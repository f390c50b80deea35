"""trace --follow: what is in the log of a message, then what is logged of it, line by line, as it happens."""

from __future__ import annotations

import re
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailmend.jobs.here import Here
from mailmend.jobs.trace import Asked, Traced, asked_for, explained, trace
from mailmend.model import CannotLook, ParseError, Refusal
from mailmend.parse import lives as parsed
from mailmend.parse.lives import Event
from mailmend.system import follow, logsearch

POLL = 0.25  # seconds
# Daemons write side by side: what belongs to a message may come after its `removed`.
GRACE = 2.0
_REMEMBERED = 1000  # queue ids whose first lines are kept until it turns out whether they belong to it
_FIRST_LINES = 20
_QUEUE_ID = re.compile(rf"\]: ({parsed.QUEUE_ID}): ")


@dataclass(frozen=True, slots=True)
class Seen:
    """One event of the messages that are followed, with its explanation where it is a refusal."""

    event: Event
    refusal: Refusal | None


def live(text: str, here: Here, files: Sequence[str] = (), since: datetime | None = None) -> Iterator[Seen]:
    """What the log has of *text* in the order of time, then what comes, until all of it is removed from the queue.

    An address is followed without end. Of several *files* none can be followed: ParseError.
    """
    if len(files) > 1:
        raise ParseError("only one log can be followed", "give the one that is being written")
    place = follow.Place(Path(files[0])) if files else here.log()
    mark = follow.mark(place)
    try:
        before = trace(text, here, files, since, to_come=True)
    except CannotLook:
        if place.path is None or place.path.exists():
            raise
        before = Traced(asked_for(text), logsearch.Searched((), since))  # nothing was logged there yet
    watch = _Watch(before)
    yield from watch.past()
    while not watch.over():
        lines, mark = follow.read(place, mark)
        for line in lines:
            yield from watch.see(line)
        time.sleep(POLL)


class _Watch:
    """The messages that are followed: their queue ids, their Message-IDs, and which of them are still there."""

    def __init__(self, before: Traced) -> None:
        self.asked: Asked = before.asked
        self.before = before
        self.ids = {life.queue_id for life in before.lives}
        self.message_ids = {m for life in before.lives for m in life.message_ids if parsed.tells_apart(m)}
        self.present = {life.queue_id for life in before.lives if not life.removed}
        self.endless = self.asked.kind != "queue-id" and not self._by_message_id(before)
        self.ended = time.monotonic()
        # The log is searched while it is written: what was found there is not told again.
        self.told = Counter(e for life in before.lives for e in life.events)
        self.recent: OrderedDict[str, list[str]] = OrderedDict()

    def _by_message_id(self, before: Traced) -> bool:
        return any(self.asked.is_message_id(e) for life in before.lives for e in life.events)

    def past(self) -> Iterator[Seen]:
        events = [event for life in self.before.lives for event in life.events]
        for event in sorted(events, key=lambda e: e.at.timestamp() if e.at else 0):
            yield Seen(event, self.before.refusals.get(event.delivery) if event.delivery else None)

    def over(self) -> bool:
        """Whether nothing more can come: everything was removed, a moment ago."""
        if self.endless or not self.ids or self.present:
            return False
        return time.monotonic() - self.ended > GRACE

    def see(self, text: str) -> Iterator[Seen]:
        named = _QUEUE_ID.search(text)
        if named is None:
            return
        if named[1] not in self.ids and not self._concerns(text):
            self._remember(named[1], text)
            return
        event = parsed.event(text, datetime.now(UTC).astimezone())
        if event is None:
            return
        if event.queue_id not in self.ids and not self._belongs(event):
            self._remember(named[1], text)
            return
        yield from self._adopt(event.queue_id)
        yield from self._tell(event)
        if event.link and event.link_kind:
            yield from self._adopt(event.link)

    def _concerns(self, text: str) -> bool:
        """A plain look, before the line is read: whether any of our words is in it."""
        return self.asked.word.casefold() in text.casefold() or any(
            word in text for word in (*self.message_ids, *self.ids)
        )

    def _belongs(self, event: Event) -> bool:
        named = event.kind == "message-id" and event.words in self.message_ids
        return self.asked.matches(event) or named or event.link in self.ids

    def _remember(self, queue_id: str, text: str) -> None:
        lines = self.recent.setdefault(queue_id, [])
        if len(lines) < _FIRST_LINES:
            lines.append(text)
        if len(self.recent) > _REMEMBERED:
            self.recent.popitem(last=False)

    def _adopt(self, queue_id: str) -> Iterator[Seen]:
        if queue_id in self.ids:
            return
        self.ids.add(queue_id)
        self.present.add(queue_id)
        now = datetime.now(UTC).astimezone()
        for text in self.recent.pop(queue_id, []):
            event = parsed.event(text, now)
            if event:
                yield from self._tell(event)

    def _tell(self, event: Event) -> Iterator[Seen]:
        if self.told[event]:
            self.told[event] -= 1
            return
        if event.kind == "message-id" and parsed.tells_apart(event.words):
            self.message_ids.add(event.words)
        if self.asked.is_message_id(event):
            self.endless = False
        if parsed.ends(event):
            self.present.discard(event.queue_id)
            self.ended = time.monotonic()
        elif event.kind in ("client", "submitted", "queued"):
            self.present.add(event.queue_id)  # a queue id may be used again
        refusal = explained([event.delivery]).get(event.delivery) if event.delivery else None
        yield Seen(event, refusal)
