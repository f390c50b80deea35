"""A delivery status notification -> one Delivery for each recipient it speaks of (RFC 3464, RFC 6533).

The Diagnostic-Code's own code and status win over the Status field, which differs in one of seven. The
receiver's address stands in no field: it is taken from the sentence that the notification has for people.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mailmend.model import Delivery, ParseError, Relay, Reply, Severity, family_of
from mailmend.parse import message, reply, returned

if TYPE_CHECKING:
    from datetime import datetime

REPORT_CAP = 512 * 1024  # characters
RECIPIENTS_CAP = 2000
DIAGNOSTIC_CAP = 4096
WORDS_CAP = 256 * 1024

_ACTIONS: dict[str, Severity] = {
    "failed": "bounced",
    "undeliverable": "bounced",  # Postfix's report of a `sendmail -bv` probe
    "delayed": "deferred",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
    "deliverable": "delivered",
}
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_X400 = re.compile(r"/[A-Za-z0-9-]{1,20}=")
_WORDS = re.compile(r"[^\W\d_]{3}")
# Cisco's gateways: `5.1.0 - Unknown address error 550-'5.1.1 no such mailbox' (delivery attempts: 0)`
_QUOTED = re.compile(r"\d\.\d\.\d - [^'\d]{1,60}([245]\d\d)-'(.{1,4000})'")
_ABOUT = re.compile(r"\s{0,80}<([^<>\s]{1,320})>")
_EXPANDED = re.compile(r"\(expanded from <([^<>\s]{1,320})>\)")
_AT_HOST = re.compile(r"\bhost ([^\s\[\]]{1,255}) ?\[([0-9A-Fa-f:.]{2,45})\]")


def of(leaves: tuple[message.Part, ...], said: str) -> tuple[Delivery, ...]:
    """What the reports among the parts of a message tell; *said* is its text for people. () without any report."""
    statuses = [leaf for leaf in leaves if leaf.type in _STATUS_TYPES]
    return tuple(d for leaf in statuses for d in report(message.text(leaf), said))


def report(status: str, said: str = "") -> tuple[Delivery, ...]:
    """The deliveries of a message/delivery-status body; *said* is the notification people read."""
    if len(status) > REPORT_CAP:
        raise ParseError(f"a delivery report of more than {REPORT_CAP // 1024} KB")
    if status.count("\n\n") > RECIPIENTS_CAP + 1:
        raise ParseError(f"a delivery report on more than {RECIPIENTS_CAP} recipients")
    paragraphs = [message.fields(p) for p in re.split(r"\n[ \t]*\n", status) if p.strip()]
    about = next((p for p in paragraphs if "final-recipient" not in p), {})
    if paragraphs and "reporting-mta" in paragraphs[0]:
        about = paragraphs[0]
    told = _sentences(said[:WORDS_CAP])
    found = tuple(
        _delivery(fields, about, told)
        for fields in paragraphs
        if "final-recipient" in fields or ("action" in fields and "original-recipient" in fields)
    )
    return _with_words(found, said) if any(_is_mute(d) for d in found) else found


def _is_mute(delivery: Delivery) -> bool:
    return delivery.severity in ("bounced", "deferred") and not (
        delivery.reply and _WORDS.search(delivery.reply.text)
    )


def _with_words(found: tuple[Delivery, ...], said: str) -> tuple[Delivery, ...]:
    """*found*, with the replies that only the text for people has: sendmail's transcript, mostly."""
    told = {(d.recipient or "").lower(): d.reply for d in returned.deliveries(said) if d.reply}
    filled: list[Delivery] = []
    for delivery in found:
        words = told.get((delivery.recipient or "").lower()) if _is_mute(delivery) else None
        status = delivery.reply.status if delivery.reply else None
        filled.append(
            replace(delivery, reply=replace(words, status=words.status or status)) if words else delivery
        )
    return tuple(filled)


