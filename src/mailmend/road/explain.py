"""Deliveries -> Refusals: who refused, why, whose move it is. Offline: a reply is a report, not yet a measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from mailmend import receivers
from mailmend.model import Cause, Delivery, Refusal, Reply
from mailmend.parse import prose, reply, status

if TYPE_CHECKING:
    from mailmend.catalogue import Catalogue

# Deliveries whose meaning is not in the reply: the page of that name says what there is to say.
_BY_SEVERITY = {"delivered": "delivered-notice", "rejected-inbound": "rejected-inbound"}

# What a code says whose definition names one fault alone (RFC 3463, 4954, 7372; IANA's list of enhanced codes).
_BY_STATUS = {
    "1.1": "no-such-user",
    "1.3": "recipient-syntax",
    "1.6": "recipient-moved",
    "1.7": "sender-rejected",
    "1.8": "sender-domain-unresolvable",
    "2.2": "mailbox-full",
    "2.3": "message-too-large",
    "3.1": "receiver-storage",
    "3.4": "message-too-large",
    "3.5": "receiver-misconfigured",
    "4.6": "routing-loop",
    "5.3": "too-many-recipients",
    "7.8": "auth-required",
    "7.20": "dkim-fail",
    "7.21": "dkim-fail",
    "7.22": "dkim-fail",
    "7.23": "spf-fail",
    "7.25": "ptr-missing",
    "7.26": "unauthenticated",
}
_BY_CODE = {530: "auth-required", 534: "auth-required", 535: "auth-required", 538: "auth-required"}

_Key = tuple[str | None, ...]
Progress = Callable[[int, int], None]
_SHORT = 2_400  # bytes of a text without any code that may be a refusal's words
_TELLING = 14  # letters of a rule's words that tell a refusal from a letter
_LINE, _TELLING_LINE = 120, 9  # bytes of what is one line of a program, and the letters that do for it
_WAIT = "Wait:"  # a page's step that is for mail which is still in the queue
_GONE_BACK = (
    "This was refused for good and went back to its sender, so Postfix does not try again: send it again later,"
    " once what is said here has been seen to."
)
_A_WHILE = 250  # deliveries between two calls of it


def deliveries(
    data: bytes, catalogue: Catalogue, note: Callable[[str], None] = lambda _: None
) -> tuple[Delivery, ...]:
    """As `paste.deliveries`; where it finds none, a short text without any code counts as well, if a rule knows it.

    The words must be a rule's that says enough by itself, and long: two words of a letter are no refusal.
    """
    from mailmend.parse import paste

    found = paste.deliveries(data, note)
    if found or len(data) > _SHORT or paste.is_message(data):
        return found
    told = prose.remark(data.decode("utf-8", "replace").replace("\r\n", "\n"))
    if told is None or told.reply is None:
        return ()
    known = receivers.match(told, catalogue.receivers)
    if known is None or known.rule.weak:
        return ()
    enough = _TELLING_LINE if len(data) <= _LINE else _TELLING
    telling = bool(known.rule.token) or max(map(len, known.marks), default=0) >= enough
    return (told,) if telling else ()


def explain(
    deliveries: Iterable[Delivery], catalogue: Catalogue, progress: Progress | None = None
) -> tuple[Refusal, ...]:
    """One Refusal for each thing that was refused, in the order of *deliveries*.

    What says the same thing about the same message and recipient (several attempts, a log line and its
    bounce) is one, and what came back in the end is not also told as put off. What was delivered, and what a server
    said on the way to it, is told only where nothing was refused. A reply that no rule explains is `unknown`, with
    what its codes alone say. *progress* is called with how many are done, of how many.
    """
    told = list(deliveries)
    over = {d.queue_id for d in told if d.severity != "notice" and d.queue_id}
    if any(_refused(d) for d in told):
        told = [d for d in told if _refused(d) or (d.severity == "notice" and d.queue_id not in over)]
    merged: dict[_Key, _Verdict] = {}
    put_off: dict[_Key, list[_Key]] = {}
    for number, delivery in enumerate(told):
        if progress and number % _A_WHILE == 0:
            progress(number, len(told))
        verdict = _judge(delivery, catalogue)
        key = _same(verdict, number)
        if delivery.queue_id and delivery.severity in ("deferred", "bounced"):
            before = put_off.setdefault((delivery.queue_id, delivery.recipient), [])
            if delivery.severity == "deferred":
                before.append(key)
            elif before:
                earlier = [merged.pop(each) for each in dict.fromkeys(before) if each in merged]
                before.clear()
                verdict = _last_reason(verdict, earlier)
        if key in merged:
            verdict.delivery = _join(merged[key].delivery, delivery)
        merged[key] = verdict
    return tuple(_told(verdict, catalogue) for verdict in merged.values())


def _last_reason(verdict: _Verdict, earlier: list[_Verdict]) -> _Verdict:
    """The verdict of what came back: where that was because of the time alone, for what it was put off last."""
    if verdict.cause != receivers.GAVE_UP or not earlier:
        return verdict
    last = earlier[-1]
    last.delivery = replace(last.delivery, severity="bounced")
    last.gave_up = True
    return last


@dataclass(slots=True)
class _Verdict:
    """What the words of a delivery mean, before the page of its cause says what follows.

    *rule* explains it; *marks* are the words that decided, *aside* the cause for which the own server refused.
    """

    delivery: Delivery
    receiver: str | None
    cause: str
    rule: receivers.Rule | None
    marks: tuple[str, ...]
    gave_up: bool
    aside: str | None

    @property
    def by_code(self) -> str | None:
        """The code by which alone the cause is known."""
        said = self.delivery.reply
        if self.rule or said is None or self.cause != _coded(said) or self.delivery.notice:
            return None
        return said.status or str(said.code)


def _refused(delivery: Delivery) -> bool:
    return delivery.severity not in ("delivered", "notice")


def _judge(delivery: Delivery, catalogue: Catalogue) -> _Verdict:
    settled = delivery.notice or _BY_SEVERITY.get(delivery.severity)
    own = delivery.severity == "rejected-inbound"
    who, found = receivers.read(_worded(delivery), catalogue.receivers)
    if settled and not own:
        found = None
    rule = found.rule if found and not own else None
    return _Verdict(
        delivery=delivery,
        receiver=who.id if who else None,
        cause=rule.cause if rule else settled or _unexplained(delivery),
        rule=rule,
        marks=found.marks if found else (),
        gave_up=_gave_up(delivery, found),
        aside=found.rule.cause if found and own else None,
    )


def _worded(delivery: Delivery) -> Delivery:
    """A bounce without any reply says why in its sentence for people, if anywhere."""
    said = delivery.reply
    if (said and said.text) or not delivery.excerpt:
        return delivery
    told = reply.flat(delivery.excerpt)
    return replace(delivery, reply=Reply(said.code if said else None, said.status if said else None, told))


def _unexplained(delivery: Delivery) -> str:
    """What there is to say without a rule: what the code is for, and that it is still being tried."""
    said = delivery.reply
    if said and delivery.severity in ("bounced", "deferred") and (coded := _coded(said)):
        return coded
    silent = said is None or (said.code is None and not said.text)
    return "delayed-notice" if delivery.severity == "deferred" and silent else "unknown"


def _coded(said: Reply) -> str | None:
    """The cause that the code of a reply means, whatever its words are; None where it means several things."""
    return _BY_STATUS.get((said.status or "")[2:]) or _BY_CODE.get(said.code or 0)


def _gave_up(delivery: Delivery, found: receivers.Match | None) -> bool:
    """Whether the queue tried for too long: it says so, or what was refused for now came back for good."""
    if delivery.severity != "bounced":
        return False
    said = delivery.reply
    first = str(said.status or said.code or "") if said else ""
    return bool(found and found.gave_up) or (first.startswith("4") and bool(delivery.reporting_mta))


def _same(verdict: _Verdict, number: int) -> _Key:
    """What two refusals have in common that are one: the message (or the very words), recipient and cause."""
    delivery = verdict.delivery
    words = delivery.reply.text if delivery.reply else ""
    message = delivery.queue_id or words or str(number)
    return (message, (delivery.recipient or "").lower(), verdict.cause, "" if delivery.queue_id else words)


def _join(before: Delivery, after: Delivery) -> Delivery:
    """The later of two tellings, with what only the earlier one knew."""
    gaps = {
        field.name: getattr(before, field.name)
        for field in fields(Delivery)
        if getattr(after, field.name) in (None, "") and getattr(before, field.name) is not None
    }
    return replace(after, **gaps)


def _told(verdict: _Verdict, catalogue: Catalogue) -> Refusal:
    page = catalogue.causes[verdict.cause]
    rule, delivery = verdict.rule, verdict.delivery
    moved = delivery.forwarded is True
    return Refusal(
        delivery=delivery,
        receiver=verdict.receiver,
        cause=verdict.cause,
        ambiguous=rule.ambiguous if rule else (verdict.aside,) if verdict.aside else (),
        who=(moved and page.forwarded_who) or _who(verdict, page),
        steps=_steps((moved and page.forwarded_steps) or page.steps, delivery),
        remedies=page.forwarded_remedies if moved and page.forwarded_remedies is not None else page.remedies,
        checks=(rule and rule.checks) or page.checks,
        source=rule.source if rule else "RFC 3463" if verdict.by_code else next(iter(page.sources), None),
        standing="reported",
        marks=verdict.marks,
        summary=_sentence(verdict, page, catalogue),
        gave_up=verdict.gave_up,
    )


def _who(verdict: _Verdict, page: Cause) -> tuple[str, ...]:
    """Who must act: nobody yet on what nothing explains, as long as a server itself asks for another attempt."""
    said = verdict.delivery.reply
    put_off = verdict.delivery.severity == "deferred" and said is not None and (said.code or 0) // 100 == 4
    return ("nobody",) if verdict.cause == "unknown" and put_off else page.who


def _steps(steps: tuple[str, ...], delivery: Delivery) -> tuple[str, ...]:
    """*steps* as they fit what became of the mail: nobody tries again what has gone back to its sender."""
    if delivery.severity != "bounced" or not any(step.startswith(_WAIT) for step in steps):
        return steps
    return (_GONE_BACK, *(step for step in steps if not step.startswith(_WAIT)))


def _sentence(verdict: _Verdict, page: Cause, catalogue: Catalogue) -> str:
    told = _unknown(verdict) if verdict.cause == "unknown" else _summary(verdict, page, catalogue)
    if verdict.by_code:
        told += f"; no rule here knows its words, but that is what {verdict.by_code} stands for"
    if verdict.aside:
        title = catalogue.causes[verdict.aside].title
        told += f": {title[:1].lower()}{title[1:]}"
    if verdict.gave_up and verdict.cause != "queue-expired":
        told += "; the queue tried until it gave up, and this is its last reason"
    return told


def _summary(verdict: _Verdict, page: Cause, catalogue: Catalogue) -> str:
    delivery = verdict.delivery
    sentence = page.summary or "{receiver}: " + page.title
    return sentence.format(
        receiver=_receiver(verdict, catalogue),
        source=delivery.source_ip or "this host's address",
        domain=_domain(delivery) if "{domain}" in sentence else "",
        recipient=delivery.recipient or "the recipient",
    )


def _domain(delivery: Delivery) -> str:
    """The domain that the reply is about: as it says itself, or else the sender's."""
    named = reply.domain(delivery.reply.text) if delivery.reply else None
    return named or (delivery.sender or "").rpartition("@")[2] or "the sender's domain"


def _receiver(verdict: _Verdict, catalogue: Catalogue) -> str:
    relay = verdict.delivery.relay
    return catalogue.receiver_names.get(verdict.receiver or "") or (
        relay.host if relay and relay.host else "the receiver"
    )


def _unknown(verdict: _Verdict) -> str:
    """Nothing is guessed: what no rule explains is told as the codes tell it."""
    said, relay = verdict.delivery.reply, verdict.delivery.relay
    host = (relay.host or relay.ip) if relay else None
    did = "did not take the mail yet" if verdict.delivery.severity == "deferred" else "refused the mail"
    code, enhanced = (said.code, said.status) if said else (None, None)
    return f"{host or 'the receiver'} {did}, in words that no rule here knows; {status.says(code, enhanced)}"
