"""Lines of Postfix's log about one queue id -> what happened to that message, and what it became.

Read from the left, as maillog.py reads a line: what a stranger chose (addresses, Message-IDs, replies) is opaque, and
links between messages are taken from Postfix's own words only, where its own programs say them: bounce(8) its
notifications, local(8) its forwards, pickup(8) what was requeued, smtpd(8) what came back by XFORWARD. What only
shares a Message-ID is told as that and no more: anybody can write one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mailmend.model import Delivery
from mailmend.parse import maillog

Kind = Literal[
    "client",  # smtpd(8) took it from a client
    "submitted",  # pickup(8) took it from a user of this host, or anew from the queue
    "message-id",
    "queued",  # qmgr(8) took it up
    "attempt",
    "reply",  # what a server said before another was tried
    "rejected",  # the own server did not take it, or a milter
    "notified",  # it became a notification with a queue id of its own
    "expired",
    "action",  # hold, discard, redirect ... of a table or a milter
    "operator",  # postsuper(1)
    "removed",
    "other",
]
LinkKind = Literal[
    "bounce", "delay-notice", "status-notice", "forward", "requeue", "reinjection", "same-message-id"
]

QUEUE_ID = r"(?:[0-9A-F]{5,20}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,30})"
# Daemons write side by side: a line may come this much after the last one of its message.
_STRAGGLES = timedelta(seconds=5)
_CLIENT = re.compile(r"client=([^\s\[\],]{1,255})\[([^\]\s,]{1,80})\](?::(?:\d{1,5}|unknown))?(?=, |$)")
_CLIENT_FIELD = re.compile(
    r", (sasl_method|sasl_username|sasl_sender|orig_queue_id|orig_client)=(.{0,500}?)"
    r"(?=, (?:sasl_username|sasl_sender|orig_queue_id|orig_client)=|$)"
)
_PICKED_UP = re.compile(r"uid=(\d{1,10}) from=<")
_ORIG_ID = re.compile(rf"> orig_id=({QUEUE_ID})$")
_QUEUED = re.compile(r", size=(\d{1,15}), nrcpt=(\d{1,9}) \(queue active\)$")
_EXPIRED = re.compile(r", status=(?:force-)?expired, returned to sender$")
_NOTIFIED = re.compile(
    rf"(?:sender|postmaster) (non-delivery|delivery status|delay) notification: ({QUEUE_ID})$"
)
_FORWARDED = re.compile(rf"forwarded as ({QUEUE_ID})$")
_ACTION = re.compile(
    r"((?:milter-(?:header-)?)?(?:hold|discard|redirect|filter|reject|quarantine|bcc)|warning|info|prepend|strip): "
)
_OPERATOR = ("placed on hold", "released from hold", "requeued", "removed", "expired")
_NOTIFIERS = ("bounce", "defer", "trace")
_NOTICES: dict[str, LinkKind] = {
    "non-delivery": "bounce",
    "delivery status": "status-notice",
    "delay": "delay-notice",
}
# Another program's line about a queue id: opendkim, amavis, a policy service.
_OTHER = re.compile(
    r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?|\d{4}-\d\d-\d\dT[\d:.,]{8,18}(?:Z|[+-]\d\d:?\d\d)?)"
    rf" (\S{{1,255}}) ([^\s\[\]:]{{1,100}})(?:\[\d{{1,10}}\])?: ({QUEUE_ID}): "
)


@dataclass(frozen=True, slots=True)
class Client:
    """Who handed a message to smtpd(8). *host* None: its address has no name that leads back to it.

    *orig_client* and *orig_queue_id* are what a content filter passed on (XFORWARD).
    """

    host: str | None
    ip: str
    sasl_method: str | None = None
    sasl_username: str | None = None
    sasl_sender: str | None = None
    orig_queue_id: str | None = None
    orig_client: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line about one message. *words* is what its kind has to say; *link* the queue id that it names.

    *attempt* and *delivery* are the same outcome, as the log words it and as a noun; *size* is in bytes.
    """

    at: datetime | None
    host: str | None
    service: str
    queue_id: str
    kind: Kind
    words: str = ""
    client: Client | None = None
    uid: int | None = None
    sender: str | None = None
    size: int | None = None
    recipients: int | None = None
    attempt: maillog.Attempt | None = None
    delivery: Delivery | None = None
    link: str | None = None
    link_kind: LinkKind | None = None


