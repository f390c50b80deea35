"""Counts of a span of time out of the roll-ups: whole days as days, what is left at both ends by the hour.

A year has some hundred thousand rows by day, and millions by hour.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from mailmend.system.store import times

LAST = 1 << 60  # the end of all
LONG = 62 * 86400  # seconds; of longer spans the names that were hit, and delays, are told by whole months
# A place at a time, so that the key serves.
_HOURS = """select h.place, h.hour, h.count, h.forwarded from places p
    join hours h on h.place=p.id and h.hour>=? and h.hour<?"""
_DAYS = """select d.place, d.day, d.count, d.forwarded from places p
    join place_days d on d.place=p.id and d.day>=? and d.day<?"""

Row = tuple[int, int, int, int]  # place, when, count, forwarded


def by_hour(db: sqlite3.Connection, start: int, end: int) -> Iterator[Row]:
    """The hours that begin in between."""
    yield from db.execute(_HOURS, (start, end))


def by_day(db: sqlite3.Connection, start: int, end: int) -> Iterator[Row]:
    """The same, added up by day; of a day that is only partly in it the hours, each as its day."""
    first = start if times.day(start) == start else times.next_day(start)
    last = end if end == LAST else times.day(end)
    if first >= last:
        first = last = end
    for begin, finish in ((start, min(first, end)), (max(first, last), end)):
        if begin < finish < LAST:
            for place, hour, count, forwarded in by_hour(db, begin, finish):
                yield place, times.day(hour), count, forwarded
    if first < last:
        yield from db.execute(_DAYS, (first, last))


def of_places(db: sqlite3.Connection, start: int, end: int) -> dict[int, tuple[int, int]]:
    """Of each place how many, and how many of them were forwarded."""
    found: dict[int, tuple[int, int]] = {}
    for place, _, count, forwarded in by_day(db, start, end):
        before = found.get(place, (0, 0))
        found[place] = before[0] + count, before[1] + forwarded
    return found


def spell(db: sqlite3.Connection, start: int, end: int) -> tuple[str, str, int]:
    """By what the rarer roll-ups are asked: the prefix of their tables, their column, and from when on."""
    if end == LAST or start == 0:
        first, last = db.execute("select min(first), max(last) from seen").fetchone()
        start, end = max(start, first or 0), min(end, last or 0)
    return ("month_", "month", times.month(start)) if end - start > LONG else ("", "day", times.day(start))
