"""A stamp without an offset means what this host's clocks showed on that day."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mailmend.system.zone import HERE


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_summer_and_winter_have_offsets_of_their_own() -> None:
    assert datetime(2026, 10, 24, 12, tzinfo=HERE) == datetime(2026, 10, 24, 10, tzinfo=UTC)
    assert datetime(2026, 10, 26, 12, tzinfo=HERE) == datetime(2026, 10, 26, 11, tzinfo=UTC)


def test_there_and_back_again() -> None:
    for hour in range(48):
        at = datetime(2026, 10, 24, 12, tzinfo=UTC) + timedelta(hours=hour)
        if at != datetime(2026, 10, 25, 1, tzinfo=UTC):  # the hour that came a second time
            assert at.astimezone(HERE) == at
            assert at.astimezone(HERE).isoformat() == at.astimezone().isoformat()


def test_it_can_be_sent_to_another_process() -> None:
    at = datetime(2026, 10, 24, 12, tzinfo=HERE)
    assert pickle.loads(pickle.dumps(at)) == at  # noqa: S301
