"""Whatever a person has of a refusal -> Deliveries: a bounce, log lines, a reply, quoted or wrapped text.

The shapes are told apart here and read in a file each: a message (dsn.py, message.py), the queue (mailq.py),
a log (maillog.py), other text (prose.py). A shape more is a file more, and a line in `deliveries`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mailmend.model import Delivery, ParseError
from mailmend.parse import bounce, dsn, html, maillog, mailq, message, prose, trace

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 5 * 1024 * 1024  # bytes
LARGEST_PROSE = 256 * 1024  # characters of what is neither a message nor a log
MOST = 20_000  # deliveries

_QUOTED = re.compile(r"^[ \t]?(?:> ?)+", re.MULTILINE)
_STATUS_FIELD = re.compile(
    r"^[ \t]*(?:Reporting-MTA|Final-Recipient): ?[A-Za-z0-9-]+;", re.MULTILINE | re.IGNORECASE
)
_LOGGED = re.compile(
    r"^\s{0,8}(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d|[\w.-]{1,64} +\| )"
)
_TELLING = ("status=", "reject:", "from=<", " said: ", "refused to talk to me")


def deliveries(data: bytes) -> tuple[Delivery, ...]:
    """The delivery attempts that *data* speaks of, in their order; () where there is no refusal in it.

    An ordinary mail is not a bounce, even where it quotes one. Raises ParseError for what is empty, larger
    than 5 MB, or no text; the reason names the place.
    """
    found = _deliveries(_unquoted(_text(data)))
    if len(found) > MOST:
        raise ParseError(
            f"{len(found)} deliveries are too many to be explained one by one",
            "give the lines concerned alone",
        )
    return found


def _deliveries(text: str) -> tuple[Delivery, ...]:
    whole = message.read(text)
    if whole:
        return bounce.of(whole)
    if not message.is_clean(text):
        text = text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    field = _STATUS_FIELD.search(text)
    if field:
        return dsn.report(_dedented(text[field.start() :]), text[: field.start()])
    logged = mailq.deliveries(text) or trace.deliveries(text) or _log(text)
    if not logged and len(text) > LARGEST_PROSE:
        raise ParseError(
            f"{len(text) // 1024} KB of text that is neither a message nor a log or queue with deliveries in it",
            "give the part that has the refusal",
        )
    return logged or prose.deliveries(html.text(text) if html.looks_like(text) else text)


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        size = len(data) / 1024 / 1024
        raise ParseError(f"{size:.1f} MB is more than the {LARGEST // 1024 // 1024} MB that can be explained",
                         "give the bounce or the log lines concerned alone")  # fmt: skip
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # pasted into a Windows editor
        text = data.decode("utf-16", "replace")
    else:
        nul = data.find(b"\0")
        if data[:2] == b"\x1f\x8b" or nul >= 0:
            raise ParseError(f"byte {max(nul, 0)}: binary, not text", "give a message, log lines or a reply")
        # Bytes that are no UTF-8 are kept until it is known which part of a message they belong to.
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    controls = _CONTROLS.search(text)
    if controls:
        raise ParseError(
            f"character {controls.start()}: binary, not text", "give a message, log lines or a reply"
        )
    if not text.strip():
        raise ParseError("the input is empty", "give a bounce, log lines or a reply, as a file or on stdin")
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


_CONTROLS = re.compile(r"[\x01-\x06\x0e-\x1a\x1c-\x1f]")


def _unquoted(text: str) -> str:
    """*text* without the `> ` of a mail client, where at least half of its lines have one."""
    lines = [line for line in text[: 64 * 1024].split("\n") if line.strip()]
    quoted = sum(line.lstrip().startswith(">") for line in lines)
    return _QUOTED.sub("", text) if 2 * quoted >= len(lines) else text


def _dedented(text: str) -> str:
    """*text* without the indentation that its first line has in common with the others."""
    first = text.split("\n", 1)[0]
    margin = first[: len(first) - len(first.lstrip())]
    return text.replace(f"\n{margin}", "\n").lstrip() if margin else text


def _log(text: str) -> tuple[Delivery, ...]:
    """The attempts of log lines; a line that a terminal or a mail client wrapped is put together again."""
    if not any(word in text for word in _TELLING):
        return ()
    senders: dict[str, str] = {}
    found: list[Delivery] = []
    for line in _unwrapped(text):
        if not any(word in line for word in _TELLING) or (entry := maillog.line(line)) is None:
            continue
        sender = maillog.sender(entry)
        if sender is not None and entry.queue_id:
            senders[entry.queue_id] = sender
        told = maillog.delivery(entry)
        if told:
            found.append(told)
    return tuple(
        replace(d, sender=senders.get(d.queue_id)) if d.queue_id and d.sender is None else d for d in found
    )


def _unwrapped(text: str) -> Iterator[str]:
    """The lines of *text*, with those that do not begin as a log's line do joined to the one before."""
    pieces: list[str] = []
    for line in text.split("\n"):
        if not line:
            continue
        if _LOGGED.match(line) or "]: " in line[:120]:
            if pieces:
                yield " ".join(pieces)
            pieces = [line]
        elif pieces and len(pieces) < 100:  # what is longer was no log line
            pieces.append(line.strip())
    if pieces:
        yield " ".join(pieces)
