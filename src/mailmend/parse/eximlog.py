"""Lines of Exim's main and reject log -> Deliveries (Exim's specification, chapter "Log files").

2026-11-22 10:00:02 1vMabc-000000012Ab-3cDe ** reader@example.com R=dnslookup T=remote_smtp
    H=mx.example.com [192.0.2.25]: SMTP error from remote mail server after RCPT TO:<...>: 550 5.1.1 ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from mailmend.model import Delivery, Relay, Severity, family_of
from mailmend.parse import prose, reply

LINE_CAP = 8192

_LINE = re.compile(
    r"(?:.{0,120}?\bexim\d?\[\d{1,10}\]: )?(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d{4})?) )?"
    r"(?:\[\d{1,10}\] )?"
    r"(?:([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) )?(<=|=>|->|>>|\*>|\*\*|==|H=)( ?)(.*)"
)
_ADDRESS = re.compile(r"(\S{1,320}?)(?:: | <([^<>\s]{1,320})>| (?=[A-Z]{1,3}=|defer )|$)")
_HOST = re.compile(r"(?:^| )H=([^\s\[]{1,255}) \[([0-9A-Fa-f:.]{2,45})\]")
_SENDER = re.compile(r"(?:^| )F=<([^<>\s]{0,320})>")
_REFUSED = re.compile(r" (?:temporarily )?rejected (?:after )?([A-Z]{3,10})\b ?(?:<([^<>\s]{1,320})>)?(.*)")
_CLIENT = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\]")
_FLAGS: dict[str, Severity] = {
    "**": "bounced",
    "==": "deferred",
    "=>": "delivered",
    "->": "delivered",
    ">>": "delivered",
}


def deliveries(lines: Iterable[str]) -> tuple[Delivery, ...]:
    """What each line of *lines* tells of a recipient, with the sender that the same message's `<=` line has."""
    senders: dict[str, str] = {}
    found: list[Delivery] = []
    for text in lines:
        line = _LINE.match(text[:LINE_CAP])
        if line is None:
            continue
        stamp, message, flag, blank, rest = line.groups()
        if flag == "H=":
            told = _rejected(f"{flag}{blank}{rest}", message, stamp, text[:LINE_CAP])
        elif flag == "<=" or not blank:
            if message and flag == "<=":
                senders[message] = rest.split(" ", 1)[0].replace("<>", "")
            continue
        else:
            told = _attempt(_FLAGS.get(flag), rest, message, stamp, text[:LINE_CAP])
        if told:
            found.append(told)
    return tuple(replace(d, sender=senders[d.queue_id]) if d.queue_id in senders else d for d in found)


def _attempt(
    severity: Severity | None, rest: str, message: str | None, stamp: str | None, text: str
) -> Delivery | None:
    address = _ADDRESS.match(rest)
    if severity is None or address is None or "@" not in address[1]:
        return None
    after = rest[address.end(1) :]
    before, _, words = after.partition(": ")  # what Exim writes before it has no colon and blank in it
    if severity == "delivered":
        words = after.rpartition(' C="')[2].rstrip('"') if ' C="' in after else ""
    told = reply.parse(words)
    return Delivery(
        severity=severity,
        recipient=address[1].rstrip(":"),
        reply=told,
        relay=_relay(before, words),
        original_recipient=address[2],
        sender=(found := _SENDER.search(before)) and found[1],
        source_ip=reply.contacted_from(told.text) if told else None,
        forwarded=True if address[2] and address[2].lower() != address[1].lower() else None,
        queue_id=message,
        at=_time(stamp),
        excerpt=text,
    )


def _relay(before: str, words: str) -> Relay | None:
    host = _HOST.search(before)
    return Relay(host[1], host[2]) if host and family_of(host[2]) else prose.relay(words)


def _rejected(rest: str, message: str | None, stamp: str | None, text: str) -> Delivery | None:
    """This server's own refusal of what a client wanted."""
    refused = _REFUSED.search(rest)
    client = _CLIENT.search(rest)
    if refused is None or client is None:
        return None
    sender = _SENDER.search(rest[: refused.start()])
    return Delivery(
        severity="rejected-inbound",
        recipient=refused[2],
        reply=reply.parse(refused[3].lstrip(" :")),
        sender=sender[1] if sender else None,
        source_ip=client[1],
        queue_id=message,
        at=_time(stamp),
        excerpt=text,
    )


def _time(stamp: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(stamp.replace(" +", "+").replace(" -", "-")) if stamp else None
    except ValueError:
        return None
    return at if at and at.tzinfo else None
