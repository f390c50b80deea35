"""How each receiver treated this host lately, per address family, counted from its own log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailmend.facts.looking import answer
from mailmend.model import Delivery, Family, Probe, Relay, Reply
from mailmend.questions import DeliveryCount, RecentDeliveries

if TYPE_CHECKING:
    from mailmend.receivers import Receiver

_OVER = timedelta(hours=24)
# The causes that concern who is sending: a refusal for a full mailbox says nothing of this host.
IDENTITY = (
    "ipv6-ptr-or-auth",
    "ptr-missing",
    "fcrdns-mismatch",
    "unauthenticated",
    "spf-fail",
    "spf-record-bad",
    "dkim-fail",
    "dmarc-reject",
    "dmarc-record-missing",
    "dmarc-alignment",
    "auth-dns-tempfail",
    "tls-required",
    "helo-invalid",
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Refusals with one cause that named one source address (None: the replies named none)."""

    cause: str
    source_ip: str | None
    count: int
    text: str
    last: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """*total* counts every delivery attempt with an outcome, *sent* those accepted, *last_sent* when last."""

    receiver: str
    family: Family
    sent: int
    total: int
    refused: tuple[Refused, ...]
    last_sent: datetime | None = None

    def refusals(self, cause: str) -> int:
        return sum(r.count for r in self.refused if r.cause == cause)


def tallies(probe: Probe) -> tuple[Tally, ...]:
    """One Tally for each known receiver and family that the log shows. Unknown where the log is unread."""
    from mailmend.receivers import of_host

    groups: dict[tuple[str, Family], list[DeliveryCount]] = {}
    for count in answer(probe, RecentDeliveries()).counts:
        who = of_host(count.relay_host) if count.relay_host else None
        if who and count.family:
            groups.setdefault((who, count.family), []).append(count)
    return tuple(tally(counts, family, who) for (who, family), counts in sorted(groups.items()))


def tally(counts: Iterable[DeliveryCount], family: Family, receiver: str = "") -> Tally:
    """What became of those of *counts* that went over *family*."""
    from mailmend.receivers import load

    mine = [c for c in counts if c.family == family]
    return Tally(
        receiver=receiver,
        family=family,
        sent=sum(c.count for c in mine if c.status == "sent"),
        total=sum(c.count for c in mine),
        refused=_refused(mine, load()),
        last_sent=max((c.last for c in mine if c.status == "sent"), default=None),
    )


def taken_since(refused: Refused, *seen: Tally | None) -> datetime | None:
    """When mail was last taken, if that is a day or more after the last of these refusals; else None.

    A day of real mail says that it is over; one message that passes proves nothing.
    """
    last = max((tally.last_sent for tally in seen if tally and tally.last_sent), default=None)
    return last if last is not None and last - refused.last >= _OVER else None


def known_as(receiver: str) -> str:
    """What people call a receiver, for sentences; its id where it has no page."""
    from mailmend.receivers import load

    return next((r.name for r in load() if r.id == receiver), receiver)


def over(tally: Tally) -> str:
    """`over IPv6`, for sentences."""
    return "over IPv6" if tally.family == "ipv6" else "over IPv4"


def _refused(counts: list[DeliveryCount], known: tuple[Receiver, ...]) -> tuple[Refused, ...]:
    from mailmend.parse.reply import source_ip

    out: dict[tuple[str, str | None], Refused] = {}
    for count in counts:
        cause = None if count.status == "sent" else cause_of(count, known)
        if cause is None:
            continue
        ip = source_ip(count.text)
        before = out.get((cause, ip))
        latest = before if before and before.last > count.last else None
        out[cause, ip] = Refused(
            cause,
            ip,
            count.count + (before.count if before else 0),
            latest.text if latest else count.text,
            latest.last if latest else count.last,
        )
    return tuple(out.values())


def cause_of(count: DeliveryCount, known: tuple[Receiver, ...]) -> str | None:
    """The cause that the receiver's own rules give these refusals, None where no rule matches."""
    from mailmend.receivers import match

    reply = Reply(count.code, count.dsn, count.text)
    found = match(
        Delivery(
            count.status if count.status != "sent" else "delivered",
            reply=reply,
            relay=Relay(count.relay_host, None),
        ),
        known,
    )
    return found.rule.cause if found else None
