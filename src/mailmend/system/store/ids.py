"""What is said often -> the number that stands for it in the store's rows; each is asked for once.

What a transaction gave a number has none any more where it came to nothing: then all of this is to be forgotten.
"""

from __future__ import annotations

import sqlite3

from mailmend.model import Family
from mailmend.system.store import texts
from mailmend.system.store.queries import Place

NUMBERS: dict[Family | None, int | None] = {"ipv4": 4, "ipv6": 6, None: None}
_MANY = 200_000  # names that are remembered
_REASONS = 20_000  # distinct ones of own refusals that are kept apart
_OTHERS = "(others)"


class Ids:
    """The numbers in *db*, within one transaction or several that were kept."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.relays: dict[tuple[str, str], int] = {}
        self.agents: dict[tuple[str, str], int] = {}
        self._places: dict[Place, int] = {}
        self._names: dict[str, int] = {}
        self._texts: dict[str, int] = {}
        self._reasons: int | None = None

    @property
    def many(self) -> bool:
        """Whether so many are remembered that it is better to begin anew."""
        return len(self._names) > _MANY or len(self._texts) > _MANY or len(self.relays) > _MANY

    def place(self, place: Place, who: str, text: str) -> int:
        """*who* and *text* are kept of the first."""
        known = self._places.get(place)
        if known is None:
            family = NUMBERS[place.family]
            self._db.execute(
                "insert or ignore into places(receiver, family, status, cause, who, text) values(?, ?, ?, ?, ?, ?)",
                (place.receiver, family, place.status, place.cause, who, text),
            )
            known = self._places[place] = self._found(
                "select id from places where receiver is ? and family is ? and status=? and cause is ?",
                (place.receiver, family, place.status, place.cause),
            )
        return known

    def name(self, name: str) -> int:
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = self._made("names", {"name": name})
        return known

    def reason(self, reason: str) -> int:
        """A stranger chooses some of the words: of more than can be read, the rest is one."""
        if reason not in self._names:
            if self._reasons is None:
                self._reasons = self._found("select count(distinct reason) from rejected", ())
            if not self._db.execute("select 1 from names where name=?", (reason,)).fetchone():
                if self._reasons >= _REASONS:
                    return self.name(_OTHERS)
                self._reasons += 1
        return self.name(reason)

    def relay(self, host: str, ip: str) -> int:
        known = self.relays.get((host, ip))
        if known is None:
            known = self.relays[host, ip] = self._made("relays", {"host": host, "ip": ip})
        return known

    def agent(self, host: str, tag: str) -> int:
        known = self.agents.get((host, tag))
        if known is None:
            known = self.agents[host, tag] = self._made("agents", {"host": host, "tag": tag})
        return known

    def text(self, template: str) -> int:
        known = self._texts.get(template)
        if known is None:
            known = self._texts[template] = texts.identity(template)
            self._db.execute("insert or ignore into texts values(?, ?)", (known, template))
        return known

    def _made(self, table: str, columns: dict[str, str]) -> int:
        """The id of a row, which is made where there is none."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        values = tuple(columns.values())
        made = self._db.execute(f"insert or ignore into {table}({names}) values({marks})", values)
        if made.rowcount and made.lastrowid:
            return made.lastrowid
        where = " and ".join(f"{name}=?" for name in columns)
        return self._found(f"select id from {table} where {where}", values)  # noqa: S608

    def _found(self, query: str, given: tuple[str | int | None, ...]) -> int:
        return int(self._db.execute(query, given).fetchone()[0])
