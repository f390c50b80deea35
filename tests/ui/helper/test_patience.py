"""Who guesses waits, ever longer, and is forgiven with time; nobody locks another one out."""

from __future__ import annotations

import pytest

from mailmend.model import Refused
from mailmend.ui.helper import patience
from mailmend.ui.helper.patience import Patience, network
from ui.helper.conftest import Clock


@pytest.fixture
def waits(clock: Clock) -> Patience:
    return Patience(clock)


def wait_of(waits: Patience, clock: Clock, source: str) -> float:
    """Seconds until *source* may try again."""
    before = clock.now
    while True:
        try:
            waits.require(source)
        except Refused:
            clock.now += 1
        else:
            return clock.now - before


def test_some_mistakes_are_free(waits: Patience) -> None:
    for _ in range(patience.FREE - 1):
        waits.wrong("192.0.2.1")
        waits.require("192.0.2.1")


def test_who_guesses_waits_longer_each_time_and_never_for_ever(waits: Patience, clock: Clock) -> None:
    times = []
    for _ in range(14):
        waits.wrong("192.0.2.1")
        times.append(wait_of(waits, clock, "192.0.2.1"))
    assert times[0] == 0
    assert times == sorted(times)
    assert patience.MOST - 1 <= times[-1] <= patience.MOST + 1


def test_nobody_else_waits_for_it(waits: Patience) -> None:
    for _ in range(20):
        waits.wrong("192.0.2.1")
    waits.require("192.0.2.2")


def test_with_time_it_is_forgiven(waits: Patience, clock: Clock) -> None:
    for _ in range(10):
        waits.wrong("192.0.2.1")
    clock.now += 6 * patience.FORGIVEN
    waits.wrong("192.0.2.1")
    waits.require("192.0.2.1")


def test_being_right_forgives_at_once(waits: Patience) -> None:
    for _ in range(patience.FREE - 1):
        waits.wrong("192.0.2.1")
    waits.right("192.0.2.1")
    waits.wrong("192.0.2.1")
    waits.require("192.0.2.1")


def test_of_a_network_with_many_addresses_each_counts_for_all(waits: Patience) -> None:
    for number in range(20):
        waits.wrong(f"2001:db8::{number:x}")
    with pytest.raises(Refused, match="too many wrong tries; wait"):
        waits.require("2001:db8::ffff")
    waits.require("2001:db8:0:1::1")


@pytest.mark.parametrize(
    "source, counted",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_what_counts_as_one(source: str, counted: str) -> None:
    assert network(source) == counted


def test_strangers_from_everywhere_wait_and_who_was_right_before_does_not(
    waits: Patience, clock: Clock
) -> None:
    waits.right("192.0.2.1")
    for number in range(int(patience.AT_ONCE)):
        waits.wrong(f"198.51.100.{number}")
    with pytest.raises(Refused, match="too many places"):
        waits.require("203.0.113.1")
    waits.require("192.0.2.1")
    clock.now += 2 / patience.A_SECOND
    waits.require("203.0.113.1")


def test_it_remembers_no_more_sources_than_it_has_room_for(waits: Patience, clock: Clock) -> None:
    for number in range(1500):
        waits.wrong(f"source-{number}")
        clock.now += 1
    assert len(waits._wrong) <= 1000
