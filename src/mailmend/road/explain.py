"""Deliveries -> Refusals: who refused, why, whose move it is. Offline: a reply is a report, not yet a measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from mailmend import receivers
from mailmend.model import Cause, Delivery, Refusal, Reply
from mailmend.parse import reply, status

if TYPE_CHECKING:
    from mailmend.catalogue import Catalogue

# Deliveries whose meaning is not in the reply: the page of that name says what there is to say.
_BY_SEVERITY = {"delivered": "delivered-notice", "rejected-inbound": "rejected-inbound"}

Progress = Callable[[int, int], None]
_A_WHILE = 250  # deliveries between two calls of it


def explain(
    deliveries: Iterable[Delivery], catalogue: Catalogue, progress: Progress | None = None
) -> tuple[Refusal, ...]:
    """One Refusal for each thing that was refused, in the order of *deliveries*.

    What says the same thing about the same message and recipient (several attempts, a log line and its
    bounce) is one. What was delivered, and what a server said on the way to it, is told only where
    nothing was refused. A reply that no rule explains is `unknown`, with what its codes alone say. *progress* is
    called with how many are done, of how many.
    """
    told = list(deliveries)
    over = {d.queue_id for d in told if d.severity != "notice" and d.queue_id}
    if any(_refused(d) for d in told):
        told = [d for d in told if _refused(d) or (d.severity == "notice" and d.queue_id not in over)]
    merged: dict[tuple[str | None, ...], Refusal] = {}
    for number, delivery in enumerate(told):
        if progress and number % _A_WHILE == 0:
            progress(number, len(told))
        refusal = _explain(delivery, catalogue)
        key = _same(refusal, number)
        before = merged.get(key)
        merged[key] = replace(refusal, delivery=_join(before.delivery, delivery)) if before else refusal
    return tuple(_finish(refusal, catalogue) for refusal in merged.values())


def _refused(delivery: Delivery) -> bool:
    return delivery.severity not in ("delivered", "notice")


def _explain(delivery: Delivery, catalogue: Catalogue) -> Refusal:
    """The refusal with its cause; the page's part comes when all that is known of it is joined."""
    settled = delivery.notice or _BY_SEVERITY.get(delivery.severity)
    own = delivery.severity == "rejected-inbound"
    # Why the own server refused is worth a word in the sentence, too.
    who, found = receivers.read(_worded(delivery), catalogue.receivers)
    if settled and not own:
        found = None
    rule = found.rule if found and not own else None
    return Refusal(
        delivery=delivery,
        receiver=who.id if who else None,
        cause=rule.cause if rule else settled or _unexplained(delivery),
        ambiguous=rule.ambiguous if rule else (),
        who=(),
        steps=(),
        remedies=(),
        checks=rule.checks if rule else (),
        source=rule.source if rule else None,
        standing="reported",
        marks=found.marks if found else (),
        summary=found.rule.cause if found and own else "",
        gave_up=_gave_up(delivery, found),
    )


def _worded(delivery: Delivery) -> Delivery:
    """A bounce without any reply says why in its sentence for people, if anywhere."""
    said = delivery.reply
    if (said and said.text) or not delivery.excerpt:
        return delivery
    told = reply.flat(delivery.excerpt)
    return replace(delivery, reply=Reply(said.code if said else None, said.status if said else None, told))


def _unexplained(delivery: Delivery) -> str:
    """What there is to say without a rule: a notice that it is still being tried needs none."""
    silent = delivery.reply is None or not delivery.reply.text
    return "delayed-notice" if delivery.severity == "deferred" and silent else "unknown"


def _gave_up(delivery: Delivery, found: receivers.Match | None) -> bool:
    """Whether the queue tried for too long: it says so, or what was refused for now came back for good."""
    if delivery.severity != "bounced":
        return False
    said = delivery.reply
    first = str(said.status or said.code or "") if said else ""
    return bool(found and found.gave_up) or (first.startswith("4") and bool(delivery.reporting_mta))


def _same(refusal: Refusal, number: int) -> tuple[str | None, ...]:
    """What two refusals have in common that are one: the message (or the very words), recipient and cause."""
    delivery = refusal.delivery
    words = delivery.reply.text if delivery.reply else ""
    message = delivery.queue_id or words or str(number)
    return (message, (delivery.recipient or "").lower(), refusal.cause, "" if delivery.queue_id else words)


def _join(before: Delivery, after: Delivery) -> Delivery:
    """The later of two tellings, with what only the earlier one knew."""
    gaps = {
        field.name: getattr(before, field.name)
        for field in fields(Delivery)
        if getattr(after, field.name) in (None, "") and getattr(before, field.name) is not None
    }
    return replace(after, **gaps)


def _finish(refusal: Refusal, catalogue: Catalogue) -> Refusal:
    page = catalogue.causes[refusal.cause]
    delivery = refusal.delivery
    summary = _unknown(refusal) if refusal.cause == "unknown" else _summary(page, refusal, catalogue)
    if refusal.summary:  # the own server's reason
        title = catalogue.causes[refusal.summary].title
        summary += f": {title[:1].lower()}{title[1:]}"
    if refusal.gave_up and refusal.cause != "queue-expired":
        summary += "; the queue tried until it gave up, and this is its last reason"
    moved = delivery.forwarded is True
    return replace(
        refusal,
        who=(moved and page.forwarded_who) or page.who,
        steps=(moved and page.forwarded_steps) or page.steps,
        remedies=(moved and page.forwarded_remedies) or page.remedies,
        checks=refusal.checks or page.checks,
        source=refusal.source or next(iter(page.sources), None),
        summary=summary,
    )


def _summary(page: Cause, refusal: Refusal, catalogue: Catalogue) -> str:
    delivery = refusal.delivery
    sentence = page.summary or "{receiver}: " + page.title
    return sentence.format(
        receiver=_receiver(refusal, catalogue),
        source=delivery.source_ip or "this host's address",
        domain=_domain(delivery) if "{domain}" in sentence else "",
        recipient=delivery.recipient or "the recipient",
    )


def _domain(delivery: Delivery) -> str:
    """The domain that the reply is about: as it says itself, or else the sender's."""
    named = reply.domain(delivery.reply.text) if delivery.reply else None
    return named or (delivery.sender or "").rpartition("@")[2] or "the sender's domain"


def _receiver(refusal: Refusal, catalogue: Catalogue) -> str:
    relay = refusal.delivery.relay
    return catalogue.receiver_names.get(refusal.receiver or "") or (
        relay.host if relay and relay.host else "the receiver"
    )


def _unknown(refusal: Refusal) -> str:
    """Nothing is guessed: what no rule explains is told as the codes tell it."""
    said = refusal.delivery.reply
    host = refusal.delivery.relay.host if refusal.delivery.relay else None
    code, enhanced = (said.code, said.status) if said else (None, None)
    return f"no rule explains what {host or 'the receiver'} said; {status.says(code, enhanced)}"
