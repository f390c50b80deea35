"""What a stretch of the log told, and the place it was read to -> the store, in one transaction or not at all."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mailmend.model import Family
from mailmend.parse.logscan import Failed
from mailmend.system.store import identity, schema, times
from mailmend.system.store.identity import Known, Reading
from mailmend.system.store.queries import Place
from mailmend.system.store.sqlite import DOMAINS, GAP, SENDERS

_NUMBERS: dict[Family | None, int | None] = {"ipv4": 4, "ipv6": 6, None: None}
_NAMES = 200_000  # that are remembered
_REASONS = 20_000  # distinct ones of own refusals that are kept apart
_OTHERS = "(others)"
_QUARTER = 900  # midnight is at a quarter of an hour everywhere
_DIGIT = re.compile(r"\d")
_LONG = 10  # characters of a word that may be an id

PlaceHour = tuple[Place, int]


@dataclass(slots=True)
class Batch:
    """What some of the log told. *sums*: (place, hour) -> how many, and how many of them were forwarded.

    *days*: (day, recipient's domain, place). *failed*: each with its place and time. *seen*: hour -> lines, unparsed,
    messages, time of the first line, of the last. *rejected*: (hour, reason). *delays*: (day, receiver, part 0..3,
    class). *fell*: (hour, receiver, family, cause). *about*: a failure's place -> who must act, one reply.
    """

    sums: dict[PlaceHour, list[int]] = field(default_factory=dict)
    days: Counter[tuple[int, str, Place]] = field(default_factory=Counter)
    failed: list[tuple[Place, int, Failed]] = field(default_factory=list)
    seen: dict[int, list[int]] = field(default_factory=dict)
    rejected: Counter[tuple[int, str]] = field(default_factory=Counter)
    delays: Counter[tuple[int, str | None, int, int]] = field(default_factory=Counter)
    fell: Counter[tuple[int, str | None, Family, str]] = field(default_factory=Counter)
    about: dict[Place, tuple[str, str]] = field(default_factory=dict)

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


def position(of: Reading) -> Position:
    """Where *of* stands now, having begun where it was known to be."""
    known = of.known
    was = known.read if known else 0
    return Position(known.id if known else None, was, of.read, of.head, of.tail, str(of.path), of.others)


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
        self._places: dict[Place, int] = {}
        self._names: dict[str, int] = {}
        self._relays: dict[tuple[str, str], int] = {}
        self._agents: dict[tuple[str, str], int] = {}
        self._texts: dict[str, int] = {}

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
                "delete from failed where id in (select f.id from places p join failed f on f.place=p.id"
                " and f.at<? limit ?)",
                (before, most),
            ).rowcount

    def thin_hits(self, before: int, most: int) -> bool:
        """Of the oldest day before that time which has more keep the *most* frequent names of each place and kind.

        False where there is no such day.
        """
        with schema.telling(self.path):
            thinned = self._found("select ifnull((select value from meta where name='thinned'), 0)", ())
            day = self._found("select ifnull(min(day), 0) from hits where day>? and day<?", (thinned, before))
            if not day:
                return False
            self._db.execute("begin immediate")
            try:
                self._db.execute(
                    "delete from hits where day=?1 and (place, kind, name) in (select place, kind, name from ("
                    "select place, kind, name, row_number() over (partition by place, kind order by count desc, name)"
                    " as rank from hits where day=?1) where rank>?2)",
                    (day, most),
                )
                self._meta("thinned", day)
                self._db.execute("commit")
            finally:
                if self._db.in_transaction:
                    self._db.execute("rollback")
            return True

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
        if len(self._names) > _NAMES:
            self._forget()
        number = {place: self._place(place, batch) for place in {key[0] for key in batch.sums}}
        db.executemany(
            "insert into hours values(?, ?, ?, ?) on conflict do update set count=count+excluded.count,"
            " forwarded=forwarded+excluded.forwarded",
            sorted((number[place], hour, *sums) for (place, hour), sums in batch.sums.items()),
        )
        self._add(
            "days",
            4,
            (
                (day, self._name(domain), number[place], count)
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
            "rejected",
            3,
            ((hour, self._reason(reason), count) for (hour, reason), count in batch.rejected.items()),
        )
        # A key has no nulls: "" is the receiver that is not known.
        self._add("delays", 5, ((d, who or "", *rest, n) for (d, who, *rest), n in batch.delays.items()))
        self._add(
            "fell",
            5,
            ((h, who or "", _NUMBERS[over], why, n) for (h, who, over, why), n in batch.fell.items()),
        )
        self._failures(batch.failed, number)
        self._hit_domains(batch, number)

    def _add(self, table: str, width: int, rows: Iterable[tuple[int | str | None, ...]]) -> None:
        marks = ", ".join("?" * width)
        self._db.executemany(
            f"insert into {table} values({marks}) on conflict do update set count=count+excluded.count",
            sorted(rows),  # neighbours in the tree, one after the other
        )

    def _failures(self, failed: Sequence[tuple[Place, int, Failed]], number: dict[Place, int]) -> None:
        rows = []
        name, day = self._name, times.day
        senders: Counter[tuple[int, int, str]] = Counter()
        for place, at, one in failed:
            at_place, relay, ip, recipient = number[place], one.relay, one.ip or "", one.recipient
            local, has_domain, domain = recipient.rpartition("@")
            if not has_domain:
                local, domain = domain, ""
            sender, sender_domain = _parted(one.sender)
            if one.sender is not None:
                senders[at - at % _QUARTER, at_place, one.sender] += 1
            text, given = self._taken_apart(one.text, f"{relay}[{ip}]")
            rows.append(
                (
                    at,
                    at_place,
                    self._agents.get((one.host, one.tag)) or self._agent(one.host, one.tag),
                    _small(one.pid),
                    one.queue_id,
                    sender,
                    None if sender_domain is None else name(sender_domain),
                    local,
                    name(domain),
                    one.original,
                    None if relay is None else self._relays.get((relay, ip)) or self._relay(relay, ip),
                    one.delays,
                    name(one.dsn),
                    None if one.status == place.status else name(one.status),
                    text,
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
        self._add("hits", 5, ((*key, count) for key, count in hits.items()))

    def _hit_domains(self, batch: Batch, number: dict[Place, int]) -> None:
        rows = (
            (day, number[place], DOMAINS, domain, count)
            for (day, domain, place), count in batch.days.items()
            if place.status != "sent"
        )
        self._add("hits", 5, rows)

    # ---- ids ---------------------------------------------------------------------------------

    def _place(self, place: Place, batch: Batch) -> int:
        known = self._places.get(place)
        if known is None:
            who, text = batch.about.get(place, ("", ""))
            family = _NUMBERS[place.family]
            self._db.execute(
                "insert or ignore into places(receiver, family, status, cause, who, text) values(?, ?, ?, ?, ?, ?)",
                (place.receiver, family, place.status, place.cause, who, text),
            )
            known = self._places[place] = self._found(
                "select id from places where receiver is ? and family is ? and status=? and cause is ?",
                (place.receiver, family, place.status, place.cause),
            )
        return known

    def _name(self, name: str) -> int:
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = self._made("names", {"name": name})
        return known

    def _reason(self, reason: str) -> int:
        """A stranger chooses some of the words: of more than can be read, the rest is one."""
        if reason not in self._names:
            count = self._found("select count(distinct reason) from rejected", ())
            known = self._db.execute("select 1 from names where name=?", (reason,)).fetchone()
            if count >= _REASONS and not known:
                return self._name(_OTHERS)
        return self._name(reason)

    def _relay(self, host: str, ip: str) -> int:
        known = self._relays.get((host, ip))
        if known is None:
            known = self._relays[host, ip] = self._made("relays", {"host": host, "ip": ip})
        return known

    def _agent(self, host: str, tag: str) -> int:
        known = self._agents.get((host, tag))
        if known is None:
            known = self._agents[host, tag] = self._made("agents", {"host": host, "tag": tag})
        return known

    def _taken_apart(self, text: str, relay: str) -> tuple[int, str]:
        """The id of the template of *text*, and what fills its gaps: `sqlite.filled` makes it whole again."""
        template, given = taken_apart(text, relay)
        known = self._texts.get(template)
        if known is None:
            if len(self._texts) > _NAMES:
                self._texts.clear()
            # Of the words alone, so that it is the same in every store.
            known = int.from_bytes(
                hashlib.blake2b(template.encode("utf-8", "surrogateescape"), digest_size=8).digest()
            )
            known >>= 1
            self._db.execute("insert or ignore into texts values(?, ?)", (known, template))
            self._texts[template] = known
        return known, given

    def _made(self, table: str, columns: dict[str, str]) -> int:
        """The id of a row, which is made where there is none."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        made = self._db.execute(
            f"insert or ignore into {table}({names}) values({marks})",
            tuple(columns.values()),
        )
        if made.rowcount and made.lastrowid:
            return made.lastrowid
        where = " and ".join(f"{name}=?" for name in columns)
        return self._found(f"select id from {table} where {where}", tuple(columns.values()))  # noqa: S608

    def _found(self, query: str, given: tuple[str | int | None, ...]) -> int:
        return int(self._db.execute(query, given).fetchone()[0])


class _Words(dict[str, str]):
    """A word -> itself, or a gap where it is one of many: an id, an address. Links and codes (AUP#1260) are not."""

    def __missing__(self, word: str) -> str:
        own = len(word) >= _LONG and "://" not in word and "#" not in word
        kept = GAP if own and ("@" in word or _DIGIT.search(word)) else word
        if len(self) > _NAMES:
            self.clear()
        self[word] = kept
        return kept


_words = _Words()


def taken_apart(text: str, relay: str) -> tuple[str, str]:
    """*text* -> what it has in common with others, with gaps, and what stood in them; *relay* is said shorter."""
    words = text.split(" ")
    common = [_words[word] for word in words]
    template = " ".join(common)
    if GAP in text or GAP not in template:
        return text, ""
    own = [word for word, kept in zip(words, common, strict=True) if kept is GAP]
    return template, " ".join([GAP if word == relay else word for word in own])


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
