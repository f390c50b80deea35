"""What became of a message: events, lives, and how they hang together; trace/1 and, line by line, trace-event/1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.show.bounces import delivery, refusal
from mailmend.ui.show.common import Shape, document, moment

if TYPE_CHECKING:
    from mailmend.jobs.trace import Traced
    from mailmend.jobs.trace_live import Seen
    from mailmend.model import Refusal
    from mailmend.parse.lives import Client, Event, Life

_DELAYS = ("before_queue", "in_queue", "connecting", "sending")


def trace(told: Traced) -> Shape:
    """trace/1. A link's `parent` and `child` are places in `messages`."""
    return document(
        "trace",
        {
            "asked": {"kind": told.asked.kind, "word": told.asked.word},
            "searched": {
                "files": [str(path) for path in told.searched.paths],
                "journal": not told.searched.paths,
                "bytes": told.searched.bytes_read,
                "since": moment(told.searched.since),
            },
            "messages": [
                {**life(each, told), "asked_for": number in told.asked_for}
                for number, each in enumerate(told.lives)
            ],
            "links": [{"kind": each.kind, "parent": each.parent, "child": each.child} for each in told.links],
            "rejected": [refusal(each) for each in told.rejected],
            "older": {"messages": told.more, "rejected": told.more_rejected},
            "notices": list(told.notices),
        },
    )


def life(of: Life, told: Traced) -> Shape:
    """One message. `state` is removed, waiting, gone or, where the queue was not looked at, unknown."""
    submitted = of.submitted
    return {
        "queue_id": of.queue_id,
        "host": of.host,
        "began": moment(of.began),
        "last": moment(of.last),
        "whole": of.whole,
        "state": state(of, told),
        "queue": (told.waiting or {}).get(of.queue_id),
        "client": client(of.client),
        "submitted": {"uid": submitted.uid, "sender": submitted.sender} if submitted else None,
        "sender": of.sender,
        "size": of.size,
        "message_ids": list(of.message_ids),
        "recipients": [delivery(each) for each in of.final.values()],
        "events": [event(e, told.refusals.get(e.delivery) if e.delivery else None) for e in of.events],
    }


def state(of: Life, told: Traced) -> str:
    if of.removed:
        return "removed"
    if told.waiting is None:
        return "unknown"
    return "waiting" if of.queue_id in told.waiting else "gone"


def event(of: Event, explained: Refusal | None) -> Shape:
    return {
        "at": moment(of.at),
        "kind": of.kind,
        "service": of.service,
        "words": of.words,
        "link": {"kind": of.link_kind, "queue_id": of.link} if of.link else None,
        **({"client": client(of.client)} if of.client else {}),
        **({"delivery": delivery(of.delivery)} if of.delivery else {}),
        **(_attempt(of) if of.attempt else {}),
        **({"refusal": refusal(explained)} if explained else {}),
    }


def followed(seen: Seen) -> Shape:
    """trace-event/1: one event of `trace --follow`."""
    return document(
        "trace-event",
        {
            "queue_id": seen.event.queue_id,
            "host": seen.event.host,
            "sender": seen.event.sender,
            "size": seen.event.size,
            **event(seen.event, seen.refusal),
        },
    )


def client(who: Client | None) -> Shape | None:
    if who is None:
        return None
    return {
        "host": who.host,
        "ip": who.ip,
        "sasl_method": who.sasl_method,
        "sasl_username": who.sasl_username,
        "sasl_sender": who.sasl_sender,
        "orig_queue_id": who.orig_queue_id,
        "orig_client": who.orig_client,
    }


def _attempt(of: Event) -> Shape:
    tried = of.attempt
    parts = delays(tried.delays if tried else None)
    return {
        "status": tried.status if tried else None,
        "dsn": tried.dsn if tried else None,
        "tls": tried.tls if tried else None,
        "delays": dict(zip(_DELAYS, parts, strict=True)) if parts else None,
    }


def delays(text: str | None) -> tuple[float, float, float, float] | None:
    """`delays=a/b/c/d`, in seconds: before the queue manager, in the queue, connecting, sending (postconf(5))."""
    try:
        before, queued, connecting, sending = (float(part) for part in (text or "").split("/"))
    except ValueError:
        return None
    return before, queued, connecting, sending
