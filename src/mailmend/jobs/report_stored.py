"""The delivery store -> the same report as of the log, without reading one; and whether it knows enough for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from mailmend.jobs.here import Here
from mailmend.model import CannotLook, MailmendError
from mailmend.parse import maillog
from mailmend.road import report as road
from mailmend.road.tally import Place, Sketch
from mailmend.road.through import Fell
from mailmend.system import follow, queue
from mailmend.system.probe import Recorded
from mailmend.system.store.queries import Count, Deliveries, Kept, Summary

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


def report(
    store: Deliveries,
    since: datetime | None,
    until: datetime | None,
    held: Mapping[str, queue.Message] | None = None,
) -> road.Report:
    """What *store* tells of the hours that begin in between. CannotLook: it cannot be read.

    *held* is what is in the queue now: of that it tells why. None: nobody knows what waits.
    """
    return told(store.report(since, until), None if held is None else waits(store, held, since))


def held(here: Here) -> Mapping[str, queue.Message] | None:
    """What is in this host's queue; None where nobody can see, or the host is a recorded one."""
    if isinstance(here.probe, Recorded):
        return None
    try:
        return queue.messages(here.config_directory)
    except CannotLook:
        return None


def waits(
    store: Deliveries, held: Mapping[str, queue.Message], since: datetime | None = None
) -> tuple[road.Waits, ...]:
    """What of *held* was deferred since then, by receiver, family and cause, the most first; as of the log.

    A store knows nothing of mail that went well in the end, and a queue not why or since when: both together do.
    """
    recipients: dict[tuple[str, str], tuple[datetime, Kept]] = {}
    for kept in store.failures_of({queue_id: message.arrived for queue_id, message in held.items()}):
        one = kept.line
        outside = since is not None and kept.at < since
        if outside or kept.place.status != "deferred" or one.recipient not in held[one.queue_id].recipients:
            continue
        first, _ = recipients.get((one.queue_id, one.recipient), (kept.at, kept))
        recipients[one.queue_id, one.recipient] = first, kept
    groups: dict[Place, list[tuple[datetime, Kept]]] = {}
    for first, last in recipients.values():
        groups.setdefault(Place(*last.place), []).append((first, last))
    found = [_waits(place, members) for place, members in groups.items()]
    return tuple(sorted(found, key=lambda each: (-each.count, each.queue_id)))


def _waits(place: Place, members: list[tuple[datetime, Kept]]) -> road.Waits:
    since, oldest = min(members, key=lambda each: each[0])
    newest = max((last for _, last in members), key=lambda last: last.at)
    return road.Waits(
        place.receiver,
        place.family,
        place.cause,
        len(members),
        len({last.line.queue_id for _, last in members}),
        oldest.line.queue_id,
        since,
        newest.at,
        maillog.said(newest.line.text),
    )


def told(summary: Summary, waits: tuple[road.Waits, ...] | None = None) -> road.Report:
    """The report that *summary* makes, with what still *waits* (None: nobody knows)."""
    return road.assembled(
        road.Counts(summary.lines, summary.unparsed, summary.messages, summary.span),
        map(_row, summary.counts),
        hours=cast("Iterable[tuple[HourPlace, int]]", summary.hours),  # the same fields; there may be many
        rejected=summary.rejected,
        delays=_delays(summary),
        fell=Counter({Fell(*key): count for key, count in summary.fell.items()}),
        domains=tuple(road.Hit(*each) for each in summary.domains),
        senders=tuple(road.Hit(*each) for each in summary.senders),
        waits=waits,
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
    days = all(hour.astimezone().hour == 0 for hour in {at.hour for at, _ in summary.hours})
    first, last = summary.span
    return _DAY if days and first and last and last - first > _DAY * 2 else road.HOUR
