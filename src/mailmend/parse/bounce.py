"""A mail message -> the Deliveries it reports, whichever way: a report in a part (RFC 3464), or only words for people.

A message is asked in this order: does it carry a report, is it one that a mail system returned, is it a complaint
(RFC 5965) or an automatic answer (RFC 3834), does it enclose any of these. Everything else is a letter.
"""

from __future__ import annotations

import re
from dataclasses import replace

from mailmend.model import Delivery
from mailmend.parse import dsn, feedback, html, message, notice, returned, trace, transcript, words

DEPTH_CAP = 2  # a bounce forwarded as an attachment, perhaps once more

_ENCLOSED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers")
_FIELDS = re.compile(r"^[ \t]*Final-Recipient: ?[A-Za-z0-9-]{2,12};", re.MULTILINE | re.IGNORECASE)
_TO = re.compile(r"^To: ?<?([^\s<>@,;]{1,128}@[A-Za-z0-9.-]{3,255})>?$", re.MULTILINE)
_SERVICE = re.compile(r"no-?reply@sns\.", re.IGNORECASE)  # Amazon SNS, subscribed by mail


def parse(text: str) -> tuple[Delivery, ...]:
    """The deliveries that the message *text* reports; () where it is a message but no such report.

    A report that somebody forwarded as an attachment is found; one inside the message that a report
    returns is not: it is about something else. Raises ParseError beyond the caps of parse/message.py.
    """
    whole = message.read(text)
    return of(whole) if whole else ()


def of(whole: message.Part, depth: int = 0) -> tuple[Delivery, ...]:
    """As `parse`, for a message already read."""
    leaves = message.parts(whole)
    said = _said(leaves)
    told = dsn.of(leaves, said) or feedback.of(leaves)
    if told:
        return told
    if said.lstrip()[:1] == "{" and _SERVICE.search(whole.header("from")):
        return trace.deliveries(said)
    kind = notice.kind(whole, said)
    if kind == "returned":
        return _returned(whole, leaves, said, depth)
    if kind == "auto-reply":
        return feedback.auto_reply(whole)
    return _enclosed(leaves, depth)


def _enclosed(leaves: tuple[message.Part, ...], depth: int) -> tuple[Delivery, ...]:
    if depth >= DEPTH_CAP:
        return ()
    enclosed = [message.read(message.text(leaf)) for leaf in leaves if _is_message(leaf)]
    return tuple(d for inner in enclosed if inner for d in of(inner, depth + 1))


def _is_message(leaf: message.Part) -> bool:
    """An enclosed message, also where a mail client knew it only as a file."""
    return leaf.type in _ENCLOSED[:2] or any(
        (words.parameter(leaf.header(header), name) or "").lower().endswith(".eml")
        for header, name in (("content-disposition", "filename"), ("content-type", "name"))
    )


def _said(leaves: tuple[message.Part, ...]) -> str:
    """What the message says to people: its first texts, up to the message that it encloses."""
    texts: list[str] = []
    pages: list[str] = []
    for leaf in leaves:
        if leaf.type in _ENCLOSED:
            break
        if leaf.type == "text/html":
            pages.append(html.text(message.text(leaf, returned.WORDS_CAP)))
        elif leaf.type.startswith("text/") or "/" not in leaf.type:
            texts.append(message.text(leaf, dsn.WORDS_CAP))
    plain = "\n\n".join(texts)
    return plain if plain.strip() or not pages else "\n\n".join(pages)


def _returned(
    whole: message.Part, leaves: tuple[message.Part, ...], said: str, depth: int
) -> tuple[Delivery, ...]:
    """A bounce that has no report in a part of its own, but may have one in its text, or be wrapped in another."""
    field = _FIELDS.search(said)
    if field:
        begins = max(said.rfind("\n\n", 0, field.start()), said.rfind("Reporting-MTA", 0, field.start()), 0)
        told = dsn.report(said[begins:], said[:begins])
        if told:
            return told
    subject = words.unworded(whole.header("subject"))
    if "errors from" in subject:
        return transcript.own(said, subject)
    found = returned.deliveries(said, subject)
    if any(d.recipient for d in found):
        return found
    return _enclosed(leaves, depth) or _to_whom(found, whole, leaves, said)


def _to_whom(
    found: tuple[Delivery, ...], whole: message.Part, leaves: tuple[message.Part, ...], said: str
) -> tuple[Delivery, ...]:
    """Where the text names nobody, the headers may, or the message that came back."""
    listed = words.unworded(whole.header("x-failed-recipients"))
    failed = [name.strip(" <>") for name in listed.split(",")[: returned.RECIPIENTS_CAP] if name.strip(" <>")]
    if not failed:
        returned_to = {m[1] for m in _TO.finditer(_original(leaves, said))}
        failed = sorted(returned_to) if len(returned_to) == 1 else []
    if failed:
        return tuple(replace(d, recipient=name) for name in failed for d in found[:1])
    return found


def _original(leaves: tuple[message.Part, ...], said: str) -> str:
    """The headers of the message returned, as far as they came back."""
    leaf = next((leaf for leaf in leaves if leaf.type in _ENCLOSED), None)
    return message.text(leaf, message.HEADERS_CAP) if leaf else said
