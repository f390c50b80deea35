"""Counts of a span of time out of the roll-ups: whole days as days, what is left at both ends by the hour.

A year has some hundred thousand rows by day, and millions by hour.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

from mailmend.system.store import times

LAST = 1 << 60  # the end of all
LONG = 62 * 86400  # seconds; of longer spans the names that were hit, and delays, are told by whole months
# A place at a time, so that the key serves: a cross join is done in the order in which it is written (SQLite's manual,
# "The SQLite Query Optimizer Overview", 7.3).
_HOURS = """select h.place, h.hour, h.count, h.forwarded from places p
    cross join hours h on h.place=p.id and h.hour>=?1 and h.hour<?2
    where ?3 is null or p.id in (select value from json_each(?3))"""
_DAYS = """select d.place, d.day, d.count, d.forwarded from places p
    cross join place_days d on d.place=p.id and d.day>=?1 and d.day<?2
    where ?3 is null or p.id in (select value from json_each(?3))"""

Row = tuple[int, int, int, int]  # place, when, count, forwarded


def by_hour(
    db: sqlite3.Connection, start: int, end: int, places: Iterable[int] | None = None
) -> Iterator[Row]:
    """The hours that begin in between, of *places* or of all."""
    yield from db.execute(_HOURS, (start, end, _listed(places)))


def by_day(
    db: sqlite3.Connection, start: int, end: int, places: Iterable[int] | None = None
) -> Iterator[Row]:
    """The same, added up by day; of a day that is only partly in it the hours, each as its day."""
    for begin, finish in _edges(start, end):
        for place, hour, count, forwarded in by_hour(db, begin, finish, places):
            yield place, times.day(hour), count, forwarded
    if days := _days(start, end):
        yield from db.execute(_DAYS, (*days, _listed(places)))


def together(
    db: sqlite3.Connection, start: int, end: int, places: Iterable[int], *, days: bool
) -> dict[int, int]:
    """How many there are of all *places*, by the hour or by the *days* (`by_hour`, `by_day`): added up by SQLite."""
    found: Counter[int] = Counter()
    for begin, finish in _edges(start, end) if days else ((start, end),):
        for hour, count in _added_up(db, _HOURS, "h.hour", (begin, finish, _listed(places))):
            found[times.day(hour) if days else hour] += count
    if days and (whole := _days(start, end)):
        found.update(dict(_added_up(db, _DAYS, "d.day", (*whole, _listed(places)))))
    return found


def _added_up(
    db: sqlite3.Connection, rows: str, when: str, asked: tuple[int, int, str | None]
) -> Iterable[tuple[int, int]]:
    """*rows* (`_HOURS`, `_DAYS`) of several places as one."""
    told = rows.replace(rows.partition(" from ")[0], f"select {when}, sum(count)")
    return db.execute(f"{told} group by 1", asked)


def _days(start: int, end: int) -> tuple[int, int] | None:
    """From where to where whole days are; None where there is none."""
    first = start if times.day(start) == start else times.next_day(start)
    last = end if end == LAST else times.day(end)
    return (first, last) if first < last else None


def _edges(start: int, end: int) -> tuple[tuple[int, int], ...]:
    """What is left before and after the whole days."""
    days = _days(start, end)
    both = ((start, days[0]), (days[1], end)) if days else ((start, end),)
    return tuple((begin, finish) for begin, finish in both if begin < finish)


def _listed(places: Iterable[int] | None) -> str | None:
    return None if places is None else json.dumps(list(places))


def of_places(db: sqlite3.Connection, start: int, end: int) -> dict[int, tuple[int, int]]:
    """Of each place how many, and how many of them were forwarded."""
    found: dict[int, tuple[int, int]] = {}
    asked = [(_HOURS, "h", edge) for edge in _edges(start, end)]
    asked += [(_DAYS, "d", days)] if (days := _days(start, end)) else []
    for rows, of, (begin, finish) in asked:
        added_up = rows.replace(
            rows.partition(" from ")[0], f"select p.id, sum({of}.count), sum({of}.forwarded)"
        )
        for place, count, forwarded in db.execute(f"{added_up} group by p.id", (begin, finish, None)):
            before = found.get(place, (0, 0))
            found[place] = before[0] + count, before[1] + forwarded
    return found


def spell(db: sqlite3.Connection, start: int, end: int) -> tuple[str, str, int]:
    """By what the rarer roll-ups are asked: the prefix of their tables, their column, and from when on."""
    if end == LAST or start == 0:
        first, last = db.execute("select min(first), max(last) from seen").fetchone()
        start, end = max(start, first or 0), min(end, last or 0)
    return ("month_", "month", times.month(start)) if end - start > LONG else ("", "day", times.day(start))
