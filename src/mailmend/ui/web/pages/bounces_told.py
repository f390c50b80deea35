"""A report and what is wanted of it -> what the page Bounces draws: figures, groups, the plot, links to bookmark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec

from mailmend.ui import figures
from mailmend.ui.show import reports

if TYPE_CHECKING:
    from datetime import datetime

    from mailmend.jobs.report import Told
    from mailmend.model import Cause
    from mailmend.road.report import Report, Row

NONE = "-"  # what has no receiver that is known, or reached no host
DAYS = {1: "1 day", 2: "2 days", 7: "7 days", 30: "30 days", 0: "all there is"}
_STEPS = 800  # of the plot: more than a month by the hour
_MOST = 60  # groups on the page
_HIT = 10

Family = Literal["", "ipv4", "ipv6", "-"]


class Wanted(msgspec.Struct):
    """Which deliveries: "" is any. *days* back from now, 0: all. *again*: looked at anew."""

    receiver: Annotated[str, msgspec.Meta(max_length=100)] = ""
    cause: Annotated[str, msgspec.Meta(max_length=100)] = ""
    family: Family = ""
    days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 7
    again: bool = False

    def link(self, path: str = "/bounces", **others: str | int) -> str:
        """The address of this, with *others* in its place."""
        fields = {name: getattr(self, name) for name in ("receiver", "cause", "family", "days")} | others
        told = {name: each for name, each in fields.items() if each != ("" if name != "days" else 7)}
        return f"{path}?{urlencode(told, errors='replace')}" if told else path

    def takes(self, receiver: str | None, family: str | None, cause: str | None = None) -> bool:
        return (
            self.receiver in ("", receiver or NONE)
            and self.family in ("", family or NONE)
            and self.cause in ("", cause or "unknown")
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Failures of one cause at one receiver over one family; *rows* by status."""

    cause: str
    title: str
    receiver: str | None
    family: str | None
    rows: tuple[Row, ...]
    link: str

    @property
    def count(self) -> int:
        return sum(row.count for row in self.rows)

    def of(self, status: str) -> int:
        return sum(row.count for row in self.rows if row.place.status == status)

    @property
    def who(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(who for row in self.rows for who in row.who))

    @property
    def forwarded(self) -> int:
        return sum(row.forwarded for row in self.rows)

    @property
    def last(self) -> datetime | None:
        return max((row.last for row in self.rows if row.last), default=None)

    @property
    def first(self) -> datetime | None:
        return min((row.first for row in self.rows if row.first), default=None)

    @property
    def domains(self) -> list[tuple[str, int]]:
        return _added(row.domains for row in self.rows)

    @property
    def senders(self) -> list[tuple[str, int]]:
        return _added(row.senders for row in self.rows)

    @property
    def texts(self) -> list[str]:
        return list(dict.fromkeys(row.text for row in self.rows if row.text))

    @property
    def where(self) -> str:
        """`Google over IPv6`."""
        over = figures.family(self.family)
        return f"{figures.name(self.receiver)} over {over}" if over else figures.name(self.receiver)


def _added(names: Iterable[Sequence[tuple[str, int]]]) -> list[tuple[str, int]]:
    sums: Counter[str] = Counter()
    for each in names:
        sums.update(dict(each))
    return sorted(sums.items(), key=lambda one: (-one[1], one[0]))[:_HIT]


def groups(found: Report, wanted: Wanted, causes: Mapping[str, Cause]) -> list[Group]:
    """The failures that are wanted, most frequent first."""
    rows: dict[tuple[str, str | None, str | None], list[Row]] = {}
    for row in found.rows:
        at = row.place
        if at.status != "sent" and wanted.takes(at.receiver, at.family, at.cause):
            rows.setdefault((at.cause or "unknown", at.receiver, at.family), []).append(row)
    out = []
    for (cause, receiver, family), alike in rows.items():
        page = causes.get(cause)
        link = wanted.link(
            "/bounces/group", cause=cause, receiver=receiver or NONE, family=family or NONE
        )  # fmt: skip
        title = page.title if page else cause if cause != "unknown" else "No rule here knows why"
        out.append(Group(cause, title, receiver, family, tuple(alike), link))
    return sorted(out, key=lambda group: (-group.count, group.cause, group.receiver or ""))


