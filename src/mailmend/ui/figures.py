"""A report's figures as screens and pages draw them: a line for each receiver and family, failures over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailmend.facts.receiver_log import known_as

if TYPE_CHECKING:
    from mailmend.road.report import Report

_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6", None: ""}


@dataclass(slots=True)
class Line:
    """Deliveries to one receiver over one family. *over_time*: (failed, all) for each hour of the report."""

    name: str
    short: str
    family: str
    counts: Counter[str] = field(default_factory=Counter)
    over_time: list[tuple[int, int]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def failed(self) -> int:
        return self.total - self.counts["sent"]


def name(receiver: str | None) -> str:
    return known_as(receiver) if receiver else "others"


def family(of: str | None) -> str:
    return _FAMILIES.get(of, "")


def lines(found: Report) -> list[Line]:
    """One line for each receiver and family, those with most failures first."""
    out: dict[tuple[str | None, str | None], Line] = {}
    hours = list(dict.fromkeys(at.hour for at, _ in found.hours))
    series: dict[tuple[str | None, str | None], dict[str, list[int]]] = {}
    for at, count in found.hours:
        place: tuple[str | None, str | None] = (at.receiver, at.family)
        line = out.setdefault(place, Line(name(at.receiver), at.receiver or "others", family(at.family)))
        line.counts[at.status] += count
        pair = series.setdefault(place, {}).setdefault(at.hour, [0, 0])
        pair[0] += count if at.status != "sent" else 0
        pair[1] += count
    for at_place, line in out.items():
        mine = series[at_place]
        line.over_time = [(mine[hour][0], mine[hour][1]) if hour in mine else (0, 0) for hour in hours]
    return sorted(out.values(), key=lambda line: (-line.failed, -line.total, line.name, line.family))


def resampled(over_time: Sequence[tuple[int, int]], points: int) -> list[float | None]:
    """The share that failed, in at most so many points; None where there was no mail."""
    wide = max(-(-len(over_time) // max(points, 1)), 1)
    out: list[float | None] = []
    for start in range(0, len(over_time), wide):
        part = over_time[start : start + wide]
        total = sum(every for _, every in part)
        out.append(sum(failed for failed, _ in part) / total if total else None)
    return out