def event(text: str, now: datetime | None = None) -> Event | None:
    """What one line says of a message that has a queue id; None where it names none. *now* as in maillog.line."""
    line = maillog.line(text, now)
    if line is None:
        return _by_another_program(text[: maillog.LINE_CAP].rstrip("\r\n"), now)
    if line.queue_id is None:
        return None
    return _received(line) or _managed(line) or _outcome(line) or _told(line)


def _event(of: maillog.LogLine, kind: Kind, words: str = "", **known: object) -> Event:
    return Event(of.at, of.host, of.service, of.queue_id or "", kind, words, **known)  # type: ignore[arg-type]


def _received(of: maillog.LogLine) -> Event | None:
    """smtpd(8), pickup(8), cleanup(8): where it comes from, and its Message-ID."""
    message = of.message
    if of.service in ("smtpd", "qmqpd") and (match := _CLIENT.match(message)):
        fields = {f[1]: f[2] for f in _CLIENT_FIELD.finditer(message, match.end())}
        client = Client(None if match[1] == "unknown" else match[1], match[2], **fields)
        link = client.orig_queue_id if re.fullmatch(QUEUE_ID, client.orig_queue_id or "") else None
        return _event(of, "client", client=client, link=link, link_kind="reinjection" if link else None)
    if of.service == "pickup" and (match := _PICKED_UP.match(message)):
        again = _ORIG_ID.search(message)
        sender = message[match.end() : again.start() if again else len(message)].removesuffix(">")
        old = again[1] if again else None
        return _event(
            of, "submitted", uid=int(match[1]), sender=sender, link=old, link_kind="requeue" if old else None
        )
    if of.service == "cleanup":
        name, equals, value = message.partition("=")
        if equals and name in ("message-id", "resent-message-id"):
            return _event(of, "message-id", value)
    return None


def _managed(of: maillog.LogLine) -> Event | None:
    """qmgr(8) and postsuper(1): taken up, given up, removed."""
    sender = maillog.sender(of)
    if sender is not None:
        rest = of.message[len(f"from=<{sender}>") :]
        if queued := _QUEUED.match(rest):
            return _event(of, "queued", sender=sender, size=int(queued[1]), recipients=int(queued[2]))
        if _EXPIRED.match(rest):
            return _event(of, "expired", "returned to sender", sender=sender)
    if of.service == "postsuper" and of.message in _OPERATOR:
        return _event(of, "operator", of.message)
    # cleanup(8) removes what a milter or a table discards; every other end is qmgr's.
    if of.message == "removed" and of.service in ("qmgr", "oqmgr", "nqmgr", "cleanup"):
        return _event(of, "removed")
    return None


def _outcome(of: maillog.LogLine) -> Event | None:
    """The delivery agents: what became of a recipient, or what a server said on the way."""
    told = maillog.delivery(of)
    if told is None:
        return None
    tried = maillog.attempt(of)
    if tried is None:
        words = told.reply.text if told.reply else ""
        own = of.service not in ("smtp", "lmtp")
        return _event(of, "rejected" if own else "reply", words, delivery=told)
    link = _FORWARDED.match(tried.reply) if of.service == "local" and tried.status == "sent" else None
    return _event(
        of,
        "attempt",
        tried.reply,
        attempt=tried,
        delivery=told,
        link=link[1] if link else None,
        link_kind="forward" if link else None,
    )


def _told(of: maillog.LogLine) -> Event:
    if of.service in _NOTIFIERS and (notified := _NOTIFIED.match(of.message)):
        return _event(of, "notified", notified[1], link=notified[2], link_kind=_NOTICES[notified[1]])
    return _event(of, "action" if _ACTION.match(of.message) else "other", of.message)


def _by_another_program(text: str, now: datetime | None) -> Event | None:
    match = _OTHER.match(text)
    if match is None:
        return None
    return Event(maillog.time(match[1], now), match[2], match[3], match[4], "other", text[match.end() :])


