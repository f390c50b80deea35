"""The screen of trace: one message after the other, each a time line from its client to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from mailmend.ui.says import nth, size, span, stamp, times
from mailmend.ui.screens.explaining import SEVERITY, marked
from mailmend.ui.show.traces import delays, state
from mailmend.ui.terminal import (
    FAINT,
    STRONG,
    WIDEST,
    columns,
    command,
    fill,
    heading,
    joined,
    mark,
    pairs,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.trace import Traced
    from mailmend.jobs.trace_live import Seen
    from mailmend.model import Refusal
    from mailmend.parse.lives import Client, Event, Life

_IN_FULL = 3  # messages that are told whole; of more there is a table before the newest
_LINES = 4  # of a reply; --json has all of it
_FAMILY = {"ipv4": "IPv4", "ipv6": "IPv6", None: ""}
_STAMP = 15  # cells of `Nov 22 10:56:24`
_NOTICE = {
    "non-delivery": "that it was not delivered",
    "delay": "that it is late",
    "delivery status": "what became of it",
}
_BECAME = {
    "bounce": "the bounce of {}",
    "delay-notice": "the notice that {} is late",
    "status-notice": "the delivery status of {}",
    "forward": "forwarded from {}",
    "requeue": "{}, taken anew into the queue",
    "reinjection": "{}, back from a content filter",
    "same-message-id": "has the Message-ID of {}",
}


def traced(target: Console, told: Traced) -> None:
    wanted = told.asked_for
    shown = range(len(told.lives))
    if len(wanted) > _IN_FULL:
        _table(target, told, wanted)
        newest = wanted[-1]
        shown = range(newest, newest + 1)
        heading(target, "The newest")
    for number in shown:
        if number != shown[0]:
            target.print()
        _life(target, told, number)
    if told.rejected:
        _rejected(target, told)
    for notice in told.notices:
        say(target, words(notice, FAINT))
    _next(target, told)


def nothing(target: Console, told: Traced) -> None:
    """What was searched for, and where: then one can tell why it is not there."""
    since = f", since {told.searched.since:%Y-%m-%d %H:%M}" if told.searched.since else ""
    read = size(told.searched.bytes_read)
    say(target, f"Nothing about {told.asked.word} in {told.searched} ({read} searched{since}).")
    say(
        target,
        "It may have been rotated away, or be in another server's log: give the files, also packed ones, after the id."
        if told.asked.kind == "queue-id"
        else "An address is looked for as the log has it, after aliases and rewriting too; a Message-ID to the letter.",
    )


def followed(target: Console, seen: Seen) -> None:
    """One event as it happens."""
    text = _event(seen.event)
    if text is None:
        return
    lead = joined(words(stamp(seen.event.at), FAINT), " ", words(seen.event.queue_id, STRONG), "  ")
    say(target, text, first=lead)
    _reply(target, seen.refusal, 2)


# ---- one message --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _End:
    """How a message ended, as a mark and in words."""

    mark: str
    says: str


def _life(target: Console, told: Traced, number: int) -> None:
    life = told.lives[number]
    end = _end(life, told)
    kin = [
        _BECAME[link.kind].format(told.lives[link.parent].queue_id)
        for link in told.links
        if link.child == number
    ]
    whose = f" ({'; '.join(kin)})" if kin else ""
    lead = joined(mark(target, end.mark), " ", words(life.queue_id, STRONG), "  ")
    say(target, words(f"{end.says}{_after(life)}{whose}", STRONG), first=lead)
    pairs(
        target,
        [
            ("from", _from(life)),
            ("to", ", ".join(_recipients(life))),
            ("Message-ID", ", ".join(life.message_ids)),
            ("log", "" if life.whole else "its beginning is not in it"),
        ],
        indent=4,
    )
    day = None
    for event, text, refusal in _told(life, told):
        whole = stamp(event.at)
        shown = whole if whole[:6] != day else whole[7:]
        day = whole[:6]
        say(target, text, indent=4, first=words(f"{shown.rjust(_STAMP)}  ", FAINT))
        _reply(target, refusal, 4 + _STAMP + 2)


def _told(life: Life, told: Traced) -> Iterator[tuple[Event, Text, Refusal | None]]:
    """The events that say something; attempts that went alike as the first and the last of them."""
    alike: dict[object, list[Event]] = {}
    for event in life.attempts:
        alike.setdefault(_alike(event, told), []).append(event)
    taken_up = False
    for event in life.events:
        if event.kind == "queued":
            if taken_up:
                continue
            taken_up = True
        refusal = told.refusals.get(event.delivery) if event.delivery else None
        text = _event(event)
        if text is None:
            continue
        same = alike.get(_alike(event, told), []) if event.kind == "attempt" else []
        if len(same) > 2:
            if event is not same[0] and event is not same[-1]:
                continue
            if event is same[-1]:
                text.append_text(words(f"; so for the {nth(len(same))} time", FAINT))
        if same and event is not same[0]:
            refusal = None  # it is the same again
        yield event, text, refusal


def _alike(event: Event, told: Traced) -> object:
    delivery = event.delivery
    refusal = told.refusals.get(delivery) if delivery else None
    if delivery is None:
        return None
    text = delivery.reply.text if delivery.reply and refusal and refusal.cause == "unknown" else ""
    family = delivery.relay.family if delivery.relay else None
    return delivery.recipient, delivery.severity, family, refusal.cause if refusal else "", text


def _end(life: Life, told: Traced) -> _End:
    final = list(life.final.values())
    bounced = [d for d in final if d.severity == "bounced"]
    sent = [d for d in final if d.severity == "delivered"]
    given_up = any(e.kind == "expired" for e in life.events)
    by_hand = next(
        (e for e in life.events if e.kind == "operator" and e.words in ("removed", "requeued")), None
    )
    discarded = any(e.kind in ("action", "rejected") and "discard" in e.words[:20] for e in life.events)
    if not life.removed:
        return _unfinished(life, told)
    if by_hand:
        return _End(
            "unknown", "deleted by hand" if by_hand.words == "removed" else "taken out to be queued anew"
        )
    if given_up:
        return _End("problem", "given up, returned to the sender")
    if bounced:
        return _End(
            "problem", "bounced" if len(bounced) == len(final) else f"{len(bounced)} of {len(final)} bounced"
        )
    if sent:
        return _End("fine", "delivered")
    return _End("unknown", "discarded" if discarded else "removed, and the log has no delivery of it")


def _unfinished(life: Life, told: Traced) -> _End:
    tries = f", tried {times(len(life.attempts))}" if life.attempts else ""
    now = state(life, told)
    if now == "waiting":
        return _End("pending", f"still in the queue ({(told.waiting or {})[life.queue_id]}){tries}")
    if now == "gone":
        return _End("unknown", f"not in the queue any more, and the log does not say why{tries}")
    final = [d.severity for d in life.final.values()]
    if not final and any(e.kind == "rejected" for e in life.events):
        return _End("problem", "refused by this server")
    if not final or "deferred" in final:
        return _End("pending" if final else "unknown", f"its end is not in the log{tries}")
    if "bounced" in final:
        return _End("problem", "bounced, and its end is not in the log")
    return _End("fine", "delivered, and its end is not in the log")


def _event(event: Event) -> Text | None:
    """What happened, in a sentence; None for what stands above the time line."""
    if event.kind == "message-id":
        return None
    if event.kind == "attempt":
        return _attempt(event)
    if event.kind == "client" and event.client:
        return joined("received from ", *_client(event.client))
    if event.kind == "notified":
        of_what = _NOTICE.get(event.words, event.words)
        return joined(f"the sender is told {of_what}: ", words(event.link or "", STRONG))
    return words(_sentence(event))


def _sentence(event: Event) -> str:
    relay = event.delivery.relay if event.delivery else None
    if event.kind == "reply" and relay:
        return f"not taken by {relay.host} [{relay.ip}]{_over(relay.family)}; the next address is tried"
    if event.kind == "queued":
        count = f"{event.recipients} recipient{'s' if event.recipients != 1 else ''}"
        return f"in the queue: {size(event.size or 0)} for {count}"
    if event.kind == "submitted":
        again = f"queued anew; it was {event.link} before"
        return again if event.link else f"submitted on this host by the user with number {event.uid}"
    fixed = {
        "rejected": "refused by this server",
        "expired": "given up: it was in the queue for too long",
        "operator": f"by hand (postsuper): {event.words}",
        "removed": "removed from the queue",
    }
    return fixed.get(event.kind) or f"{event.service}: {event.words[:400]}"


def _attempt(event: Event) -> Text:
    delivery, tried = event.delivery, event.attempt
    if delivery is None or tried is None:
        return Text()
    parts: list[str | Text] = [words(tried.recipient, STRONG)]
    if tried.original_recipient and tried.original_recipient != tried.recipient:
        parts.append(f" (written to {tried.original_recipient})")
    parts += [" ", words(tried.status, SEVERITY[delivery.severity])]
    if event.link:
        parts += [", forwarded as ", words(event.link, STRONG)]
    relay = tried.relay
    if relay and (relay.host or relay.ip):
        address = f" [{relay.ip}]" if relay.ip else ""
        parts.append(f" by {relay.host or 'a host'}{address}{_over(relay.family)}")
    parts.append(_slow(tried.delays))
    return joined(*parts)


def _slow(text: str | None) -> str:
    """Where the time went, if it took long: postconf(5) delay_logging_resolution_limit."""
    parts = delays(text)
    if parts is None or sum(parts) < 1:
        return ""
    names = ("before this try", "in the queue", "connecting", "sending")
    longest = max(range(4), key=lambda n: parts[n])
    return f", after {span(sum(parts))} ({span(parts[longest])} of it {names[longest]})"


def _reply(target: Console, refusal: Refusal | None, indent: int) -> None:
    """The receiver's words, as many as fit in four lines, and what they mean."""
    if refusal is None:
        return
    width = max(min(target.width, WIDEST) - indent, 20)
    lines = fill(marked(refusal), width)
    for line in lines[:_LINES]:
        target.print(Text(" " * indent) + line)
    if len(lines) > _LINES:
        target.print(Text(" " * indent + "...", FAINT))
    if refusal.cause != "unknown" and refusal.summary:
        say(target, joined(words(f"{refusal.cause}: ", STRONG), refusal.summary), indent=indent)


