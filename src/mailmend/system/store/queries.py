"""What can be asked of a delivery store, and the shapes of its answers, whatever keeps it.

The store of one relay is SQLite (`sqlite.py`). One for many relays (ClickHouse) has to implement `Deliveries` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from mailmend.model import Family
from mailmend.parse.logscan import Failed


class Place(NamedTuple):
    """What deliveries are told by, as in a report: *receiver* and *family* None where nobody's we know, or this host.

    *status* is `sent`, `bounced` or `deferred`; *cause* None for what was sent.
    """

    receiver: str | None
    family: Family | None
    status: str
    cause: str | None


class HourPlace(NamedTuple):
    """*hour* is when it began (of a long span: when the day began, in this host's zone)."""

    hour: datetime
    receiver: str | None
    family: Family | None
    status: str


@dataclass(frozen=True, slots=True)
class Count:
    """Deliveries of one `Place`. *text* is one of their replies, *who* must act (failures only).

    *first* and *last*: of failures to the second, of what was sent to the hour. *domains* and *senders* are the most
    frequent, most frequent first; of days past the 10 most frequent of each day are known, and of
    more than two months whole months are told. They are empty where
    they were not asked for.
    """

    place: Place
    count: int
    forwarded: int
    first: datetime
    last: datetime
    text: str = ""
    who: tuple[str, ...] = ()
    domains: tuple[tuple[str, int], ...] = ()
    senders: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """One failed delivery, whole: *line* as the log had it, with its *place*. *at* has no fraction of a second."""

    at: datetime
    place: Place
    line: Failed


@dataclass(frozen=True, slots=True)
class Refused:
    """Refusals (bounced or deferred) of one receiver over one family: in all, by cause, by day and cause, the newest.

    *deliveries* counts all over that family, what was sent too. A day is one of this host's zone.
    """

    count: int
    deliveries: int
    causes: tuple[tuple[str, int], ...]
    days: tuple[tuple[datetime, str, int], ...]
    newest: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a report needs. *span* is the time of the first and the last line in those hours.

    *rejected*: own refusals by reason. *delays*: (receiver, part 0..3, class of `road.tally.Sketch`) -> how many.
    *fell*: (receiver, family, cause) -> bounces of what the other family had only put off. *domains*, *senders*: the
    names hit most over all places, with how often they bounced and were deferred.
    """

    lines: int
    unparsed: int
    messages: int
    span: tuple[datetime | None, datetime | None]
    counts: tuple[Count, ...]
    hours: tuple[tuple[HourPlace, int], ...]
    rejected: tuple[tuple[str, int], ...]
    delays: dict[tuple[str | None, int, int], int]
    fell: dict[tuple[str | None, Family, str], int]
    domains: tuple[tuple[str, int, int], ...] = ()
    senders: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A log that was taken in: *path* where it was last seen (None: the journal), *read* bytes of it, unpacked.

    *error* is why it could not be read to its end the last time.
    """

    path: Path | None
    read: int
    lines: int
    at: datetime
    error: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store holds. *size* in bytes on disk; *keep_days* how long failures are kept whole (0: for ever)."""

    path: Path
    size: int
    lines: int
    unparsed: int
    deliveries: int
    failed: int
    span: tuple[datetime | None, datetime | None]
    keep_days: int
    sources: tuple[Source, ...]
    error: str | None
    error_at: datetime | None


class Deliveries(Protocol):
    """A delivery store that is read. Every method: CannotLook where it cannot be read.

    What is counted is known by the hour: *since* and *until* take in the hours that begin in between, of failures
    asked for one by one the second counts. None: from the beginning, to the end.
    """

    def span(self) -> tuple[datetime | None, datetime | None]:
        """When the first and the last line known of was written; None where the store is empty."""
        ...

    def refusals(
        self, receiver: str | None, family: Family | None, since: datetime, newest: int = 100
    ) -> Refused:
        """All refusals by *receiver* over *family* since then, with the *newest* whole."""
        ...

    def counts(self, since: datetime | None = None, until: datetime | None = None) -> tuple[Count, ...]:
        """Deliveries by place, most frequent first, without domains and senders."""
        ...

    def report(self, since: datetime | None = None, until: datetime | None = None) -> Summary:
        """All that a report of that time tells."""
        ...

    def deliveries_of(self, word: str) -> Iterator[Kept]:
        """The failures of a queue id or an address (recipient, the one before, sender), oldest first."""
        ...

    def failures_of(self, messages: Mapping[str, datetime]) -> Iterator[Kept]:
        """The failures of these queue ids, each since the time with it, by message in that order, oldest first."""
        ...

    def failures(
        self,
        receiver: str | None = None,
        family: Family | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Kept]:
        """Failures whole, oldest first; of every receiver, over every family, where none is named."""
        ...

    def domain(self, name: str, since: datetime | None = None) -> tuple[tuple[datetime, Place, int], ...]:
        """What became of mail to the domain *name*, by day and place."""
        ...

    def forwarded(
        self, since: datetime, until: datetime
    ) -> tuple[datetime | None, tuple[tuple[str, Place, int], ...]]:
        """Of the whole days in between, how much forwarded mail was taken: (domain of whoever sent it, place, how
        much); and since when that is kept, None: never."""
        ...

    def sources(self) -> tuple[Source, ...]:
        """The logs that were taken in, the latest first."""
        ...

    def standing(self) -> Standing:
        """What was taken in, how far, and what went wrong last."""
        ...
