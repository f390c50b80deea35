"""What a scan of Postfix's log yields: what deliveries are counted by, and failures and refusals whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from mailmend.model import Delivery, Relay, family_of
from mailmend.parse import maillog

QUEUE_IDS_KEPT = 50_000  # per generation, of which there are two: messages that are in the queue


class Key(NamedTuple):
    """What deliveries are counted by, as the log writes it.

    *hour* is the stamp up to its first colon, without its offset (`logscan.hour`); *domain* the recipient's, as it is;
    *relay* the host, `none`, or a local agent's name; *family* is `.` (IPv4), `:` (IPv6) or empty; *moved* is `=`
    where the recipient was another address before (an alias, forwarded mail), else empty.
    """

    hour: bytes
    host: bytes
    domain: bytes
    relay: bytes
    family: bytes
    dsn: bytes
    status: bytes
    moved: bytes


class BareKey(NamedTuple):
    """The least that deliveries are counted by (`Scanner(bare=True)`), as in `Key`."""

    relay: bytes
    family: bytes
    dsn: bytes
    status: bytes


class Failed(NamedTuple):
    """A delivery that is not `sent`, whole. Bytes that are no UTF-8 are shown as `\\xff`.

    *stamp*, *host*, *tag* (`postfix/smtp`), *dsn* as written; *status* is Postfix's word (`bounced`, `deferred`,
    `undeliverable` of a probe ...). *sender* is None where no line told it (yet): "" is the null sender.
    *original* is the address before, None where it is the same. *relay* is None for `none`. *delays* are the four
    of Postfix as written (`0.1/0/2/3`: before the queue manager, in it, connecting, sending). *text* is all that
    stood in the parentheses. *pid* is the process that tried: one message at a time.
    """

    stamp: str
    host: str
    tag: str
    queue_id: str
    sender: str | None
    recipient: str
    original: str | None
    relay: str | None
    ip: str | None
    delays: str
    dsn: str
    status: str
    text: str
    pid: str = ""


def delivery(of: Failed, at: datetime | None = None) -> Delivery:
    """What `maillog.delivery` says of that line."""
    tried = maillog.Attempt(
        recipient=of.recipient,
        original_recipient=of.original,
        relay=Relay(of.relay, of.ip if family_of(of.ip) else None) if of.relay else None,
        port=None,
        dsn=of.dsn or None,
        status=of.status,
        reply=of.text,
    )
    return replace(maillog.told(tried), sender=of.sender, reporting_mta=of.host, queue_id=of.queue_id, at=at)


class Rejected(NamedTuple):
    """A refusal of the own server (smtpd, postscreen, a milter): *text* from `reject: ` to the end of the line."""

    stamp: str
    host: str
    tag: str
    queue_id: str
    text: str


class PassedOn(NamedTuple):
    """A 4xx after which the smtp client tried the next address within the same attempt (smtp(8)).

    Such a line names no recipient: its outcome follows from the same process *pid*, under the same *queue_id*.
    """

    stamp: str
    host: str
    pid: str
    queue_id: str
    relay: str
    ip: str


@dataclass(slots=True)
class Scanned:
    """What a block held besides what was counted: *lines*, of which *unparsed* began like an outcome and are not
    one that can be read; *messages* are those that left the queue, *gone* their queue ids. *settled* are queue id and
    recipient of what was sent while its message stayed in the queue, as far as this block tells. *forwarded*, where it
    was asked for: (hour, domain of whoever sent it, relay, family) -> how much of his mail was forwarded and taken.
    """

    lines: int = 0
    unparsed: int = 0
    messages: int = 0
    gone: list[str] = field(default_factory=list)
    settled: list[tuple[str, str]] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    passed_on: list[PassedOn] = field(default_factory=list)
    delays: list[tuple[bytes, bytes]] = field(default_factory=list)
    forwarded: dict[tuple[bytes, str, bytes, bytes], int] = field(default_factory=dict)


class Senders:
    """Queue id -> envelope sender, in two generations so that it stays small.

    The queue manager tells the sender each time it takes a message up, so an old one is not needed for long. In both
    generations a sender has the `<` before it that it has in the log.
    """

    def __init__(self) -> None:
        self.recent: dict[bytes, bytes] = {}
        self.older: dict[bytes, bytes] = {}

    def get(self, queue_id: bytes) -> bytes | None:
        """The sender; one that is asked for is kept for longer."""
        known = self.recent.get(queue_id)
        if known is None and (known := self.older.get(queue_id)) is not None:
            self.recent[queue_id] = known
        return None if known is None else known[1:]

    def forget(self, queue_ids: Iterable[bytes]) -> None:
        """These messages have left the queue: nobody asks for their senders, which keeps small what is looked in."""
        drop = self.recent.pop
        for queue_id in queue_ids:
            drop(queue_id, None)

    def turn(self) -> None:
        """Forget the older generation once the newer one is full."""
        if len(self.recent) >= QUEUE_IDS_KEPT:
            self.recent, self.older = {}, self.recent

    def update(self, later: Senders) -> None:
        """Add what was learned from a later part of the same log."""
        self.recent.update(later.older)
        self.recent.update(later.recent)
        self.turn()