def _sentences(said: str) -> dict[str, str]:
    """The paragraphs that begin with a recipient (`<user@example.org>: host ...`), by recipient."""
    found: dict[str, str] = {}
    for paragraph in re.split(r"\n[ \t]*\n", said):
        begins = _ABOUT.match(paragraph)
        if begins:
            found.setdefault(begins[1], paragraph.strip("\n")[: reply.LONGEST])
    return found


def _delivery(fields: dict[str, str], about: dict[str, str], told: dict[str, str]) -> Delivery:
    recipient = _address(fields.get("final-recipient") or fields.get("original-recipient", ""))
    original = _address(fields.get("original-recipient", "")) or None
    if original and _X400.match(recipient):  # a name that nobody wrote to, and no rule knows
        recipient, original = original, None
    sentence = told.get(recipient, "")
    diagnostic = fields.get("diagnostic-code", "")
    kind, _, rest = diagnostic.partition(";")
    said = _reply(rest if kind.strip().isalnum() or kind.lower().startswith("x-") else diagnostic, fields)
    expanded = _EXPANDED.search(" ".join(sentence.split()))
    if expanded:
        original = original or expanded[1]
    return Delivery(
        severity=_ACTIONS.get(fields.get("action", "").split(" ")[0].lower(), "notice"),
        recipient=recipient or None,
        reply=said,
        relay=_relay(fields.get("remote-mta", ""), sentence),
        original_recipient=original,
        sender=_sender(about),
        source_ip=reply.source_ip(said.text) if said else None,
        forwarded=True if expanded else _forwarded(recipient, original),
        reporting_mta=_typed(about.get("reporting-mta", "")) or None,
        queue_id=about.get("x-postfix-queue-id"),
        at=_time(fields.get("last-attempt-date") or about.get("arrival-date", "")),
        excerpt=sentence or "\n".join(f"{name}: {value}" for name, value in fields.items()),
    )


def _reply(diagnostic: str, fields: dict[str, str]) -> Reply | None:
    stated = _STATUS.match(fields.get("status", ""))
    status = stated[0] if stated else None
    quoted = _QUOTED.match(diagnostic[:DIAGNOSTIC_CAP].strip())
    said = reply.parse(f"{quoted[1]} {quoted[2]}" if quoted else diagnostic[:DIAGNOSTIC_CAP])
    if said is None:
        return Reply(None, status, "") if status else None
    return said if said.status else replace(said, status=status)


def _relay(remote: str, sentence: str) -> Relay | None:
    host = _typed(remote) or None
    for found in _AT_HOST.finditer(" ".join(sentence.split())):
        if family_of(found[2]) and (host is None or found[1].lower() == host.lower()):
            return Relay(found[1], found[2])
    # Some put the address itself there: `dns; [192.0.2.1]`, or `dns; host (192.0.2.1, ...)`.
    name, _, more = (host or "").partition(" ")
    bare = name.strip("[]()")
    if family_of(bare):
        return Relay(None, bare)
    ip = more.strip(" ()[]").split(",")[0]
    return Relay(name, ip if family_of(ip) else None) if name else None


def _typed(value: str) -> str:
    """`dns; mx.example.org` -> `mx.example.org`."""
    kind, semicolon, rest = value.partition(";")
    return (rest if semicolon else kind).strip()


def _address(value: str) -> str:
    """`rfc822; a@example.org` -> the address; RFC 6533's `\\x{E9}` is undone for `utf-8;`."""
    address = _typed(value).strip("<>")
    if value.lower().startswith("utf-8"):
        address = _UNICODE.sub(lambda hit: _character(int(hit[1], 16)), address)
    return address


def _character(point: int) -> str:
    return chr(point) if point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF else "\N{REPLACEMENT CHARACTER}"


def _sender(about: dict[str, str]) -> str | None:
    stated = about.get("x-postfix-sender")
    return None if stated is None else _address(stated)


def _forwarded(recipient: str, original: str | None) -> bool | None:
    """Whether the host that reports turned *original* into another address; None where it does not say."""
    if not recipient or not original:
        return None
    return recipient.lower() != original.lower()


def _time(value: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(value[:64])
    except (ValueError, TypeError, IndexError):
        return None
    return at if at.tzinfo else None
