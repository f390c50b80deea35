"""What waits in the queue of Exim, qmail or OpenSMTPD, as their own lists tell it -> Deliveries, deferred.

`exim -bp` and `qmail-qread` say who waits and not why: those have no reply. `smtpctl show queue` has the last error.
Postfix's and sendmail's lists are read in mailq.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailmend.model import Delivery
from mailmend.parse import reply

ROW_CAP = 1024

# ` 2d  2.3K 1vMabc-000000012Ab-3cDe <anna@example.net> *** frozen ***`, and below it a recipient a row
_EXIM = re.compile(
    r"^[ \t]{0,4}\d{1,5}[smhdwy] {1,4}[\d.]{1,8}[KMG]? {1,4}([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4})"
    r" <([^<>\s]{0,320})>",
    re.MULTILINE,
)
_EXIM_RECIPIENT = re.compile(r"[ \t]{4,40}(?:(\+?D) )?([^\s<>]{1,320}@[^\s<>]{1,255})$")
# `22 Nov 2026 09:00:00 GMT  #4711  812  <anna@example.net>  bouncing`, and below it `  remote\treader@example.com`
_QMAIL = re.compile(
    r"^\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \w{1,5} {1,4}#(\d{1,20}) {1,4}\d{1,15} {1,4}<([^<>\s]{0,320})>",
    re.MULTILINE,
)
_QMAIL_RECIPIENT = re.compile(r"[ \t]{1,8}(done[ \t]{1,4})?(?:remote|local)[ \t]{1,4}([^\s<>]{1,320})$")
# smtpctl(8): envelope, family, agent, flags, sender, recipient, destination, times, tries, state, delay, error
_OPENSMTPD = re.compile(
    r"^([0-9a-f]{8,16})\|[^|\n]{0,12}\|(?:mta|mda|bounce)\|[^|\n]{0,40}\|([^|\n]{0,320})\|([^|\n]{1,320})\|[^|\n]{0,320}"
    r"(?:\|\d{0,20}){4}\|[^|\n]{0,20}\|[^|\n]{0,20}\|([^\n]{0,1000})$",
    re.MULTILINE,
)


def deliveries(text: str) -> tuple[Delivery, ...]:
    """The recipients that wait; () where *text* (line ends `\\n`) is none of these lists."""
    if " <" in text and _EXIM.search(text):  # a plain look before the pattern
        return tuple(_rows(text, _EXIM, _EXIM_RECIPIENT))
    if "  #" in text and _QMAIL.search(text):
        return tuple(_rows(text, _QMAIL, _QMAIL_RECIPIENT))
    return tuple(_envelopes(text)) if "|mta|" in text or "|mda|" in text else ()


def _rows(text: str, message: re.Pattern[str], recipient: re.Pattern[str]) -> Iterator[Delivery]:
    """A row for each message, and below it one for each recipient; what is marked as done waits no longer."""
    about: re.Match[str] | None = None
    for line in text.split("\n"):
        row = line[:ROW_CAP].rstrip()
        begins = message.match(row)
        about = begins or (about if row else None)
        waits = recipient.match(row) if about and not begins else None
        if about and waits and not waits[1]:
            yield Delivery(
                "deferred",
                recipient=waits[2],
                sender=about[2],
                queue_id=about[1],
                excerpt=about.string.strip(),
            )


def _envelopes(text: str) -> Iterator[Delivery]:
    for row in _OPENSMTPD.finditer(text):
        yield Delivery(
            "deferred",
            recipient=row[3],
            reply=reply.parse(row[4]),
            sender=row[2],
            source_ip=reply.source_ip(row[4]),
            queue_id=row[1],
            excerpt=row[0],
        )
