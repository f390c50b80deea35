"""trace: a queue id, a Message-ID or an address -> the whole life of the messages concerned, and what they became.

Searched for on demand, in passes: the lines with what was asked for, then those with the ids that these name, until
nothing new is named. There is no index to keep.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from mailmend import catalogue
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, Delivery, ParseError, Refusal
from mailmend.parse import lives as parsed
from mailmend.parse import maillog
from mailmend.parse.lives import Event, Life, Link
from mailmend.road import explain as road
from mailmend.system import logsearch, queue

MOST = 50  # messages of one address that are told, the newest
_LINKED = 400  # words that are searched for, of all messages that hang together
_SAME = 20  # messages that only share a Message-ID: anybody can send thousands with somebody else's
_PASSES = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for; *word* without the angle brackets. Only the log can tell a Message-ID from an address."""

    kind: Literal["queue-id", "message-id-or-address"]
    word: str

    def matches(self, event: Event) -> bool:
        """Whether *event* is about it: an address in any case, all else to the letter."""
        if self.kind == "queue-id":
            return event.queue_id == self.word
        return self.is_message_id(event) or self.is_address(event.delivery, event.sender)

    def is_message_id(self, event: Event) -> bool:
        return event.kind == "message-id" and event.words.strip().strip("<>") == self.word

    def is_address(self, delivery: Delivery | None, sender: str | None = None) -> bool:
        told = (delivery.recipient, delivery.original_recipient, delivery.sender) if delivery else ()
        return self.word.casefold() in {(each or "").casefold() for each in (*told, sender)}


@dataclass(frozen=True, slots=True)
class Traced:
    """What the log tells. *lives* in the order of the log; *asked_for* are the places in it of what was asked for.

    *refusals* explains the outcomes in them. *rejected* are mails that the own server did not let in. *more* counts
    messages, *more_rejected* rejections that are older than those told. *waiting* has the queues (postqueue(1)) of
    what is still there, None where nobody looked.
    """

    asked: Asked
    searched: logsearch.Searched
    lives: tuple[Life, ...] = ()
    links: tuple[Link, ...] = ()
    asked_for: tuple[int, ...] = ()
    refusals: Mapping[Delivery, Refusal] = field(default_factory=dict)
    rejected: tuple[Refusal, ...] = ()
    more: int = 0
    more_rejected: int = 0
    waiting: Mapping[str, str] | None = None
    notices: tuple[str, ...] = ()


def asked_for(text: str) -> Asked:
    """What *text* means. ParseError where it is no queue id, Message-ID or address."""
    word = text.strip().strip("<>")
    if re.fullmatch(parsed.QUEUE_ID, word):
        return Asked("queue-id", word)
    if re.fullmatch(r"(?=.*\d)[0-9a-f]{8,20}", word):  # typed from a screen
        return Asked("queue-id", word.upper())
    quoted = re.fullmatch(r'"[^\n]+"@\S+', word)  # RFC 5321 4.1.2: such a local part may have blanks in it
    if (
        not word
        or (any(c.isspace() for c in word) and not quoted)
        or ("@" not in word and text.strip()[:1] != "<")
    ):
        raise ParseError(
            f"'{text}' is neither a queue id nor a Message-ID nor an address",
            "give one as the log has it, such as 4F1A2B3C4D or someone@example.org",
        )
    return Asked("message-id-or-address", word)


def trace(
    text: str,
    here: Here,
    files: Sequence[str] = (),
    since: datetime | None = None,
    progress: logsearch.Progress = logsearch.nobody,
    *,
    to_come: bool = False,
) -> Traced:
    """The lives of what *text* names, in *files* or else this host's log with its rotated parts.

    With *since*, what was logged before is left out. *to_come*: more will be written. ParseError, CannotLook as
    asked_for and logsearch have them; ParseError too where nothing of Postfix is in *files*.
    """
    asked = asked_for(text)
    own = nullcontext(logsearch.given(files, since)) if files else logsearch.own(here.log(), since)
    with own as searched:
        search = _Search(asked, searched, progress)
        search.run()
    told = search.lives
    if files and not (told or to_come) and not search.rejected and not logsearch.has_postfix(searched):
        raise ParseError(
            f"{searched}: no line of Postfix is in it", "name Postfix's log: /var/log/mail.log, for one"
        )
    notices = list(search.notices)
    waiting = None
    if not files and any(not life.removed for life in told):
        try:
            waiting = queue.names(here.config_directory)
        except CannotLook as reason:
            notices.append(f"whether it still waits could not be seen: {reason.reason}")
    return Traced(
        asked=asked,
        searched=searched,
        lives=told,
        links=parsed.links(told),
        asked_for=tuple(n for n, life in enumerate(told) if any(map(asked.matches, life.events))),
        refusals=explained(e.delivery for life in told for e in life.events if e.delivery),
        rejected=tuple(explained(search.rejected).values()),
        more=search.more,
        more_rejected=search.more_rejected,
        waiting=waiting,
        notices=tuple(notices),
    )


