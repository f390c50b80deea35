"""`queries.Deliveries` out of SQLite: each answer is read at one moment, out of roll-ups wherever they do."""

from __future__ import annotations

import heapq
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mailmend.model import Family
from mailmend.parse.logscan import Failed
from mailmend.system.store import schema, sums, texts, times
from mailmend.system.store.queries import (
    Count,
    HourPlace,
    Kept,
    Place,
    Refused,
    Source,
    Standing,
    Summary,
)

DOMAINS, SENDERS = 0, 1  # kinds of hits
BY_HOUR = timedelta(days=8)  # of longer spans only days are told
_MOST_OVER_ALL = 20  # and of all places together
_MOST = 10  # domains and senders of a place that are told
_FAMILIES: dict[int | None, Family | None] = {4: "ipv4", 6: "ipv6", None: None}
_WHOLE = """select f.at, f.place, a.host, a.tag, f.pid, f.queue_id, f.sender, s.name, f.local, d.name, f.original,
    r.host, r.ip, f.delays, n.name, w.name, t.template, f.given
    from failed f join agents a on a.id = f.agent join names d on d.id = f.domain join names n on n.id = f.dsn
    join texts t on t.id = f.text left join names s on s.id = f.sender_domain left join relays r on r.id = f.relay
    left join names w on w.id = f.word """


