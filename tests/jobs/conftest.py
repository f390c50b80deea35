"""What the tests of jobs share: the day on which their logs were written is not long ago, whenever they run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailmend.system.store import retention


@pytest.fixture(autouse=True)
def days_after_the_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store lets nothing go of logs that are of November 2026 by their own stamps."""
    monkeypatch.setattr(retention, "clock", datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp)
