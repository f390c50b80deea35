"""What waits in the queue, as Postfix's or sendmail's mailq or postqueue(1) -j tells it -> Deliveries, deferred."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from mailmend.model import Delivery, Relay, Reply
from mailmend.parse import documents, prose, reply

_ENTRY = re.compile(
    r"^([0-9A-Za-z]{5,30})[*!#]? {1,12}\d{1,12} [A-Z][a-z]{2}"
    r" [A-Z][a-z]{2} [ \d]\d \d\d:\d\d(?::\d\d)? {1,4}<?([^\s<>]{1,320})>?",
    re.MULTILINE,
)
_RECIPIENT = re.compile(r"[ \t]{1,60}<?([^\s()<>]{1,320})>?$")


def deliveries(text: str) -> tuple[Delivery, ...]:
    """The recipients that wait, each with the reply of its last attempt; () where *text* is no such list."""
    if text.lstrip()[:1] in ("{", "["):
        return tuple(d for d in _json(text) if d.reply) if '"queue_id"' in text else ()
    return tuple(d for d in _list(text) if d.reply) if "(" in text and _ENTRY.search(text) else ()


def _list(text: str) -> Iterator[Delivery]:
    queue_id = sender = None
    reason = ""
    whole = True  # whether the reason's closing parenthesis was seen; a terminal may have wrapped it
    for line in text.split("\n"):
        entry = _ENTRY.match(line)
        if entry:
            queue_id, sender, reason, whole = entry[1], entry[2], "", True
        elif queue_id and (not whole or line.lstrip().startswith("(")):
            reason = f"{'' if whole else reason} {line.strip()}"
            whole = line.rstrip().endswith(")") or len(reason) > reply.LONGEST
            reason = reason[: reply.LONGEST]
        elif queue_id and (recipient := _RECIPIENT.match(line)):
            yield _waiting(queue_id, sender, recipient[1], reason.strip("() "))
        elif not line.strip():
            queue_id = None


def _json(text: str) -> Iterator[Delivery]:
    for document in documents.read(text):
        for entry in document if isinstance(document, list) else (document,):
            if isinstance(entry, dict) and isinstance(entry.get("recipients"), list) and "queue_id" in entry:
                yield from _entry(entry)


def _entry(entry: dict[str, Any]) -> Iterator[Delivery]:
    queue_id, sender = _text(entry.get("queue_id")), _text(entry.get("sender"))
    for recipient in entry["recipients"]:
        if isinstance(recipient, dict):
            reason = _text(recipient.get("delay_reason")) or ""
            yield _waiting(queue_id, sender, _text(recipient.get("address")), reason)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _waiting(queue_id: str | None, sender: str | None, recipient: str | None, reason: str) -> Delivery:
    said, relay, source_ip = _told(reason)
    return Delivery(
        severity="deferred",
        recipient=recipient,
        reply=said,
        relay=relay,
        sender="" if sender == "MAILER-DAEMON" else sender,
        source_ip=source_ip,
        queue_id=queue_id,
        excerpt=reason,
    )


@lru_cache(maxsize=256)
def _told(reason: str) -> tuple[Reply | None, Relay | None, str | None]:
    """A reason read once, however many recipients wait for it."""
    return reply.parse(reason), prose.relay(reason[: reply.LONGEST]), reply.source_ip(reason)