class Store:
    """The store in *folder*, for reading."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = schema.file(folder)

    def span(self) -> tuple[datetime | None, datetime | None]:
        with self._open() as db:
            return _span(db)

    def refusals(
        self, receiver: str | None, family: Family | None, since: datetime, newest: int = 100
    ) -> Refused:
        with self._open() as db:
            places = _places(db)
            start = int(since.timestamp())
            these = {n: p for n, p in places.items() if (p.receiver, p.family) == (receiver, family)}
            causes: dict[str, int] = defaultdict(int)
            days: dict[tuple[int, str], int] = defaultdict(int)
            total = 0
            rows: list[tuple[Any, ...]] = []
            for number, day, count, _ in sums.by_day(db, start - start % 3600, sums.LAST, these):
                total += count
                if these[number].status != "sent":
                    cause = these[number].cause or "unknown"
                    causes[cause] += count
                    days[day, cause] += count
            for number, place in these.items():
                if place.status != "sent":
                    rows += db.execute(
                        f"{_WHOLE}where f.place=? and f.at>=? order by f.at desc limit ?",
                        (number, start, newest),
                    )
            rows.sort(key=lambda row: -row[0])
            return Refused(
                sum(causes.values()),
                total,
                tuple(sorted(causes.items(), key=lambda each: (-each[1], each[0]))),
                tuple((times.local(day), cause, count) for (day, cause), count in sorted(days.items())),
                tuple(_kept(row, places) for row in rows[:newest]),
            )

    def counts(self, since: datetime | None = None, until: datetime | None = None) -> tuple[Count, ...]:
        with self._open() as db:
            return _counts(db, *_bounds(since, until))

    def report(self, since: datetime | None = None, until: datetime | None = None) -> Summary:
        with self._open() as db:
            start, end = _bounds(since, until)
            at = (start, end)
            table, when, begins = sums.spell(db, start, end)
            hits, over_all = _hits(db, f"{table}hits", when, (begins, end))
            lines, unparsed, messages, first, last = db.execute(
                "select total(lines), total(unparsed), total(messages), min(first), max(last) from seen"
                " where hour>=? and hour<?",
                at,
            ).fetchone()
            return Summary(
                lines=int(lines),
                unparsed=int(unparsed),
                messages=int(messages),
                span=(_moment(first), _moment(last)),
                counts=_counts(db, start, end, hits),
                hours=_hours(db, start, end, last - first if last is not None else 0),
                rejected=tuple(
                    db.execute(
                        "select name, sum(count) from rejected join names on id=reason where hour>=? and hour<?"
                        " group by reason order by 2 desc, 1",
                        at,
                    )
                ),
                delays={
                    (receiver or None, part, step): count
                    for receiver, part, step, count in db.execute(
                        f"select receiver, part, class, sum(count) from {table}delays"  # noqa: S608
                        f" where {when}>=? and {when}<? group by 1, 2, 3",
                        (begins, end),
                    )
                },
                fell={
                    (receiver or None, "ipv6" if family == 6 else "ipv4", cause): count
                    for receiver, family, cause, count in db.execute(
                        "select receiver, family, cause, sum(count) from fell where hour>=? and hour<?"
                        " group by 1, 2, 3",
                        at,
                    )
                },
                domains=over_all[DOMAINS],
                senders=over_all[SENDERS],
            )

    def deliveries_of(self, word: str) -> Iterator[Kept]:
        local, _, domain = word.rpartition("@") if "@" in word else (word, "", "")
        asked: list[tuple[str, tuple[str, ...]]] = [("f.queue_id=?", (word,)), ("f.original=?", (word,))]
        if "@" in word:
            asked.append(("f.local=? and d.name=? collate nocase", (local, domain)))
            asked.append(("f.sender=? and f.sender<>'' and s.name=? collate nocase", (local, domain)))
        with self._open() as db:
            places = _places(db)
            rows = [
                row
                for where, given in asked
                for row in db.execute(
                    _WHOLE.replace("select ", "select f.id, ") + f"where {where}",
                    given,
                )
            ]
            for row in sorted(dict.fromkeys(rows), key=lambda row: row[1]):
                yield _kept(row[1:], places)

    def failures_of(self, messages: Mapping[str, datetime]) -> Iterator[Kept]:
        with self._open() as db:
            places = _places(db)
            for queue_id, since in messages.items():
                rows = db.execute(
                    _WHOLE + "where f.queue_id=? and f.at>=? order by f.id",
                    (queue_id, int(since.timestamp())),
                )
                for row in rows:
                    yield _kept(row, places)

    def failures(
        self,
        receiver: str | None = None,
        family: Family | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Kept]:
        start = int(since.timestamp()) if since else 0
        end = int(until.timestamp()) if until else sums.LAST
        with self._open() as db:
            places = _places(db)
            these = [
                number
                for number, place in places.items()
                if place.status != "sent"
                and receiver in (None, place.receiver)
                and family in (None, place.family)
            ]
            marks = ",".join("?" * len(these))
            for row in db.execute(
                f"{_WHOLE}where f.place in ({marks}) and f.at>=? and f.at<? order by f.at, f.id",
                (*these, start, end),
            ):
                yield _kept(row, places)

    def domain(self, name: str, since: datetime | None = None) -> tuple[tuple[datetime, Place, int], ...]:
        with self._open() as db:
            places = _places(db)
            found = db.execute("select id from names where name=?", (name.lower(),)).fetchone()
            start = times.day(int(since.timestamp())) if since else 0
            # Day by day, so that the key serves: a day has thousands of domains.
            days = """with recursive each(day) as (select min(day) from days where day>=? union all
                select (select min(day) from days where day>each.day) from each where each.day is not null)
                select d.day, d.place, d.count from each join days d on d.day=each.day and d.domain=?"""
            rows = db.execute(days, (start, found[0])).fetchall() if found else []
            return tuple((times.local(day), places[place], count) for day, place, count in rows)

    def forwarded(
        self, since: datetime, until: datetime
    ) -> tuple[datetime | None, tuple[tuple[str, Place, int], ...]]:
        with self._open() as db:
            kept = db.execute("select value from meta where name='forwarded_since'").fetchone()
            if kept is None:
                return None, ()
            places = _places(db)
            rows = db.execute(
                "select n.name, f.place, sum(f.count) from forwarded f join names n on n.id=f.sender"
                " where f.day>=? and f.day<? group by 1, 2 order by 3 desc, 1",
                (times.day(int(since.timestamp())), times.day(int(until.timestamp()))),
            ).fetchall()
            return times.local(kept[0]), tuple((name, places[place], count) for name, place, count in rows)

    def sources(self) -> tuple[Source, ...]:
        with self._open() as db:
            return _sources(db)

    def standing(self) -> Standing:
        with self._open() as db:
            meta = dict(db.execute("select name, value from meta"))
            lines, unparsed = db.execute("select total(lines), total(unparsed) from seen").fetchone()
            return Standing(
                path=self.path,
                size=db.execute("pragma page_count").fetchone()[0]
                * db.execute("pragma page_size").fetchone()[0],
                lines=int(lines),
                unparsed=int(unparsed),
                deliveries=int(db.execute("select total(count) from hours").fetchone()[0]),
                failed=db.execute("select count(*) from failed").fetchone()[0],
                span=_span(db),
                keep_days=int(meta.get("keep_days", schema.KEEP_DAYS)),
                sources=_sources(db),
                error=meta.get("error"),
                error_at=_moment(meta.get("error_at")),
            )

    def _open(self) -> Any:
        return schema.to_read(self.folder)


def _places(db: sqlite3.Connection) -> dict[int, Place]:
    return {
        number: Place(receiver, _FAMILIES[family], status, cause)
        for number, receiver, family, status, cause in db.execute(
            "select id, receiver, family, status, cause from places"
        )
    }


def _sources(db: sqlite3.Connection) -> tuple[Source, ...]:
    return tuple(
        Source(Path(path) if path else None, read, count, times.local(at), error)
        for path, read, count, at, error in db.execute(
            "select path, read, lines, at, error from sources order by at desc, id desc"
        )
    )


def _span(db: sqlite3.Connection) -> tuple[datetime | None, datetime | None]:
    first, last = db.execute("select min(first), max(last) from seen").fetchone()
    return _moment(first), _moment(last)


def _bounds(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    start = int(since.timestamp()) if since else 0
    return start - start % 3600, int(until.timestamp()) if until else sums.LAST


def _counts(
    db: sqlite3.Connection,
    start: int,
    end: int,
    hits: dict[tuple[int, int], list[tuple[str, int]]] | None = None,
) -> tuple[Count, ...]:
    found = []
    counted = sums.of_places(db, start, end)
    for number, receiver, family, status, cause, who, text in db.execute("select * from places").fetchall():
        if number not in counted:
            continue
        count, forwarded = counted[number]
        first, last = db.execute(
            "select (select min(hour) from hours where place=?1 and hour>=?2 and hour<?3),"
            " (select max(hour) from hours where place=?1 and hour>=?2 and hour<?3)",
            (number, start, end),
        ).fetchone()
        began, ended = db.execute(
            "select (select min(at) from failed where place=?1 and at>=?2 and at<?3),"
            " (select max(at) from failed where place=?1 and at>=?2 and at<?3)",
            (number, start, end),
        ).fetchone()
        found.append(
            Count(
                Place(receiver, _FAMILIES[family], status, cause),
                count,
                forwarded,
                times.local(began if began is not None else first),
                times.local(ended if ended is not None else last),
                text,
                tuple(who.split()),
                tuple((hits or {}).get((number, DOMAINS), ())),
                tuple((hits or {}).get((number, SENDERS), ())),
            )
        )
    return tuple(sorted(found, key=lambda c: (-c.count, tuple(part or "" for part in c.place))))


_Names = tuple[tuple[str, int, int], ...]


def _hits(
    db: sqlite3.Connection, table: str, when: str, between: tuple[int, int]
) -> tuple[dict[tuple[int, int], list[tuple[str, int]]], dict[int, _Names]]:
    """Of each place and kind the names that were hit most; and of each kind over all places."""
    bounced = {number for number, place in _places(db).items() if place.status == "bounced"}
    names: dict[int, dict[str, list[int]]] = {DOMAINS: {}, SENDERS: {}}
    best: dict[tuple[int, int], list[tuple[str, int]]] = defaultdict(list)
    for place, kind, name, count in db.execute(
        f"select place, kind, name, sum(count) from {table} where {when}>=? and {when}<?"  # noqa: S608
        " group by 1, 2, 3 order by 4 desc, 3",
        between,
    ):
        told = best[place, kind]
        if len(told) < _MOST:
            told.append((name, count))
        names[kind].setdefault(name, [0, 0])[place not in bounced] += count
    return best, {kind: _most(of_kind) for kind, of_kind in names.items()}


def _most(names: dict[str, list[int]]) -> _Names:
    first = heapq.nsmallest(_MOST_OVER_ALL, names.items(), key=lambda each: (-sum(each[1]), each[0]))
    return tuple((name, bounced, deferred) for name, (bounced, deferred) in first)


def _hours(db: sqlite3.Connection, start: int, end: int, length: int) -> tuple[tuple[HourPlace, int], ...]:
    days = length > BY_HOUR.total_seconds()
    groups: dict[tuple[str | None, Family | None, str], list[int]] = defaultdict(list)
    for number, place in _places(db).items():
        groups[place.receiver, place.family, place.status].append(number)
    in_order = sorted(groups, key=lambda group: tuple(part or "" for part in group))
    found = [
        (at, rank, count)
        for rank, group in enumerate(in_order)
        for at, count in sums.together(db, start, end, groups[group], days=days).items()
    ]
    shown = {at: times.local(at) for at in {each[0] for each in found}}
    return tuple((HourPlace(shown[at], *in_order[rank]), count) for at, rank, count in sorted(found))


def _kept(row: tuple[Any, ...], places: dict[int, Place]) -> Kept:
    (at, number, host, tag, pid, queue_id, sender, sender_domain, local, domain, original) = row[:11]
    (relay, ip, delays, dsn, word, template, given) = row[11:]
    place, when = places[number], times.local(at)
    line = Failed(
        when.isoformat(),
        host,
        tag,
        queue_id,
        None if sender is None else _address(sender, sender_domain),
        _address(local, domain or None),
        original,
        relay,
        ip or None,
        delays,
        dsn,
        word or place.status,
        texts.filled(template, given, f"{relay}[{ip}]"),
        pid or "",
    )
    return Kept(when, place, line)


def _address(local: str, domain: str | None) -> str:
    return local if domain is None else f"{local}@{domain}"


def _moment(at: int | None) -> datetime | None:
    return None if at is None else times.local(int(at))