def _client(client: Client) -> tuple[str | Text, ...]:
    said: list[str | Text] = [f"{client.host or 'a host without a name'} [{client.ip}]"]
    if client.sasl_username:
        said += [", authenticated as ", words(client.sasl_username, STRONG)]
    if client.orig_client:
        said.append(f", which had it from {client.orig_client}")
    if client.orig_queue_id:
        said.append(f" as {client.orig_queue_id}")
    return tuple(said)


def _from(life: Life) -> str:
    sender = life.sender
    if sender is None:
        return ""
    return sender or "<> (a notification: it has no sender to return to)"


def _recipients(life: Life) -> list[str]:
    """Whom it was written to; of many the first ones."""
    final = life.final.values()
    names = list(dict.fromkeys(d.original_recipient or d.recipient or "?" for d in final))
    return names if len(names) <= 5 else [*names[:5], f"{len(names) - 5} more"]


# ---- many, and none -----------------------------------------------------------------------


def _table(target: Console, told: Traced, wanted: Sequence[int]) -> None:
    older = f"; {told.more} older ones are not told" if told.more else ""
    say(target, words(f"{len(wanted)} messages about {told.asked.word}{older}", STRONG))
    target.print()
    rows = []
    for number in wanted:
        life = told.lives[number]
        end = _end(life, told)
        says = joined(mark(target, end.mark), " ", end.says.partition(", ")[0])
        who = life.sender or ("<>" if life.sender == "" else "?")
        rows.append(
            (stamp(life.began), life.queue_id, says, f"{who} to {', '.join(_recipients(life)) or '?'}")
        )
    columns(target, rows)


