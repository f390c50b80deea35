"""The delivery store -> the same report as of the log, without reading one; and whether it knows enough for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from mailmend.model import MailmendError
from mailmend.road import report as road
from mailmend.road.tally import Place, Sketch
from mailmend.road.through import Fell
from mailmend.system import follow
from mailmend.system.store.queries import Count, Deliveries, Summary

if TYPE_CHECKING:
    from mailmend.road.tally import HourPlace

_BEHIND = timedelta(minutes=1)  # that the store may be behind the log
_DAY = timedelta(days=1)
_LONGEST_DAY = timedelta(hours=25)  # the one on which clocks are put back


def knows(
    store: Deliveries, place: follow.Place | None, since: datetime | None, until: datetime | None
) -> bool:
    """Whether *store* has all of that time which the log at *place* could tell; False where it cannot be read."""
    try:
        first, last = store.span()
        if first is None or last is None or (since and since < first):
            return False
        return bool(until and until <= last) or _up_to_date(store, place)
    except MailmendError:
        return False


def _up_to_date(store: Deliveries, place: follow.Place | None) -> bool:
    if place is None:
        return False
    path = place.path.absolute() if place.path else None
    source = next((each for each in store.sources() if each.path == path and not each.error), None)
    if source is None:
        return False
    if path is None:  # nobody but the journal knows whether anything was logged since
        return datetime.now(UTC) - source.at <= _BEHIND
    try:
        stat = path.stat()
    except OSError:
        return False
    written = datetime.fromtimestamp(stat.st_mtime, UTC)
    return source.read == stat.st_size or written - source.at <= _BEHIND


def report(store: Deliveries, since: datetime | None, until: datetime | None) -> road.Report:
    """What *store* tells of the hours that begin in between. CannotLook: it cannot be read."""
    return told(store.report(since, until))


def told(summary: Summary) -> road.Report:
    """The report that *summary* makes; of what still waits a store knows nothing."""
    return road.assembled(
        road.Counts(summary.lines, summary.unparsed, summary.messages, summary.span),
        map(_row, summary.counts),
        hours=cast("Iterable[tuple[HourPlace, int]]", summary.hours),  # the same fields; there may be many
        rejected=summary.rejected,
        delays=_delays(summary),
        fell=Counter({Fell(*key): count for key, count in summary.fell.items()}),
        domains=tuple(road.Hit(*each) for each in summary.domains),
        senders=tuple(road.Hit(*each) for each in summary.senders),
        waits=None,
        step=_step(summary),
    )


def uncut(found: road.Report) -> timedelta:
    """How long the time around a change is that counts on neither side of it."""
    return _LONGEST_DAY if found.step >= _DAY else found.step


def _row(of: Count) -> road.Row:
    bad = of.place.status != "sent"
    return road.Row(
        Place(*of.place),
        of.count,
        of.forwarded,
        of.text,
        of.who,
        of.domains if bad else (),
        of.senders if bad else (),
        of.first if bad else None,
        of.last if bad else None,
    )


def _delays(summary: Summary) -> dict[str | None, tuple[Sketch, ...]]:
    out: dict[str | None, tuple[Sketch, ...]] = {}
    for (receiver, part, step), count in summary.delays.items():
        sketches = out.setdefault(receiver, tuple(Sketch() for _ in range(4)))
        sketches[part].counts[step] += count
    return out


def _step(summary: Summary) -> timedelta:
    """A long time is told by the day: then every count begins at a midnight of this host."""
    days = all(at.hour.astimezone().hour == 0 for at, _ in summary.hours)
    first, last = summary.span
    return _DAY if days and first and last and last - first > _DAY * 2 else road.HOUR