def drawn(told: Told, wanted: Wanted, causes: Mapping[str, Cause]) -> dict[str, Any]:
    """What `_bounces_told.html` draws."""
    found = told.report
    every = groups(found, wanted, causes)
    rows = [r for r in found.rows if wanted.takes(r.place.receiver, r.place.family, r.place.cause)]
    hours = tuple(
        each for each in found.hours if wanted.takes(each[0].receiver, each[0].family, wanted.cause)
    )
    counts = Counter[str]()
    for row in rows if wanted.cause else ():
        counts[row.place.status] += row.count
    if not wanted.cause:
        for at, count in hours:
            counts[at.status] += count
    turns = [
        turn for turn in told.turns if wanted.takes(turn.receiver, turn.family or wanted.family, wanted.cause)
    ]
    notes = [
        n for n in reports.report(told)["findings"] if wanted.takes(n["receiver"], n["family"], n["cause"])
    ]
    plot = _plot(replace(found, hours=hours), {turn.change: turn.at for turn in told.turns})
    return {
        "found": found,
        "stored": figures.stored(found) if told.store else "",
        "counts": counts,
        "groups": every[:_MOST],
        "more_groups": len(every) - _MOST,
        "notes": notes,
        "turns": turns,
        "waits": [w for w in found.waits or () if wanted.takes(w.receiver, w.family, w.cause)][:_MOST],
        "plot": plot,
        "choices": _choices(found, wanted, causes),
    }  # fmt: skip


def _choices(found: Report, wanted: Wanted, causes: Mapping[str, Cause]) -> dict[str, list[tuple[str, str]]]:
    """What can be chosen, by field: value and name. What was asked for is among it, whether it is there or not."""
    bad = [row.place for row in found.rows if row.place.status != "sent"]
    receivers = {place.receiver or NONE: figures.name(place.receiver) for place in bad}
    named = {place.cause or "unknown" for place in bad}
    if wanted.receiver:
        receivers.setdefault(wanted.receiver, wanted.receiver)
    if wanted.cause:
        named.add(wanted.cause)
    return {
        "receiver": sorted(receivers.items(), key=lambda each: each[1].casefold()),
        "cause": sorted((name, name) for name in named),
        "family": [("ipv6", "IPv6"), ("ipv4", "IPv4"), (NONE, "no host reached")],
        "days": [(str(number), says) for number, says in DAYS.items()],
    }


def _plot(found: Report, marks: dict[str, datetime]) -> dict[str, Any] | None:
    """Failures over time by family, and when something was changed; None where there is nothing to draw.

    `json` is for the script, `rows` for a table: when a step begins, and what failed in it over each family.
    """
    axis = figures.axis(found, _STEPS)
    failed = figures.failures(found, axis)
    begins = [axis.begins(number) for number in range(axis.count)]
    if not failed or not begins or begins[0] is None:
        return None
    series = [
        {"name": name or "no host reached", "y": [step.total() for step in steps]}
        for name, steps in failed.items()
    ]
    offset = begins[0].utcoffset()
    data = {
        "x": [int(each.timestamp()) for each in begins if each],
        "step": int(axis.step.total_seconds()),
        "offset": int(offset.total_seconds()) if offset else 0,
        "series": series,
        "marks": [{"id": change, "at": int(at.timestamp())} for change, at in marks.items()],
    }
    names = [str(one["name"]) for one in series]
    rows = [
        (figures.moment(begins[number]), [counts[number] for counts in (s["y"] for s in series)])
        for number in range(axis.count)
        if any(s["y"][number] for s in series)
    ]
    return {
        "json": json.dumps(data, separators=(",", ":")),
        "step": axis.says,
        "names": names,
        "rows": rows[-200:],
        "marks": [(change, figures.moment(at)) for change, at in marks.items()],
        "zone": figures.zone(found),
    }
