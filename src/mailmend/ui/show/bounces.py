"""What a bounce says and what it means: replies, deliveries, refusals, causes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mailmend.road.group import grouped
from mailmend.ui.show.common import Shape, document, moment
from mailmend.ui.show.looks import finding

if TYPE_CHECKING:
    from mailmend.model import Cause, Delivery, Finding, Refusal, Relay, Reply
    from mailmend.road.group import Group


def reply(said: Reply | None) -> Shape:
    return {
        "code": said.code if said else None,
        "status": said.status if said else None,
        "text": said.text if said else None,
    }


def relay(host: Relay | None) -> Shape:
    return {
        "host": host.host if host else None,
        "ip": host.ip if host else None,
        "family": host.family if host else None,
    }


def delivery(attempt: Delivery) -> Shape:
    return {
        "recipient": attempt.recipient,
        "original_recipient": attempt.original_recipient,
        "sender": attempt.sender,
        "relay": relay(attempt.relay),
        "source_ip": attempt.source_ip,
        "reply": reply(attempt.reply),
        "severity": attempt.severity,
        "notice": attempt.notice,
        "forwarded": attempt.forwarded,
        "reporting_mta": attempt.reporting_mta,
        "queue_id": attempt.queue_id,
        "at": moment(attempt.at),
    }


def refusal(told: Refusal) -> Shape:
    """A delivery with its explanation; the keys of explain/1."""
    return {
        **delivery(told.delivery),
        "receiver": told.receiver,
        "summary": told.summary,
        "cause": told.cause or "unknown",
        "ambiguous": list(told.ambiguous),
        "who": list(told.who),
        "steps": list(told.steps),
        "remedies": list(told.remedies),
        "checks": list(told.checks),
        "marks": list(told.marks),
        "gave_up": told.gave_up,
        "source": told.source,
        "standing": told.standing,
    }


def explanation(refusals: Sequence[Refusal], findings: Iterable[Finding] | None = None) -> Shape:
    """explain/1; *findings* where the deciding checks were run as well. `groups` count what is alike."""
    content: Shape = {
        "refusals": [refusal(r) for r in refusals],
        "groups": [group(each) for each in grouped(refusals)],
    }
    if findings is not None:
        content["findings"] = [finding(f) for f in findings]
    return document("explain", content)


def group(alike: Group) -> Shape:
    """How many refusals one explanation holds for, and the reply of one of them."""
    return {
        "cause": alike.cause,
        "receiver": alike.receiver,
        "count": len(alike.refusals),
        "who": list(alike.refusals[0].who),
        "example": reply(alike.refusals[0].delivery.reply),
    }


def cause(known: Cause) -> Shape:
    return {
        "id": known.id,
        "title": known.title,
        "who": list(known.who),
        "kind": known.kind,
        "coarse": known.coarse,
        "steps": list(known.steps),
        "checks": list(known.checks),
        "remedies": list(known.remedies),
        "sources": list(known.sources),
        "page": known.page,
    }
