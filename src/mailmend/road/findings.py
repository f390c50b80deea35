"""What was counted -> what follows from it: what is wrong, since when, who is hit, and the command that goes on.

A refusal is told as a share of all deliveries to that receiver over that family, beside the other family: that is the
experiment which the log has already made. What nobody on this side can change (a full mailbox) is counted, and no
finding.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailmend import catalogue
from mailmend.facts.receiver_log import IDENTITY, known_as
from mailmend.model import Family
from mailmend.road.tally import Place

if TYPE_CHECKING:
    from mailmend.road.report import Row, Waits
    from mailmend.road.through import Fell

FEW = 5  # refusals below which no share is told
LONG = timedelta(hours=4)  # that mail may wait before it is told: what is usual as delay_warning_time
_OURS = ("own-mta", "sender-dns", "sender-domain-owner", "sender-volume")


@dataclass(frozen=True, slots=True)
class Note:
    """*says* is the whole as one sentence, *why* the cause's title; *command* cures it where *cures*, else looks.

    *count* deliveries went so, *forwarded* of them on their way to another address, *first* to *last*. *domains* and
    *senders* are those hit most, with how often.
    """

    cause: str | None
    receiver: str | None
    family: Family | None
    says: str
    command: str | None
    cures: bool = False
    why: str = ""
    count: int = 0
    forwarded: int = 0
    first: datetime | None = None
    last: datetime | None = None
    domains: tuple[tuple[str, int], ...] = ()
    senders: tuple[tuple[str, int], ...] = ()


def findings(
    rows: Sequence[Row],
    fell: Counter[Fell],
    waits: Sequence[Waits],
    unparsed: int,
    ended: datetime | None,
) -> tuple[Note, ...]:
    """What can be cured first, then what has to be looked at; *ended* is the log's end."""
    return (
        *sorted(_families(rows), key=lambda note: -note.count),
        *sorted((*_through(rows, fell), *_others(rows)), key=lambda note: -note.count),
        *_waiting(waits, ended),
        *_unread(unparsed),
    )


def _note(rows: Sequence[Row], says: str, command: str | None, *, cures: bool = False) -> Note:
    """One about *rows*, of which the most frequent names the cause; receiver and family where all have the same."""
    worst = max(rows, key=lambda row: row.count)
    who, over = ({row.place.receiver for row in rows}, {row.place.family for row in rows})
    domains, senders = Counter[str](), Counter[str]()
    for row in rows:
        domains.update(dict(row.domains))
        senders.update(dict(row.senders))
    return Note(
        worst.place.cause,
        worst.place.receiver if len(who) == 1 else None,
        worst.place.family if len(over) == 1 else None,
        says,
        command,
        cures,
        title(worst.place.cause),
        sum(row.count for row in rows),
        sum(row.forwarded for row in rows),
        min((row.first for row in rows if row.first), default=None),
        max((row.last for row in rows if row.last), default=None),
        tuple(domains.most_common(10)),
        tuple(senders.most_common(10)),
    )


def title(cause: str | None) -> str:
    """What people call a cause: the title of its page."""
    page = catalogue.load().causes.get(cause or "")
    return page.title if page else ""


def _families(rows: Iterable[Row]) -> Iterable[Note]:
    """Receivers that refuse this host for who it is, and how that differs between the families."""
    totals: Counter[tuple[str, Family]] = Counter()
    refused: dict[tuple[str, Family], list[Row]] = {}
    for row in rows:
        who, over, _, cause = row.place
        if who and over:
            totals[who, over] += row.count
            if cause in IDENTITY:
                refused.setdefault((who, over), []).append(row)
    counts = {at: sum(row.count for row in found) for at, found in refused.items()}
    told = set[str]()
    for (who, over), count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        if count < FEW or who in told:
            continue
        told.add(who)
        found = refused[who, over]
        worst = max(found, key=lambda row: row.count)
        other: Family = "ipv4" if over == "ipv6" else "ipv6"
        says = f"{known_as(who)} refuses {share(count, totals[who, over])} over {word(over)}"
        if totals[who, other]:
            says += f" and {share(counts.get((who, other), 0), totals[who, other])} over {word(other)}"
        if counts.get((who, other), 0) >= FEW:
            found = [*found, *refused[who, other]]
        domain = worst.domains[0][0] if worst.domains else ""
        cures = any(_curable(row.place.cause) for row in found)
        yield _note(
            found,
            f"{says}: {sum(row.count for row in found):,} deliveries",
            _fix(domain) if cures else f"mailmend explain --cause {worst.place.cause}",
            cures=cures,
        )