def explained(deliveries: Iterable[Delivery]) -> dict[Delivery, Refusal]:
    """Each of *deliveries* that was not delivered with its explanation; each for itself."""
    told = [d for d in dict.fromkeys(deliveries) if d.severity != "delivered"]
    if not told:
        return {}
    known = catalogue.load()
    return {d: refusal for d in told for refusal in road.explain([d], known)}


class _Search:
    """The passes over the log. Afterwards *lives* are those that hang together with what was asked for."""

    def __init__(self, asked: Asked, where: logsearch.Searched, progress: logsearch.Progress) -> None:
        self.asked = asked
        self.where = where
        self.progress = progress
        self.now = datetime.now(UTC).astimezone()
        self.events: dict[logsearch.Position, Event] = {}
        self.seeds: dict[tuple[str | None, str], None] = {}  # host and queue id, the newest last
        self.rejected: deque[Delivery] = deque(maxlen=MOST)
        self.dropped: set[tuple[str | None, str]] = set()
        self.more_rejected = 0
        self.lives: tuple[Life, ...] = ()
        self.notices: list[str] = []
        self.left_out = 0  # messages that only share a Message-ID with these

    @property
    def more(self) -> int:
        return len(self.dropped - self.seeds.keys())

    def run(self) -> None:
        self._passes()
        if self.left_out:
            self.notices.append(f"{self.left_out} more messages have the same Message-ID, and are not told")

    def _passes(self) -> None:
        if self.asked.kind == "queue-id":
            self.seeds[None, self.asked.word] = None
        else:
            self._first_pass()
        done: set[str] = set()
        wanted = {queue_id for _, queue_id in self.seeds}
        for _ in range(_PASSES):
            if not wanted:
                return
            if len(done) + len(wanted) > _LINKED:
                self.notices.append("more messages hang together with these than are told here")
                return
            self._collect({word.encode("utf-8", "surrogateescape") for word in wanted})
            done |= wanted
            self.lives = self._together()
            wanted = {word for life in self.lives for word in _names(life)} - done
        if wanted:
            self.notices.append("the chain of messages is longer than what is told here")

    def _first_pass(self) -> None:
        """The queue ids of the messages that an address or a Message-ID is named in; what was not let in."""
        word = self.asked.word.encode("utf-8", "surrogateescape").lower()
        for _, text in logsearch.find(self.where, [word], fold=True, progress=self.progress):
            event = parsed.event(text, self.now)
            if event is None:
                self._not_let_in(text)
            elif self.asked.matches(event) and not self._too_old(event.at):
                key = (event.host, event.queue_id)
                self.seeds.pop(key, None)
                self.seeds[key] = None
                if len(self.seeds) > MOST:
                    oldest = next(iter(self.seeds))
                    del self.seeds[oldest]
                    self.dropped.add(oldest)

    def _not_let_in(self, text: str) -> None:
        line = maillog.line(text, self.now)
        told = maillog.delivery(line) if line else None
        if told is None or told.severity != "rejected-inbound" or self._too_old(told.at):
            return
        if self.asked.is_address(told):
            self.more_rejected += len(self.rejected) == MOST
            self.rejected.append(told)

    def _collect(self, words: set[bytes]) -> None:
        for position, text in logsearch.find(self.where, words, progress=self.progress):
            if position not in self.events:
                event = parsed.event(text, self.now)
                if event and not self._too_old(event.at):
                    self.events[position] = event

    def _together(self) -> tuple[Life, ...]:
        """The lives that can be reached from what was asked for, over links in both directions."""
        every = parsed.lives(event for _, event in sorted(self.events.items()))
        beside: dict[int, list[tuple[int, bool]]] = {}
        for link in parsed.links(every):
            weak = link.kind == "same-message-id"
            beside.setdefault(link.parent, []).append((link.child, weak))
            beside.setdefault(link.child, []).append((link.parent, weak))
        ids = {queue_id for _, queue_id in self.seeds}
        reached = {
            n
            for n, life in enumerate(every)
            if life.queue_id in ids and any(map(self.asked.matches, life.events))
        }
        todo, same = list(reached), 0
        while todo:
            for other, weak in beside.get(todo.pop(), ()):
                if other not in reached:
                    same += weak
                    if not weak or same <= _SAME:
                        reached.add(other)
                        todo.append(other)
        self.left_out = max(0, same - _SAME)
        return tuple(every[n] for n in sorted(reached))

    def _too_old(self, at: datetime | None) -> bool:
        since = self.where.since
        return bool(at and since and at < since)


def _names(life: Life) -> set[str]:
    """What else of *life* is to be searched for: its own id, those that it names, its Message-IDs."""
    linked = {event.link for event in life.events if event.link}
    return {life.queue_id, *linked, *filter(parsed.tells_apart, life.message_ids)}