# ---- lives --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Life:
    """One message under one queue id, from the first line to the last that the log has of it."""

    queue_id: str
    host: str | None
    events: tuple[Event, ...]

    @property
    def began(self) -> datetime | None:
        return next((e.at for e in self.events if e.at), None)

    @property
    def last(self) -> datetime | None:
        return next((e.at for e in reversed(self.events) if e.at), None)

    @property
    def removed(self) -> bool:
        return any(ends(e) for e in self.events)

    @property
    def whole(self) -> bool:
        """Whether the log has its beginning."""
        return any(e.kind in ("client", "submitted", "message-id") for e in self.events)

    @property
    def client(self) -> Client | None:
        return next((e.client for e in self.events if e.client), None)

    @property
    def submitted(self) -> Event | None:
        return next((e for e in self.events if e.kind == "submitted"), None)

    @property
    def sender(self) -> str | None:
        """The envelope sender; "" is the null sender, None is not known."""
        return next((e.sender for e in self.events if e.sender is not None), None)

    @property
    def size(self) -> int | None:
        return next((e.size for e in self.events if e.size is not None), None)

    @property
    def message_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(e.words for e in self.events if e.kind == "message-id"))

    @property
    def attempts(self) -> tuple[Event, ...]:
        return tuple(e for e in self.events if e.kind == "attempt")

    @property
    def final(self) -> dict[str, Delivery]:
        """The last outcome of each recipient, in the order of their first attempts."""
        return {e.attempt.recipient: e.delivery for e in self.events if e.attempt and e.delivery}


@dataclass(frozen=True, slots=True)
class Link:
    """What one life became: *parent* and *child* are places in the same sequence of lives."""

    kind: LinkKind
    parent: int
    child: int


def lives(events: Iterable[Event]) -> tuple[Life, ...]:
    """The lives that *events* (in the order of the log) tell, in the order of their first lines.

    Short queue ids are used again (postconf(5) enable_long_queue_ids): what comes after `removed`, or is a second
    beginning, is another message.
    """
    told: list[list[Event]] = []
    open_: dict[tuple[str | None, str], list[Event]] = {}
    for each in events:
        key = (each.host, each.queue_id)
        present = open_.get(key)
        if present is None or _another(present, each):
            present = open_[key] = []
            told.append(present)
        present.append(each)
    return tuple(Life(one[0].queue_id, one[0].host, tuple(one)) for one in told)


def ends(event: Event) -> bool:
    """Whether the message is gone from the queue after *event*."""
    return event.kind == "removed" or (event.kind == "operator" and event.words in ("removed", "requeued"))


def _another(present: Sequence[Event], new: Event) -> bool:
    """Whether *new* belongs to another message than *present*, which has the same queue id."""
    born = new.kind in ("client", "submitted")
    if born and any(e.kind in ("client", "submitted", "queued", "message-id") for e in present):
        return True
    gone = next((e for e in reversed(present) if ends(e)), None)
    if gone is None:
        return False
    if new.kind == "message-id":  # a notification or a forward has no client
        return True
    return not (gone.at and new.at and new.at - gone.at <= _STRAGGLES)


def links(of: Sequence[Life]) -> tuple[Link, ...]:
    """How *of* hang together, each link once; none between a life and itself."""
    found: dict[tuple[int, int], Link] = {}
    for number, life in enumerate(of):
        for each in life.events:
            if each.link is None or each.link_kind is None:
                continue
            other = _at_that_time(of, each)
            if other is None or other == number:
                continue
            # What was taken in anew names the old one; all other lines name the new one.
            back = each.kind in ("client", "submitted")
            parent, child = (other, number) if back else (number, other)
            found.setdefault((parent, child), Link(each.link_kind, parent, child))
    first: dict[str, int] = {}
    for number, life in enumerate(of):
        for message_id in life.message_ids:
            parent = first.setdefault(message_id, number)
            known = (parent, number) in found or (number, parent) in found
            if parent != number and not known and tells_apart(message_id):
                found[parent, number] = Link("same-message-id", parent, number)
    return tuple(found.values())


def tells_apart(message_id: str) -> bool:
    """Whether a Message-ID is one: `<>` and the like stand in many messages."""
    return "@" in message_id and len(message_id) > 4


def _at_that_time(of: Sequence[Life], telling: Event) -> int | None:
    """The life of the queue id that *telling* names, of several the one that is nearest in time."""
    named = [n for n, life in enumerate(of) if life.queue_id == telling.link and life.host == telling.host]
    at = telling.at
    if at is None or len(named) < 2:
        return named[0] if named else None
    return min(named, key=lambda n: _distance(of[n], at))


def _distance(life: Life, at: datetime) -> timedelta:
    began, last = life.began, life.last
    if began is None or last is None:
        return timedelta.max
    return max(began - at, at - last, timedelta(0))
