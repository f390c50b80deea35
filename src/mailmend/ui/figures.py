"""A report's figures as screens and pages draw them: a line for each receiver and family, failures over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailmend.facts.receiver_log import known_as

if TYPE_CHECKING:
    from mailmend.road.report import Report
    from mailmend.road.tally import HourPlace

_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6", None: ""}
_STEPS = (1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 168, 336, 672)  # hours
_NAME = 48  # characters of a name in a list
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Axis:
    """*count* steps of time from *start* on, in this host's zone. A report without hours has none."""

    start: datetime | None
    step: timedelta
    count: int
    places: dict[datetime, int] = field(default_factory=dict)

    def place(self, hour: datetime | None) -> int | None:
        """In which step *hour*, one of the report's, falls."""
        return self.places.get(hour) if hour else None

    def begins(self, number: int) -> datetime | None:
        """When that step begins, on this host's clocks."""
        return (self.start + number * self.step).astimezone() if self.start else None

    @property
    def says(self) -> str:
        """`3 h`, `2 days`: what one step is."""
        hours = self.step // _HOUR
        return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def axis(found: Report, most: int) -> Axis:
    """The time of the report in at most so many steps, whole hours each; there is a step for hours without mail too."""
    hours = {at.hour for at, _ in found.hours if at.hour}
    if not hours:
        return Axis(None, _HOUR, 0)
    start = min(hours).astimezone()
    start -= timedelta(minutes=start.minute, seconds=start.second, microseconds=start.microsecond)
    long = (max(hours) - start) // _HOUR + 1
    least = found.step // _HOUR
    step = next((each for each in _STEPS if -(-long // each) <= most and each >= least), 0)
    step = step or -(-long // (most * least)) * least
    places = {hour: (hour - start) // (step * _HOUR) for hour in hours}
    return Axis(start, step * _HOUR, -(-long // step), places)


@dataclass(slots=True)
class Line:
    """Deliveries to one receiver over one family. *hours*: when an hour began -> how many failed in it, of how many."""

    name: str
    short: str
    family: str
    counts: Counter[str] = field(default_factory=Counter)
    hours: dict[datetime, tuple[int, int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def failed(self) -> int:
        return self.total - self.counts["sent"]

    def shares(self, over: Axis) -> list[float | None]:
        """The share that failed in each step; None where there was no mail."""
        sums = [[0, 0] for _ in range(over.count)]
        for hour, (failed, every) in self.hours.items():
            if (at := over.place(hour)) is not None:
                sums[at][0] += failed
                sums[at][1] += every
        return [failed / every if every else None for failed, every in sums]


def name(receiver: str | None) -> str:
    return known_as(receiver) if receiver else "others"


def family(of: str | None) -> str:
    return _FAMILIES.get(of, "")


def lines(found: Report) -> list[Line]:
    """One line for each receiver and family, those with most failures first."""
    out: dict[tuple[str | None, str | None], Line] = {}
    for at, count in found.hours:
        line = out.setdefault(
            (at.receiver, at.family), Line(name(at.receiver), at.receiver or "others", family(at.family))
        )
        line.counts[at.status] += count
        if at.hour:
            failed, every = line.hours.get(at.hour, (0, 0))
            line.hours[at.hour] = (failed + (count if at.status != "sent" else 0), every + count)
    return sorted(out.values(), key=lambda line: (-line.failed, -line.total, line.name, line.family))


def by_status(found: Report, over: Axis) -> list[Counter[str]]:
    """The deliveries of each step, by status."""
    return _steps(over, found.hours)


def failures(found: Report, over: Axis) -> dict[str, list[Counter[str]]]:
    """Family (`""`: no host was reached) -> what failed in each step, by status; only those in which something did."""
    groups: dict[str, list[tuple[HourPlace, int]]] = {}
    for each in found.hours:
        if each[0].status != "sent" and over.place(each[0].hour) is not None:
            groups.setdefault(family(each[0].family), []).append(each)
    return {name: _steps(over, groups[name]) for name in sorted(groups, reverse=True)}


def _steps(over: Axis, hours: Iterable[tuple[HourPlace, int]]) -> list[Counter[str]]:
    out = [Counter[str]() for _ in range(over.count)]
    for at, count in hours:
        if (place := over.place(at.hour)) is not None:
            out[place][at.status] += count
    return out


def moment(at: datetime | None, *, year: bool = False) -> str:
    """A time on this host's clocks, to the minute: `Nov 22 10:56`; "?" where nobody knows."""
    if at is None:
        return "?"
    return f"{at.astimezone():{'%Y-%m-%d' if year else '%b %d'} %H:%M}"


def zone(found: Report) -> str:
    """The zone that times are shown in, this host's at the end of the log: `UTC`, `UTC+01:00`."""
    end = (found.span[1] or datetime.now().astimezone()).astimezone()
    return f"UTC{end.isoformat()[-6:]}" if end.utcoffset() else "UTC"


def stored(found: Report) -> str:
    """What is different in a report that the delivery store gives."""
    by = "day" if found.step > _HOUR else "hour"
    waits = (
        "what still waits is not in it" if found.waits is None else "what still waits is as the queue is now"
    )
    return f"From the delivery store, by the {by}; {waits}: --no-stored reads the log."


def number(count: int) -> str:
    """`1,204`."""
    return f"{count:,}"


def share_of(count: int, total: int) -> str:
    """`12 of 30`, `all`."""
    return "all" if count == total else f"{number(count)} of {number(total)}"


def _short(name: str) -> str:
    """The ends of a long name: here many stand side by side, whole they are in the JSON."""
    return name if len(name) <= _NAME else f"{name[: _NAME // 2]}...{name[-_NAME // 2 :]}"


def hit(names: Iterable[tuple[str, int]], most: int) -> str:
    """`gmail.com (120), example.org (3), ...`: the first of them."""
    every = list(names)
    told = [f"{_short(each) or '<>'} ({number(count)})" for each, count in every[:most]]
    return ", ".join([*told, "..."] if len(every) > most else told)
