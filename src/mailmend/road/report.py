"""Deliveries counted -> a report: who refused what, over which family, why, whose mail, and what follows from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailmend.facts.receiver_log import IDENTITY, known_as
from mailmend.model import Family
from mailmend.parse import logscan
from mailmend.road.tally import HourPlace, Place, Sketch, Tally

_FEW = 5  # refusals below which no share is told


@dataclass(frozen=True, slots=True)
class Row:
    """*count* of deliveries that went alike; the most frequent *domains* and *senders*, most frequent first."""

    place: Place
    count: int
    forwarded: int
    text: str = ""
    who: tuple[str, ...] = ()
    domains: tuple[tuple[str, int], ...] = ()
    senders: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Delays:
    """Of the four parts of Postfix's delays= in seconds (before the queue, in it, connecting, sending): median, p95."""

    receiver: str | None
    measured: int
    medians: tuple[float | None, ...]
    p95: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """What the figures say, and the *command* that cures it (or looks closer)."""

    cause: str | None
    receiver: str | None
    family: Family | None
    says: str
    command: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """A log told. *span* is its first and last time; *rows* the most frequent failures first, then what was sent."""

    lines: int
    unparsed: int
    messages: int
    span: tuple[datetime | None, datetime | None]
    rows: tuple[Row, ...]
    rejected: tuple[tuple[str, int], ...]
    delays: tuple[Delays, ...]
    hours: tuple[tuple[HourPlace, int], ...]
    findings: tuple[Note, ...]

    def total(self, *statuses: str) -> int:
        return sum(row.count for row in self.rows if not statuses or row.place.status in statuses)


def report(tally: Tally, span: tuple[datetime | None, datetime | None]) -> Report:
    """What *tally* says, ordered."""
    bad = [
        Row(
            place,
            told.count,
            told.forwarded,
            told.text,
            told.who,
            tuple(told.domains.most_common(10)),
            tuple(told.senders.most_common(10)),
        )
        for place, told in tally.bad.items()
    ]
    good = [Row(place, count, tally.forwarded[place]) for place, count in tally.good.items()]
    rows = (*sorted(bad, key=_order), *sorted(good, key=_order))
    return Report(
        lines=tally.lines,
        unparsed=tally.unparsed,
        messages=tally.messages,
        span=span,
        rows=rows,
        rejected=tuple(sorted(tally.rejected.items(), key=lambda each: (-each[1], each[0]))),
        delays=tuple(
            _delays(who, tally.delays[who]) for who in sorted(tally.delays, key=lambda who: who or "~")
        ),
        hours=tuple(sorted(tally.hours.items(), key=lambda each: tuple(part or "" for part in each[0]))),
        findings=(*_families(rows), *_through(tally), *_unread(tally)),
    )


def _order(row: Row) -> tuple[int, tuple[str, ...]]:
    return -row.count, tuple(part or "" for part in row.place)


def _delays(who: str | None, sketches: tuple[Sketch, ...]) -> Delays:
    return Delays(
        who,
        sum(sketches[0].counts),
        tuple(sketch.quantile(0.5) for sketch in sketches),
        tuple(sketch.quantile(0.95) for sketch in sketches),
    )


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
    for (who, over), count in sorted(counts.items(), key=lambda each: -each[1]):
        if count < _FEW:
            continue
        worst = max(refused[who, over], key=lambda row: row.count)
        other: Family = "ipv4" if over == "ipv6" else "ipv6"
        says = f"{known_as(who)} refuses {_share(count, totals[who, over])} over {_word(over)}"
        if totals[who, other]:
            says += f" and {_share(counts.get((who, other), 0), totals[who, other])} over {_word(other)}"
        domain = worst.domains[0][0] if worst.domains else ""
        yield Note(
            worst.place.cause,
            who,
            over,
            f"{says}: {worst.place.cause}, {count} deliveries",
            f"mailmend fix {domain}".strip() if _plain(domain) else "mailmend fix",
        )


def _plain(domain: str) -> bool:
    """Whether it can be typed as it is."""
    return re.fullmatch(r"[a-z0-9][a-z0-9.-]*", domain) is not None


def _share(count: int, total: int) -> str:
    percent = 100 * count / total
    return f"{percent:.0f} %" if percent >= 1 or not count else f"{percent:.1f} %"


def _word(family: Family) -> str:
    return "IPv6" if family == "ipv6" else "IPv4"


def _through(tally: Tally) -> Iterable[Note]:
    """What one family put off and the other refused for good: not what no family could have delivered."""
    fell: dict[tuple[str | None, Family], Counter[str]] = {}
    for (who, over, cause), count in tally.through.fell.items():
        told = tally.bad.get(Place(who, over, "bounced", cause))
        if told is None or told.who[:1] != ("recipient",):
            fell.setdefault((who, over), Counter())[cause] += count
    for (who, over), causes in sorted(fell.items(), key=lambda each: -each[1].total()):
        cause = causes.most_common(1)[0][0]
        before = _word("ipv4" if over == "ipv6" else "ipv6")
        yield Note(
            cause,
            who,
            over,
            f"{known_as(who) if who else 'Others'}: {causes.total()} put off over {before} came back for good over "
            f"{_word(over)}; over {before} alone they would have been tried again",
            "mailmend fix" if cause in IDENTITY else "mailmend check",
        )


def _unread(tally: Tally) -> Iterable[Note]:
    if tally.unparsed:
        yield Note(None, None, None, f"{tally.unparsed} lines begin like an outcome and cannot be read", None)


# ---- before and after a change -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """What did not go through before a change and after it: counts of (failed, all). The hour of it is in neither."""

    change: str
    at: datetime
    receiver: str
    family: Family
    before: tuple[int, int]
    after: tuple[int, int]


def turns(found: Report, changes: Sequence[tuple[str, datetime]]) -> tuple[Turn, ...]:
    """Of each change, (id, when), each receiver and family that had refusals before it or after it."""
    now = datetime.now().astimezone()
    began = {at.hour: logscan.hour(at.hour, now) for at, _ in found.hours}
    out = []
    for change, when in changes:
        sides: dict[tuple[str, Family], list[list[int]]] = {}
        for at, count in found.hours:
            start = began[at.hour]
            if (
                start is None
                or not at.receiver
                or not at.family
                or start <= when < start + timedelta(hours=1)
            ):
                continue
            side = sides.setdefault((at.receiver, at.family), [[0, 0], [0, 0]])[start > when]
            side[0] += count if at.status != "sent" else 0
            side[1] += count
        for (who, over), ((bad, every), (bad_after, every_after)) in sorted(sides.items()):
            if every and every_after and (bad or bad_after):
                out.append(Turn(change, when, who, over, (bad, every), (bad_after, every_after)))
    return tuple(out)
