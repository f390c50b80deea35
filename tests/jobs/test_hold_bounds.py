"""A hold knows when one of its bounds is reached, and says which."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailmend.jobs.hold import Hold
from mailmend.model import Delivery, ParseError
from mailmend.road.hold import Bounds
from mailmend.ui.commands.holding import duration

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOUNDS = Bounds(("ptr-missing", "spf-fail"), NOW, NOW + timedelta(hours=4), 3)


def waits(*numbers: int) -> tuple[Delivery, ...]:
    return tuple(Delivery("deferred", "reader@example.net", queue_id=f"Q{number}") for number in numbers)


def test_it_is_not_over_before_a_bound_is_reached() -> None:
    seen = Hold(True, None, BOUNDS, waits(1, 2, 3, 3), BOUNDS.attempts)
    assert seen.messages == 3
    assert seen.over(BOUNDS.until - timedelta(seconds=1)) is None
    assert replace(seen, in_force=False, attempts=10**6).over(BOUNDS.until) is None
    assert replace(seen, attempts=None).over(NOW) is None


def test_each_bound_ends_it_and_says_which_it_was() -> None:
    seen = Hold(True, None, BOUNDS)
    assert "its time was over" in (seen.over(BOUNDS.until) or "")
    many = replace(seen, waiting=waits(1, 2, 3, 4))
    assert many.over(NOW) == "4 messages were held, 3 may be"
    assert replace(seen, attempts=61).over(NOW) == "refused mail was offered 61 times, 60 may be"


@pytest.mark.parametrize("wrong", ["", "4", "soon", "0h", "-1d", "1.5h", "4d12h", "9999999d"])
def test_what_is_no_length_of_time_is_said(wrong: str) -> None:
    with pytest.raises(ParseError, match="no length of time"):
        duration(wrong)


def test_lengths_of_time() -> None:
    hours = [duration(text).total_seconds() / 3600 for text in ("4d", "12h", "90m", "36s")]
    assert hours == [96, 12, 1.5, 0.01]
