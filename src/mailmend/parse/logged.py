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
_POSTFIX = ("status=", "reject:", "from=<", " said: ", "refused to talk to me")
_Reader = Callable[[Iterable[str]], tuple[Delivery, ...]]
_OTHERS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    ((" ** ", " == ", " => ", " rejected "), eximlog.deliveries),
    (("delivery ",), qmaillog.deliveries),
    (("stat=", "reject="), sendmaillog.deliveries),
)


def deliveries(text: str) -> tuple[Delivery, ...]:
    """The attempts that the log lines in *text* tell; () where there are none. Lines that were wrapped are joined."""
    found = _postfix(text)
    for telling, read in _OTHERS:
        if any(words in text for words in telling):
            found += read(_unwrapped(text))
    return found


def _postfix(text: str) -> tuple[Delivery, ...]:
    if not any(word in text for word in _POSTFIX):
        return ()
    senders: dict[str, str] = {}
    found: list[Delivery] = []
    for line in _unwrapped(text):
        if not any(word in line for word in _POSTFIX) or (entry := maillog.line(line)) is None:
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
        if _BEGINS.match(line):
            if pieces:
                yield " ".join(pieces)
            pieces = [line]
        elif pieces and len(pieces) < 100:  # what is longer was no log line
            pieces.append(line.strip())
    if pieces:
        yield " ".join(pieces)