def _curable(cause: str | None) -> bool:
    """Whether `mailmend fix` has more for it than holding the mail back."""
    page = catalogue.load().causes.get(cause or "")
    every = {*page.remedies, *(page.forwarded_remedies or ())} if page else set()
    return bool(every - {"hold"})


def _fix(domain: str) -> str:
    return f"mailmend fix {domain}".strip() if _plain(domain) else "mailmend fix"


def _through(rows: Sequence[Row], fell: Counter[Fell]) -> Iterable[Note]:
    """What one family put off and the other refused for good: not what no family could have delivered."""
    told = {row.place: row for row in rows}
    groups: dict[tuple[str | None, Family], Counter[str]] = {}
    for (who, over, cause), count in fell.items():
        row = told.get(Place(who, over, "bounced", cause))
        if row is None or row.who[:1] != ("recipient",):
            groups.setdefault((who, over), Counter())[cause] += count
    for (who, over), causes in sorted(groups.items(), key=lambda each: -each[1].total()):
        cause = min(causes, key=lambda each: (-causes[each], each))
        before = word("ipv4" if over == "ipv6" else "ipv6")
        cures = cause in IDENTITY and _curable(cause)
        yield Note(
            cause,
            who,
            over,
            f"{known_as(who) if who else 'Others'}: {causes.total():,} put off over {before} came back for good over "
            f"{word(over)}; over {before} alone they would have been tried again",
            "mailmend fix" if cures else "mailmend check",
            cures,
            title(cause),
            causes.total(),
        )


def _others(rows: Iterable[Row]) -> Iterable[Note]:
    """Mail that came back for another cause on this side: whom it is about is the same everywhere, so one a cause."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        cause = row.place.cause
        ours = bool(set(row.who[:1]) & set(_OURS))
        if cause and ours and cause not in IDENTITY and row.place.status == "bounced":
            groups.setdefault(cause, []).append(row)
    for cause, found in sorted(groups.items(), key=lambda each: -sum(row.count for row in each[1])):
        count = sum(row.count for row in found)
        if count < FEW:
            continue
        by = Counter[str | None]()
        for row in found:
            by[row.place.receiver] += row.count
        most, often = by.most_common(1)[0]
        whose = known_as(most) if most else "various hosts"
        most_of = "all" if often == count else f"most ({often:,})"
        says = f"{count:,} bounced for {cause}, {most_of} at {whose}"
        yield _note(found, says, f"mailmend explain --cause {cause}")


def _waiting(waits: Sequence[Waits], ended: datetime | None) -> Iterable[Note]:
    """Mail that waits for long, at the end of the log."""
    late = [(each.since, each) for each in waits if each.since and ended and ended - each.since >= LONG]
    if not late:
        return
    count, (_, oldest) = sum(each.count for each in waits), min(late, key=lambda each: each[0])
    whose = known_as(oldest.receiver) if oldest.receiver else "another host"
    yield Note(
        oldest.cause,
        oldest.receiver,
        oldest.family,
        f"{count:,} deferred are still in the queue when the log ends, longest that for {whose}",
        f"mailmend trace {oldest.queue_id}",
        why=title(oldest.cause),
        count=count,
        first=oldest.since,
        last=max((each.tried for each in waits if each.tried), default=None),
    )


def _unread(unparsed: int) -> Iterable[Note]:
    if unparsed:
        yield Note(
            None,
            None,
            None,
            f"{unparsed:,} lines begin like an outcome and cannot be read: they are in none of the counts",
            None,
            count=unparsed,
        )


def _plain(domain: str) -> bool:
    """Whether it can be typed as it is."""
    return re.fullmatch(r"[a-z0-9][a-z0-9.-]*", domain) is not None


def share(count: int, total: int) -> str:
    """`51 %`, and `0.3 %` of what is less than one."""
    percent = 100 * count / total
    return f"{percent:.0f} %" if percent >= 1 or not count else f"{percent:.1f} %"


def word(family: Family) -> str:
    return "IPv6" if family == "ipv6" else "IPv4"
