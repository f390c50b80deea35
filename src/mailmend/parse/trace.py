"""What a sending service reports as JSON -> Deliveries: Amazon SES, SendGrid, Mailgun, Postmark, Mandrill and others.

Each has names of its own for the same five things. An object that has a recipient, and a reply or an event that
means a refusal, is one delivery; what its parents say of the sender and the host holds for it, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mailmend.model import Delivery, Relay, Reply, Severity, family_of
from mailmend.parse import documents, journal, logged, reply

OBJECTS_CAP = 20_000
_TEXT_CAP = 8192


def _ranked(*names: str) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(names)}


# In this order: the remote server's own words come before what the service makes of them.
_REPLY = _ranked(
    *("diagnosticcode", "smtpresponse", "smtp_response", "response", "diag", "raw_reason"),
    *(
        "details",
        "reason",
        "delay_reason",
        "error",
        "comment",
        "bounce_description",
        "message",
        "description",
    ),
)
_SERVERS_OWN = dict(list(_REPLY.items())[:6])
_RECIPIENT = _ranked("emailaddress", "recipient", "rcpt_to", "rcpt", "email", "to", "address")
_SENDER = _ranked("mail_from", "msg_from", "envelope_from", "source", "from", "sender")
_HOST = _ranked(
    "mx-host", "mx_host", "mx", "remotemta", "remote_mta", "remotehost", "destination_ip", "relay"
)
_KIND = ("eventtype", "notificationtype", "event", "recordtype", "type", "action", "status", "severity")
_STATUS = ("status", "enhanced_code", "enhanced-code", "enhancedcode", "statuscode")
_CODE = _ranked("code", "error_code", "smtp_code", "smtpcode", "responsecode")
_INSIDE = frozenset(("bounce", "delivery", "deliverydelay", "mail", "msg", "event-data", "delivery-status", "envelope",
                     "msys", "message_event", "track_event", "records", "smtp_events", "bouncedrecipients",
                     "delayedrecipients", "recipients", "message", "complaint", "detail", "events", "data", "sns",
                     "complainedrecipients", "bounces"))  # fmt: skip

_REFUSED = re.compile(r"bounce|fail|drop|reject|block|undeliver|permanent", re.IGNORECASE)
_LATER = re.compile(r"defer|delay|tempor|soft|transient", re.IGNORECASE)
_GOOD = re.compile(r"deliver(?:y|ed)$|^sent$|accepted|processed", re.IGNORECASE)
_COMPLAINT = re.compile(r"complain|spam ?report", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@]{1,128}@[\w.-]{1,255}")
_THREE = re.compile(r"[0-9]{3}")
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}$")


def deliveries(text: str) -> tuple[Delivery, ...]:
    """The deliveries that *text* (one JSON document, or one on each line) tells; () where it is no such thing."""
    if text.lstrip()[:1] not in ("{", "["):
        return ()
    found: dict[tuple[object, ...], Delivery] = {}
    lines: list[str] = []
    for document in documents.read(text):
        if isinstance(document, dict) and (line := journal.line(document)):
            lines.append(line)
        for told in _walk(document):
            found.setdefault((told.recipient, told.severity, told.reply), told)
    logs = logged.deliveries("\n".join(lines)) if lines else ()
    return logs or tuple(found.values())


def _walk(document: Any) -> Iterator[Delivery]:
    """Every object of *document* in its order, each with what its parents said."""
    waiting: list[tuple[Any, dict[str, str]]] = [(document, {})]
    seen = 0
    while waiting and seen < OBJECTS_CAP:
        value, above = waiting.pop()
        seen += 1
        if isinstance(value, str) and value[:1] in ("{", "["):  # SNS puts one document into another
            value = documents.one(value)
        if isinstance(value, list):
            waiting.extend((item, above) for item in reversed(value[:OBJECTS_CAP]))
        elif isinstance(value, dict):
            own = _own(value)
            known = above | own if above else own
            told = _delivery(value, own, known)
            if told:
                yield told
                yield from [replace(told, recipient=name) for name in _listed(value)[1:]]
            if len(own) < len(value) or not _INSIDE.isdisjoint(own):
                inside = [(item, known) for name, item in value.items() if str(name).lower() in _INSIDE]
                waiting.extend(reversed(inside))


def _own(value: dict[str, Any]) -> dict[str, str]:
    """The texts of an object by their names in lower case; one that its parent has too is the object's own."""
    return {
        str(name).lower(): str(item)[:_TEXT_CAP]
        for name, item in value.items()
        if isinstance(item, (str, int)) and not isinstance(item, bool)
    }


