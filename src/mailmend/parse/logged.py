"""Log lines of any mail server -> Deliveries; the lines of one message are read together.

Each server's lines are read in a file of its own: maillog.py (Postfix), eximlog.py, qmaillog.py, sendmaillog.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from mailmend.model import Delivery
from mailmend.parse import eximlog, maillog, qmaillog, sendmaillog

# A line begins so: with its time (syslog's, RFC 3339, Exim's, TAI64N), with a container's name, or with a process.
_BEGINS = re.compile(
    r"\s{0,8}(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d|[\w.-]{1,64} +\| |@[0-9a-f]{24}"
    r"|(?:starting |end )?(?:delivery|msg) \d|info msg \d|new msg \d|status: "
    r"|.{0,110}?[^\s\[\]]\[\d{1,10}\]: )"
)
_FILED = re.compile(
    r"^(?:[^\s:|=<>]{1,200}:)?(?:\d{1,9}[:-])?(?=[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\d[T ]\d\d:)",
    re.MULTILINE,
)
_NEWER = re.compile(
    r"^<\d{1,3}>1 (\S{1,40}) (\S{1,255}) (\S{1,120}) (\d{1,10}) \S{1,32} (?:-|\[[^\]\n]{0,500}\]) ",
    re.MULTILINE,
)
_WIDTHS = (79, 80, 100, 120, 132)  # of terminals
_POSTFIX = ("status=", "reject:", "from=<", " said: ", "refused to talk to me")
_Reader = Callable[[Iterable[str]], tuple[Delivery, ...]]
_OTHERS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    ((" ** ", " == ", " => ", " rejected "), eximlog.deliveries),
    (("delivery ",), qmaillog.deliveries),
    (("stat=", "reject="), sendmaillog.deliveries),
)


def deliveries(text: str) -> tuple[Delivery, ...]:
    """The attempts that the log lines in *text* tell; () where there are none. Lines that were wrapped are joined."""
    text = _bare(text)
    found = _postfix(text)
    for telling, read in _OTHERS:
        if any(words in text for words in telling):
            found += read(_unwrapped(text))
    return found


def _postfix(text: str) -> tuple[Delivery, ...]:
    if not any(word in text for word in _POSTFIX):
        return ()
    senders: dict[str, str] = {}
    put_off: dict[str, dict[str | None, int]] = {}  # where the last deferral of each recipient is
    found: list[Delivery] = []
    for line in _unwrapped(text):
        if not any(word in line for word in _POSTFIX) or (entry := maillog.line(line)) is None:
            continue
        sender = maillog.sender(entry)
        if sender is not None and entry.queue_id:
            senders[entry.queue_id] = sender
            if "expired, returned to sender" in entry.message:
                for number in put_off.pop(entry.queue_id, {}).values():
                    found[number] = replace(found[number], severity="bounced")
        told = maillog.delivery(entry)
        if told:
            if told.severity == "deferred" and told.queue_id:
                put_off.setdefault(told.queue_id, {})[told.recipient] = len(found)
            found.append(told)
    return tuple(
        replace(d, sender=senders[d.queue_id]) if d.sender is None and d.queue_id in senders else d
        for d in found
    )


def _bare(text: str) -> str:
    """*text* without what was put around its lines: grep's file names and numbers, RFC 5424's head, HTML's signs."""
    if "=&lt;" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    if (filed := _FILED.match(text)) and filed.end():
        text = _FILED.sub("", text)
    if _NEWER.match(text):
        text = _NEWER.sub(r"\1 \2 \3[\4]: ", text)
    return text


def _unwrapped(text: str) -> Iterator[str]:
    """The lines of *text*, with those that do not begin as a log's line do joined to the one before."""
    pieces: list[str] = []
    for line in text.split("\n"):
        if not line:
            continue
        if _BEGINS.match(line):
            if pieces:
                yield _joined(pieces)
            pieces = [line]
        elif pieces and len(pieces) < 100:  # what is longer was no log line
            pieces.append(line)
    if pieces:
        yield _joined(pieces)


def _joined(pieces: list[str]) -> str:
    """One line of what was wrapped: at blanks, or by a terminal, which cuts at its width wherever that is."""
    if len(pieces) == 1:
        return pieces[0]
    width = len(pieces[0])
    full = len(pieces) - 1
    if (full > 2 or (full == 2 and width in _WIDTHS)) and all(len(piece) == width for piece in pieces[:-1]):
        return "".join(pieces)
    return " ".join([pieces[0], *[piece.strip() for piece in pieces[1:]]])
