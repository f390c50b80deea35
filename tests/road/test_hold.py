"""A hold tells its own bounds from the table that it put in force, and who of the queue waits because of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailmend import catalogue, receivers
from mailmend.model import Delivery, FileEdit, Record, Relay
from mailmend.parse import reply
from mailmend.road import hold

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOUNDS = hold.Bounds(("ptr-missing", "spf-fail"), NOW, NOW + timedelta(hours=4), 3)
KNOWN = receivers.load()


def record(remedy: str = "hold", undoes: str | None = None, text: str | None = None) -> Record:
    table = text if text is not None else hold.text(BOUNDS, catalogue.load().causes, KNOWN)
    files = (
        FileEdit("/etc/postfix/held_refusals", None, table),
        FileEdit("/etc/postfix/main.cf", "a = b\n", "a = c\n"),
    )
    return Record(
        "20261122-120000-hold", NOW, "root", remedy, "", "kept", files, "reload", "", "", undoes=undoes
    )


def waits(number: int, words: str, code: int = 550, host: str = "mx.example.net") -> Delivery:
    said = reply.parse(f"{code} {words}")
    return Delivery(
        "deferred", f"r{number}@example.net", said, Relay(host, "192.0.2.25"), queue_id=f"Q{number}"
    )


@pytest.mark.parametrize(
    "other",
    [
        record(remedy="ipv4-only"),
        record(undoes="20261122-110000-hold"),
        record(text="# causes: spf-fail\n# since: 2026-11-22T12:00:00+00:00\n/^5(.+)$/ 4$1\n"),
        record(text=""),
    ],
    ids=["another-remedy", "its-undo", "half-a-head", "an-empty-table"],
)
def test_no_bounds_are_read_from_what_is_no_hold(other: Record) -> None:
    assert hold.bounds_of(other) is None


def test_the_bounds_are_read_back_from_the_table() -> None:
    assert hold.bounds_of(record()) == BOUNDS


def test_who_waits_for_other_reasons_is_not_held() -> None:
    waiting = (
        waits(1, "SPF check failed for example.org", code=450),
        waits(2, "5.1.1 no such user here"),
        waits(3, "5.7.26 unauthenticated mail is refused: neither SPF nor DKIM passes"),
        Delivery("deferred", "r4@example.net", None, None, queue_id="Q4"),
        waits(5, "5.7.23 SPF check failed for example.org"),
    )
    assert [d.queue_id for d in hold.held(waiting, BOUNDS.causes, KNOWN)] == ["Q5"]