def _delivery(value: dict[str, Any], own: dict[str, str], known: dict[str, str]) -> Delivery | None:
    kinds = [known[name] for name in _KIND if name in known]
    listed = _listed(value) if len(own) < len(value) and _GOOD.search(" ".join(kinds)) else []
    recipient = _address(_first(own, _RECIPIENT)) or next(iter(listed), None)
    severity = _severity(known, kinds)
    words = _first(own, _REPLY)
    if recipient is None and words and severity in ("bounced", "deferred"):
        recipient = _address(_first(known, _RECIPIENT))
        if recipient and not any(
            name in own for name in ("smtpresponse", "mx-host", "diag", "code", "diagnosticcode")
        ):
            return None
    elif recipient and not words and any(str(name).lower() == "delivery-status" for name in value):
        return None  # Mailgun: the reply stands one object deeper
    if recipient is None or severity is None:
        return None
    said = _reply(words or _first(known, _SERVERS_OWN), known)
    if severity == "notice":
        return Delivery("notice", recipient=recipient, sender=_sender(known), notice="feedback-report")
    if said is None and severity == "delivered" and "timestamp" not in known:
        return None
    host = _first(known, _HOST)
    return Delivery(
        severity=severity,
        recipient=recipient,
        reply=said,
        relay=_relay(host),
        sender=_sender(known),
        source_ip=reply.contacted_from(said.text) if said and words else None,
        excerpt=words or "",
    )


def _listed(value: dict[str, Any]) -> list[str]:
    """The recipients that an object lists as bare addresses (Amazon SES's `delivery`)."""
    names: list[object] = next(
        (value[name] for name in ("recipients", "destination") if isinstance(value.get(name), list)), []
    )
    return [name for name in names[:OBJECTS_CAP] if isinstance(name, str) and _ADDRESS.fullmatch(name)]


def _first(known: dict[str, str], ranks: dict[str, int]) -> str | None:
    """The text of that of the names in *ranks* which comes first and is not empty."""
    there = [name for name in known if name in ranks and known[name]]
    return known[min(there, key=ranks.__getitem__)] if there else None


def _address(text: str | None) -> str | None:
    found = _ADDRESS.search(text or "")
    return found[0] if found else None


def _sender(known: dict[str, str]) -> str | None:
    return _address(_first(known, _SENDER))


def _severity(known: dict[str, str], named: list[str]) -> Severity | None:
    """What the event's names come to; None where nothing says that this is about a delivery."""
    kinds = " ".join(named)
    code = (_first(known, _CODE) or "")[:1]
    if _COMPLAINT.search(kinds):
        return "notice"
    if _LATER.search(kinds):
        return "deferred"
    if _REFUSED.search(kinds):
        return "deferred" if code == "4" and "permanent" not in kinds.lower() else "bounced"
    if any(_GOOD.search(each) for each in named):
        return "delivered"
    words = _first(known, _REPLY) or ""
    said = reply.parse(words) if words else None
    start = str((said and (said.code or said.status)) or code)[:1]
    return {"4": "deferred", "5": "bounced"}.get(start)  # type: ignore[return-value]


def _reply(words: str | None, known: dict[str, str]) -> Reply | None:
    kind, semicolon, rest = (words or "").partition(";")
    said = reply.parse(rest if semicolon and kind.strip().lower() in ("smtp", "x-smtp") else words or "")
    code = next((int(known[n]) for n in _CODE if n in known and _THREE.fullmatch(known[n])), None)
    status = next((known[n] for n in _STATUS if n in known and _ENHANCED.match(known[n])), None)
    if said is None:
        return Reply(code, status, "") if code or status else None
    return Reply(said.code or code, said.status or status, said.text)


def _relay(host: str | None) -> Relay | None:
    if not host:
        return None
    name = host.rpartition(";")[2].strip().strip("[]")
    return Relay(None, name) if family_of(name) else Relay(name[:255], None)