def _rejected(target: Console, told: Traced) -> None:
    older = f" ({told.more_rejected} older ones are not told)" if told.more_rejected else ""
    heading(target, f"Not let in by this server{older}")
    for refusal in told.rejected[-_IN_FULL * 3 :]:
        delivery = refusal.delivery
        who = f"from {delivery.sender or '<>'} to {delivery.recipient or '?'}, by {delivery.source_ip}"
        say(target, who, indent=2, first=words(f"{stamp(delivery.at)}  ", FAINT))
        for line in fill(marked(refusal), max(min(target.width, WIDEST) - 4 - _STAMP, 20))[:_LINES]:
            target.print(Text(" " * (4 + _STAMP)) + line)


def _next(target: Console, told: Traced) -> None:
    rows: list[tuple[str | Text, str | Text]] = []
    waiting = [life.queue_id for life in told.lives if state(life, told) == "waiting"]
    if waiting:
        rows.append((command(f"mailmend trace --follow {waiting[0]}"), "shows what comes, as it happens"))
    causes = dict.fromkeys(
        r.cause
        for r in told.refusals.values()
        if r.cause != "unknown" and r.delivery.severity in ("bounced", "deferred")
    )
    rows += [
        (command(f"mailmend explain --cause {cause}"), "what it is, and what to do")
        for cause in list(causes)[:2]
    ]
    if len(told.asked_for) > _IN_FULL:
        rows.append((command("mailmend trace QUEUE-ID"), "one of them whole; --json has all of it"))
    if rows:
        heading(target, "Go on with")
        columns(target, rows)


def _after(life: Life) -> str:
    began, last = life.began, life.last
    if began is None or last is None or (last - began).total_seconds() < 1:
        return ""
    return f" after {span((last - began).total_seconds())}"


def _over(family: str | None) -> str:
    return f" over {_FAMILY[family]}" if family else ""
