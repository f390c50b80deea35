"""What a stretch of the log told, and the place it was read to -> the store, in one transaction or not at all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mailmend.model import Family
from mailmend.parse.logscan import Failed
from mailmend.system.store import identity, schema, texts, times
from mailmend.system.store.identity import Known, Reached, Reading
from mailmend.system.store.ids import NUMBERS, Ids
from mailmend.system.store.queries import Place
from mailmend.system.store.sqlite import DOMAINS, SENDERS

_QUARTER = 900  # midnight is at a quarter of an hour everywhere

PlaceHour = tuple[Place, int]


@dataclass(slots=True)
class Batch:
    """What some of the log told. *sums*: (place, hour) -> how many, and how many of them were forwarded.

    *days*: (day, recipient's domain, place). *failed*: each with its place and time. *seen*: hour -> lines, unparsed,
    messages, time of the first line, of the last. *rejected*: (hour, reason). *delays*: (day, receiver, part 0..3,
    class). *fell*: (hour, receiver, family, cause). *about*: a failure's place -> who must act, one reply.
    *put_off*: (host, queue id, recipient) -> the address families that put it off, 0: none any more. *forwarded*: (day,
    domain of whoever sent it, place) -> how much of his mail was forwarded and taken.
    """

    sums: dict[PlaceHour, list[int]] = field(default_factory=dict)
    days: Counter[tuple[int, str, Place]] = field(default_factory=Counter)
    failed: list[tuple[Place, int, Failed]] = field(default_factory=list)
    seen: dict[int, list[int]] = field(default_factory=dict)
    rejected: Counter[tuple[int, str]] = field(default_factory=Counter)
    delays: Counter[tuple[int, str | None, int, int]] = field(default_factory=Counter)
    fell: Counter[tuple[int, str | None, Family, str]] = field(default_factory=Counter)
    about: dict[Place, tuple[str, str]] = field(default_factory=dict)
    put_off: dict[tuple[str, str, str], int] = field(default_factory=dict)
    forwarded: Counter[tuple[int, str, Place]] = field(default_factory=Counter)

    @property
    def lines(self) -> int:
        return sum(each[0] for each in self.seen.values())


@dataclass(frozen=True, slots=True)
class Position:
    """Where a log was read to, and (*was*) from where on. *cursor*: the journal's.

    *source* None: it is new, and none of *others*, which begin alike.
    """

    source: int | None
    was: int
    read: int
    head: bytes
    tail: bytes
    path: str
    others: tuple[int, ...] = ()
    cursor: str = ""
    was_cursor: str = ""


def position(of: Reading, at: Reached) -> Position:
    """That *of* was read up to *at*, from where it was known to be."""
    known = of.known
    was = known.read if known else 0
    return Position(known.id if known else None, was, at.read, at.head, at.tail, str(of.path), of.others)


class Writer:
    """The store in *folder*, to write. Others may write as well: whoever comes second finds the place read to moved,
    and takes nothing. Every method: Refused, CannotLook where it cannot be done, and then nothing of it was.
    """

    def __init__(self, folder: Path) -> None:
        self.path = schema.file(folder)
        self._db = schema.to_write(folder)
        self._forget()

    def close(self) -> None:
        self._db.close()

    def _forget(self) -> None:
        self._ids = Ids(self._db)

    # ---- where the logs were read to ---------------------------------------------------------

    def known(self, head: bytes) -> list[Known]:
        """The logs that one which begins with *head* can be."""
        with schema.telling(self.path):
            rows = self._db.execute(
                "select id, head, tail, read from sources where cursor='' and substr(head, 1, 16)=?",
                (head[:16],),
            ).fetchall()
            if len(head) < 16:
                rows = self._db.execute("select id, head, tail, read from sources where cursor=''").fetchall()
        return [known for known in (Known(*row) for row in rows) if identity.begins_alike(head, known)]

    def journal(self) -> tuple[int, str] | None:
        """The journal's source and cursor; None where it was never read."""
        with schema.telling(self.path):
            row = self._db.execute("select id, cursor from sources where cursor<>''").fetchone()
        return (int(row[0]), str(row[1])) if row else None

    def put_off(self) -> dict[tuple[str, str, str], int]:
        """What all batches so far have left of `Batch.put_off`, the oldest first."""
        with schema.telling(self.path):
            rows = self._db.execute("select host, queue_id, recipient, families from put_off order by at")
            return {(host, queue_id, recipient): families for host, queue_id, recipient, families in rows}

    def finished(self) -> set[str]:
        """How the packed files looked that were read to their end (`finish`)."""
        with schema.telling(self.path):
            return {look for (look,) in self._db.execute("select look from finished")}

    def finish(self, look: str) -> None:
        """The packed file that looks so, whatever it is called, need not be unpacked again."""
        with schema.telling(self.path):
            self._db.execute("insert or ignore into finished values(?)", (look,))

    def trouble(self, says: str | None) -> None:
        """What went wrong last, for `standing`; None: nothing any more."""
        with schema.telling(self.path):
            self._meta("error", says)
            self._meta("error_at", int(time.time()) if says else None)

    def keep(self, days: int) -> None:
        """How long failures are kept whole; 0: for ever."""
        with schema.telling(self.path):
            self._meta("keep_days", days)

    def _meta(self, name: str, value: str | int | None) -> None:
        if value is None:
            self._db.execute("delete from meta where name=?", (name,))
        else:
            self._db.execute("insert or replace into meta values(?, ?)", (name, value))

    def kept_days(self) -> int:
        """How long failures are kept whole; 0: for ever."""
        with schema.telling(self.path):
            row = self._db.execute("select value from meta where name='keep_days'").fetchone()
        return int(row[0]) if row else schema.KEEP_DAYS

    def drop_failed(self, before: int, most: int) -> int:
        """Drop *most* failures of before that time; how many there were."""
        with schema.telling(self.path):
            return self._db.execute(
                "delete from failed where id in (select f.id from places p cross join failed f on f.place=p.id"
                " and f.at<? limit ?)",
                (before, most),
            ).rowcount

    def thin_hits(self, table: str, before: int, most: int) -> bool:
        """Of the oldest day (month) before that time which has more keep the *most* frequent names of each place.

        *table* is `hits` or `month_hits`. False where there is no such day.
        """
        when = "day" if table == "hits" else "month"
        with schema.telling(self.path):
            done = f"thinned_{when}s"
            since = self._number("select ifnull((select value from meta where name=?), 0)", (done,))
            first = self._number(
                f"select ifnull(min({when}), 0) from {table} where {when}>? and {when}<?",  # noqa: S608
                (since, before),
            )
            if not first:
                return False
            self._db.execute("begin immediate")
            try:
                self._db.execute(
                    f"delete from {table} where {when}=?1 and (place, kind, name) in (select place, kind, name from ("  # noqa: S608
                    "select place, kind, name, row_number() over (partition by place, kind order by count desc, name)"
                    f" as rank from {table} where {when}=?1) where rank>?2)",
                    (first, most),
                )
                self._meta(done, first)
                self._db.execute("commit")
            finally:
                if self._db.in_transaction:
                    self._db.execute("rollback")
            return True

    def _number(self, query: str, given: tuple[str | int, ...]) -> int:
        return int(self._db.execute(query, given).fetchone()[0])

    def shrink(self) -> None:
        """Give back the space of what was dropped."""
        with schema.telling(self.path):
            self._db.execute("pragma incremental_vacuum(2000)").fetchall()

    # ---- what was read -----------------------------------------------------------------------

    def add(self, batch: Batch, at: Position) -> int | None:
        """Keep *batch* and the place it was read to; the log's id. None: another was faster, nothing was kept."""
        with schema.telling(self.path):
            db = self._db
            db.execute("begin immediate")
            try:
                source = self._move(at, batch.lines)
                if source is None:
                    db.execute("rollback")
                    return None
                self._keep(batch)
                db.execute("commit")
                return source
            except BaseException:
                # What was given an id in here has none any more. SQLite itself ends a transaction on a full disk.
                self._forget()
                if db.in_transaction:
                    db.execute("rollback")
                raise

    def _move(self, at: Position, lines: int) -> int | None:
        now = int(time.time())
        if at.source is not None:
            moved = self._db.execute(
                "update sources set head=?, tail=?, read=?, cursor=?, path=?, lines=lines+?, at=?"
                " where id=? and read=? and cursor=?",
                (at.head, at.tail, at.read, at.cursor, at.path, lines, now, at.source, at.was, at.was_cursor),
            )
            return at.source if moved.rowcount else None
        rival = self.journal() if at.cursor else {k.id for k in self.known(at.head)} - set(at.others)
        if rival:
            return None
        made = self._db.execute(
            "insert into sources(head, tail, read, cursor, path, lines, at) values(?, ?, ?, ?, ?, ?, ?)",
            (at.head, at.tail, at.read, at.cursor, at.path, lines, now),
        )
        return made.lastrowid

    def _keep(self, batch: Batch) -> None:
        db = self._db
        if self._ids.many:
            self._forget()
        ids = self._ids
        places = {key[0] for key in batch.sums}
        number = {place: ids.place(place, *batch.about.get(place, ("", ""))) for place in places}
        db.executemany(
            "insert into hours values(?, ?, ?, ?) on conflict do update set count=count+excluded.count,"
            " forwarded=forwarded+excluded.forwarded",
            sorted((number[place], hour, *sums) for (place, hour), sums in batch.sums.items()),
        )
        days: dict[tuple[int, int], list[int]] = {}
        for (place, hour), (count, forwarded) in batch.sums.items():
            sums = days.setdefault((number[place], times.day(hour)), [0, 0])
            sums[0] += count
            sums[1] += forwarded
        db.executemany(
            "insert into place_days values(?, ?, ?, ?) on conflict do update set count=count+excluded.count,"
            " forwarded=forwarded+excluded.forwarded",
            sorted((*key, *sums) for key, sums in days.items()),
        )
        self._add(
            "days",
            4,
            (
                (day, ids.name(domain), number[place], count)
                for (day, domain, place), count in batch.days.items()
            ),
        )
        db.executemany(
            "insert into seen values(?, ?, ?, ?, ?, ?) on conflict do update set lines=lines+excluded.lines,"
            " unparsed=unparsed+excluded.unparsed, messages=messages+excluded.messages,"
            " first=min(first, excluded.first), last=max(last, excluded.last)",
            [(hour, *told) for hour, told in batch.seen.items()],
        )
        self._add(
            "forwarded",
            4,
            (
                (day, ids.name(domain), number.get(place) or ids.place(place, "", ""), count)
                for (day, domain, place), count in batch.forwarded.items()
            ),
        )
        self._add(
            "rejected",
            3,
            ((hour, ids.reason(reason), count) for (hour, reason), count in batch.rejected.items()),
        )
        # A key has no nulls: "" is the receiver that is not known.
        self._add("delays", 5, ((d, who or "", *rest, n) for (d, who, *rest), n in batch.delays.items()))
        months: Counter[tuple[int, str, int, int]] = Counter()
        for (day, who, part, step), count in batch.delays.items():
            months[times.month(day), who or "", part, step] += count
        self._add("month_delays", 5, ((*key, count) for key, count in months.items()))
        self._add(
            "fell",
            5,
            ((h, who or "", NUMBERS[over], why, n) for (h, who, over, why), n in batch.fell.items()),
        )
        self._put_off(batch.put_off)
        self._failures(batch.failed, number)
        self._hit_domains(batch, number)

    def _put_off(self, changed: Mapping[tuple[str, str, str], int]) -> None:
        now = int(time.time())
        self._db.executemany(
            "delete from put_off where host=? and queue_id=? and recipient=?",
            [message for message, families in changed.items() if not families],
        )
        self._db.executemany(
            "insert or replace into put_off(host, queue_id, recipient, families, at) values(?, ?, ?, ?, ?)",
            [(*message, families, now) for message, families in changed.items() if families],
        )

    def _add(self, table: str, width: int, rows: Iterable[tuple[int | str | None, ...]]) -> None:
        marks = ", ".join("?" * width)
        self._db.executemany(
            f"insert into {table} values({marks}) on conflict do update set count=count+excluded.count",
            sorted(rows),  # neighbours in the tree, one after the other
        )

    def _failures(self, failed: Sequence[tuple[Place, int, Failed]], number: dict[Place, int]) -> None:
        rows = []
        ids, day = self._ids, times.day
        name, agents, relays = ids.name, ids.agents, ids.relays
        senders: Counter[tuple[int, int, str]] = Counter()
        for place, at, one in failed:
            at_place, relay, ip, recipient = number[place], one.relay, one.ip or "", one.recipient
            local, has_domain, domain = recipient.rpartition("@")
            if not has_domain:
                local, domain = domain, ""
            sender, sender_domain = _parted(one.sender)
            if one.sender is not None:
                senders[at - at % _QUARTER, at_place, one.sender] += 1
            template, given = texts.taken_apart(one.text, f"{relay}[{ip}]")
            rows.append(
                (
                    at,
                    at_place,
                    agents.get((one.host, one.tag)) or ids.agent(one.host, one.tag),
                    _small(one.pid),
                    one.queue_id,
                    sender,
                    None if sender_domain is None else name(sender_domain),
                    local,
                    name(domain),
                    one.original,
                    None if relay is None else relays.get((relay, ip)) or ids.relay(relay, ip),
                    one.delays,
                    name(one.dsn),
                    None if one.status == place.status else name(one.status),
                    ids.text(template),
                    given,
                )
            )
        hits: Counter[tuple[int, int, int, str]] = Counter()
        for (hour, at_place, address), count in senders.items():
            hits[day(hour), at_place, SENDERS, address] += count
        self._db.executemany(
            "insert into failed(at, place, agent, pid, queue_id, sender, sender_domain, local, domain, original,"
            " relay, delays, dsn, word, text, given) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._add_hits(hits)

    def _hit_domains(self, batch: Batch, number: dict[Place, int]) -> None:
        self._add_hits(
            {
                (day, number[place], DOMAINS, domain): count
                for (day, domain, place), count in batch.days.items()
                if place.status != "sent"
            }
        )

    def _add_hits(self, hits: Mapping[tuple[int, int, int, str], int]) -> None:
        months: Counter[tuple[int, int, int, str]] = Counter()
        for (day, place, kind, name), count in hits.items():
            months[times.month(day), place, kind, name] += count
        self._add("hits", 5, ((*key, count) for key, count in hits.items()))
        self._add("month_hits", 5, ((*key, count) for key, count in months.items()))


def _parted(address: str | None) -> tuple[str | None, str | None]:
    if not address:
        return address, None
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (domain, None)


def _small(number: str) -> int | str | None:
    return (
        int(number)
        if number.isascii() and number.isdigit() and str(int(number)) == number
        else number or None
    )
