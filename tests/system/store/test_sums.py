"""Whatever span is asked for: what is added up by day is what is added up by hour."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from mailmend.system.store import times
from mailmend.system.store.queries import HourPlace, Place
from mailmend.system.store.sqlite import BY_HOUR, Store
from mailmend.system.store.write import Batch, Position, Writer

BEGAN = datetime(2026, 2, 1, tzinfo=UTC)  # with a change to summer time in it, where there is one
DAYS = 100
PLACES = (
    Place("google", "ipv6", "bounced", "ptr-missing"),
    Place("google", "ipv6", "sent", None),
    Place("google", "ipv4", "sent", None),
    Place("google", "ipv6", "bounced", "auth-required"),
    Place(None, None, "deferred", "unknown"),
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[tuple[Place, int], int]]:
    """A store of 100 days, and what was put into it by place and hour."""
    dice = random.Random(7)  # noqa: S311
    truth: Counter[tuple[Place, int]] = Counter()
    folder = tmp_path_factory.mktemp("store")
    writer = Writer(folder)
    read = 0
    for part in range(5):
        batch = Batch()
        for _ in range(1500):
            place = dice.choice(PLACES)
            hour = int(BEGAN.timestamp()) + 3600 * dice.randrange(24 * DAYS)
            count = dice.randint(1, 9)
            sums = batch.sums.setdefault((place, hour), [0, 0])
            sums[0] += count
            truth[place, hour] += count
            batch.seen.setdefault(hour, [1, 0, 1, hour, hour + 3599])
        at = Position(1 if part else None, read, read + 10, b"head", b"tail", "/var/log/mail.log")
        assert writer.add(batch, at) == 1
        read += 10
    writer.close()
    return Store(folder), dict(truth)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (timedelta(0), timedelta(days=DAYS)),
        (timedelta(hours=7), timedelta(hours=9)),
        (timedelta(hours=23), timedelta(hours=25)),
        (timedelta(days=3), timedelta(days=4)),
        (timedelta(days=3, hours=5), timedelta(days=5, hours=4)),
        (timedelta(days=3, hours=5), timedelta(days=40, hours=22)),
        (timedelta(days=50), timedelta(days=95, hours=1)),
        (timedelta(days=-9), timedelta(days=9 * DAYS)),
        (timedelta(days=9 * DAYS), timedelta(days=10 * DAYS)),
    ],
    ids=str,
)
def test_counts_are_those_of_the_hours(
    kept: tuple[Store, dict[tuple[Place, int], int]], since: timedelta, until: timedelta
) -> None:
    store, truth = kept
    start, end = (BEGAN + since).timestamp(), (BEGAN + until).timestamp()
    wanted: Counter[Place] = Counter()
    for (place, hour), count in truth.items():
        wanted[place] += count if start <= hour < end else 0
    wanted += Counter()  # without what is zero
    told = store.report(BEGAN + since, BEGAN + until)
    assert {each.place: each.count for each in told.counts} == wanted
    assert sum(count for _, count in told.hours) == wanted.total()
    by_hour, by_day = Counter[HourPlace](), Counter[HourPlace]()
    for (place, hour), count in truth.items():
        if start <= hour < end:
            by_hour[HourPlace(times.local(hour), *place[:3])] += count
            by_day[HourPlace(times.local(times.day(hour)), *place[:3])] += count
    assert dict(told.hours) == (by_day if until - since > BY_HOUR else by_hour)
    assert [each.hour for each, _ in told.hours] == sorted(each.hour for each, _ in told.hours)
    assert {c.place: c.count for c in store.counts(BEGAN + since, BEGAN + until)} == wanted


def test_refusals_are_those_since_then(kept: tuple[Store, dict[tuple[Place, int], int]]) -> None:
    store, truth = kept
    since = BEGAN + timedelta(days=70, hours=3)
    told = store.refusals("google", "ipv6", since)
    causes: Counter[str | None] = Counter()
    for (place, hour), n in truth.items():
        if place in {PLACES[0], PLACES[3]} and hour >= since.timestamp():
            causes[place.cause] += n
    count = causes.total()
    sent = sum(n for (place, hour), n in truth.items() if place == PLACES[1] and hour >= since.timestamp())
    assert (told.count, told.deliveries) == (count, count + sent)
    assert told.causes == tuple(causes.most_common())
    assert sum(n for *_, n in told.days) == count
    assert len({day for day, _, _ in told.days}) <= DAYS - 69


def test_without_bounds_it_is_all(kept: tuple[Store, dict[tuple[Place, int], int]]) -> None:
    store, truth = kept
    assert sum(each.count for each in store.counts()) == sum(truth.values())
    assert sum(count for _, count in store.report().hours) == sum(truth.values())
