"""Lines of a mail log -> the mail that was forwarded: whose it is, how it arrived, what became of it.

Forwarded is what left for another address than it came for (`orig_to=`, local(8)'s "forwarded as"), and what left
under an SRS address. A program on this host that redirects (sieve) hands mail to sendmail(1), under the sender's name:
that it came so is told, and whoever knows the host's domains can tell it from mail of its own.

Mail that went round through a listener of this host, to be rewritten or filtered, has two queue ids: smtpd(8) names
the first for the second (XFORWARD), and what is known of the one holds for the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from mailmend.parse import lives, maillog
from mailmend.parse.arrivals import SIGNS, Arrival, arrival

_KEPT = 100_000  # messages that are followed at a time; of more, the first are taken as they stand
_SRS0 = re.compile(r"SRS0[-+=][^=]{1,20}=[^=]{1,10}=([^=@]{1,255})=", re.IGNORECASE)
_SRS1 = re.compile(r"SRS1[-+=].{1,255}=[^=]{1,20}=[^=]{1,10}=([^=@]{1,255})=", re.IGNORECASE)
_TO = re.compile(rb"\]: ([0-9A-Za-z]{5,30}): to=<")
# What qmgr(8) writes most, read from the left; whatever is not quite so is read by parse.maillog.
_MANAGED = re.compile(
    rb"(?:\d{4}-\d\d-\d\dT\S{8,25}|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) [^\s\[\]:]{1,255} [^\s\[\]/:]{1,100}/"
    rb"(?:[^\s\[\]:]{1,100}/)?qmgr\[\d{1,10}\]: ([0-9A-Za-z]{5,30}): "
    rb"(?:removed|from=<([^<>\"]{0,320})>, size=\d{1,15}, nrcpt=\d{1,9} \(queue active\))$"
)
_BECAME = re.compile(rf"(?:queued|forwarded) as ({lives.QUEUE_ID})$")
_SITE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")))
_LOOPBACK = ("127.", "::1")


class Forwarded(NamedTuple):
    """One recipient of one forwarded message, and the last that is known of it.

    *sender* is the envelope sender as it came here, "" the null sender; None: not known. *moved*: the log shows
    that it was forwarded; otherwise only that its sender was rewritten, or that a program of this host *handed* it to
    Postfix. *verified*, *signed*, *author* as in
    `Arrival`. *recipient* is where it was forwarded to. *status* is the log's, *relay* None where no server was
    reached; *text* all that stood in the parentheses.
    """

    sender: str | None
    moved: bool
    handed: bool
    author: str | None
    verified: tuple[str, ...] | None
    signed: bool | None
    recipient: str
    relay: str | None
    ip: str | None
    status: str
    dsn: str
    text: str
    at: datetime | None


@dataclass(slots=True)
class _Message:
    """A message in the queue. *outcomes*: the last of each recipient, which may yet change. *gone*: it left the
    queue, and only its *parent*, under whose id it came, can tell whether it was forwarded.
    """

    sender: str | None = None
    author: str | None = None
    verified: tuple[str, ...] | None = None
    signed: bool | None = None
    holds: bool = False
    signers: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    moved: bool = False
    rewritten: bool = False
    handed: bool = False
    gone: bool = False
    parent: str = ""
    children: list[str] = field(default_factory=list)
    outcomes: dict[str, tuple[maillog.Attempt, datetime | None, bool]] = field(default_factory=dict)


def original(sender: str) -> str:
    """The domain of whoever sent it first, out of an address that SRS made; "" where it made none of it."""
    if sender[:3].upper() != "SRS":
        return ""
    match = _SRS1.match(sender) or _SRS0.match(sender)
    return match[1].lower().rstrip(".") if match else ""


def within_site(ip: str | None) -> bool:
    """Whether an address is private (RFC 1918, RFC 4193): relays and filters are there, and no receiver that judges."""
    try:
        address = ip_address(ip or "")
    except ValueError:
        return False
    return any(address.version == each.version and address in each for each in _SITE)


class Forwards:
    """Fed with lines in the order of the log; `take` gives what was settled meanwhile, `end` the rest.

    *programs* are the verifiers that logged anything of a message. Without `LogWhy`, opendkim logs signatures and
    nothing of mail that has none: once it has logged that one held, mail that it says nothing of came unsigned. What
    a program of this host hands in again it is not asked about.
    """

    def __init__(self) -> None:
        self.programs: set[str] = set()
        self._every_signature = False
        self._known: dict[str, _Message] = {}
        self._found: list[Forwarded] = []

    def read(self, lines: Iterable[bytes], dated: datetime | None = None) -> None:
        """*dated* dates stamps without a year, as in maillog.line."""
        for raw in lines:
            if b" status=" in raw:
                self._outcome(raw, dated)
            elif b": from=<" in raw or b": removed" in raw or b"orig_queue_id=" in raw or b": uid=" in raw:
                self._queue(raw)
            elif any(sign in raw for sign in SIGNS) and (told := arrival(_text(raw))):
                self._arrived(told)

    def take(self) -> list[Forwarded]:
        """What was settled since the last time."""
        found, self._found = self._found, []
        return found

    def end(self) -> list[Forwarded]:
        """What is left where the log ends: mail that still waits."""
        for queue_id in tuple(self._known):
            self._settle(queue_id)
        return self.take()

    def _message(self, queue_id: str) -> _Message:
        message = self._known.get(queue_id)
        if message is None:
            if len(self._known) >= _KEPT:
                for old in tuple(self._known)[: _KEPT // 2]:
                    self._settle(old)
            message = self._known[queue_id] = _Message()
        return message

    def _settle(self, queue_id: str) -> None:
        """The message left the queue: its last outcomes stand, and those of what it became and is gone as well."""
        message = self._known.pop(queue_id, None)
        if message is None:
            return
        if (
            message.verified is None
            and message.signed is None
            and self._every_signature
            and not message.handed
        ):
            message.verified, message.signed = (), False
        message.verified = _verified(message)
        for recipient, (tried, at, moved) in message.outcomes.items():
            if moved or message.moved or message.rewritten or message.handed:
                self._found.append(_forwarded(message, recipient, tried, at, moved or message.moved))
        for child in message.children:
            if child in self._known and self._known[child].gone:
                self._settle(child)

    def _arrived(self, told: Arrival) -> None:
        if told.program != "cleanup":
            self.programs.add(told.program)
        message = self._message(told.queue_id)
        message.author = told.author or message.author
        if told.signed is not None:
            message.signed = bool(message.signed) or told.signed
        message.holds = message.holds or told.holds
        message.signers.update(told.signers)
        message.failed.update(message.signers if told.final else told.failed)
        self._every_signature = self._every_signature or told.holds
        more = (told.tried,) if message.holds and told.tried else told.verified
        if more is not None:
            message.verified = tuple(dict.fromkeys((*(message.verified or ()), *more)))

    def _queue(self, raw: bytes) -> None:
        """qmgr(8): the sender, and the end; smtpd(8): which message this was before; pickup(8)."""
        if plain := _MANAGED.match(raw):
            queue_id, sent_by = plain[1].decode("ascii"), plain[2]
            self._removed(queue_id) if sent_by is None else self._taken_up(queue_id, _text(sent_by))
            return
        line = maillog.line(_text(raw))
        if line is None or line.queue_id is None:
            return
        if line.message == "removed" and line.service.endswith("qmgr"):
            self._removed(line.queue_id)
        elif (sender := maillog.sender(line)) is not None:
            self._taken_up(line.queue_id, sender)
        elif line.service == "pickup" and line.message.startswith("uid="):
            self._message(line.queue_id).handed = True
        elif line.service == "smtpd" and (told := lives.event(line.text)) and told.link:
            self._settle(line.queue_id)  # an id that is used again
            self._became(told.link, line.queue_id)

    def _removed(self, queue_id: str) -> None:
        message = self._known.get(queue_id)
        if message and message.parent in self._known and not message.moved:
            message.gone = True
        else:
            self._settle(queue_id)

    def _taken_up(self, queue_id: str, sender: str) -> None:
        message = self._message(queue_id)
        message.rewritten = message.rewritten or bool(original(sender))
        if message.sender is None:
            message.sender = sender

    def _became(self, old: str, new: str) -> None:
        """What is known of the message *old* holds for *new*, which it was queued as."""
        before = self._known.get(old)
        if before is None or old == new:
            return
        message = self._message(new)
        if not message.parent:
            message.parent = old
            message.author, message.verified = before.author, before.verified
            message.signed, message.holds = before.signed, before.holds
            message.signers, message.failed = set(before.signers), set(before.failed)
            message.handed = before.handed
            if before.sender is not None:
                message.sender = before.sender
            before.children.append(new)
        message.moved = message.moved or before.moved

    def _outcome(self, raw: bytes, dated: datetime | None) -> None:
        found = _TO.search(raw)
        if found is None:
            return
        message = self._known.get(found[1].decode("ascii"))
        followed = message is not None and (
            message.moved or message.rewritten or message.handed or message.parent
        )
        if not (followed or b", orig_to=<" in raw or b"(forwarded as " in raw):
            return
        line = maillog.line(_text(raw), dated)
        tried = maillog.attempt(line) if line else None
        if line is None or line.queue_id is None or tried is None:
            return
        # What comes back to an SRS address goes on to whoever sent it first: a bounce of a forward is none.
        back = original(tried.original_recipient or "")
        moved = not back and maillog.forwarded(tried.recipient, tried.original_recipient) is True
        became = _BECAME.search(tried.reply) if tried.status == "sent" else None
        ip = (tried.relay.ip if tried.relay else None) or ""
        known = self._known.get(became[1]) if became else None
        # A filter on another host gives it back as well, and says which message it was (XFORWARD).
        inside = ip.startswith(_LOOPBACK) or (known is not None and known.parent == line.queue_id)
        if became and (line.service == "local" or inside):
            self._became(line.queue_id, became[1])
            child = self._known.get(became[1])
            if child is not None and (moved or line.service == "local"):
                child.moved = True
        elif line.service == "smtp" and tried.status in ("sent", "bounced", "deferred") and not inside:
            self._message(line.queue_id).outcomes[tried.recipient] = (tried, line.at, moved)


def _verified(message: _Message) -> tuple[str, ...] | None:
    """None where one of its signatures may hold that would count for more than those that are known to."""
    if message.verified is None or not message.signers - message.failed - set(message.verified):
        return message.verified
    author = message.author or (message.sender or "").rpartition("@")[2].lower()
    stands = any(author == name or author.endswith(f".{name}") for name in message.verified)
    return message.verified if stands else None


def _forwarded(
    message: _Message, recipient: str, tried: maillog.Attempt, at: datetime | None, moved: bool
) -> Forwarded:
    relay = tried.relay
    return Forwarded(
        message.sender,
        moved,
        message.handed,
        message.author,
        message.verified,
        message.signed,
        recipient,
        relay.host if relay else None,
        relay.ip if relay else None,
        tried.status,
        tried.dsn or "",
        tried.reply,
        at,
    )


def _text(raw: bytes) -> str:
    return raw[: maillog.LINE_CAP].decode("utf-8", "surrogateescape")
