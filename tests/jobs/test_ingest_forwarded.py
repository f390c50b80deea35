"""Whose mail was forwarded and taken is in the store, by day and domain; what was not forwarded is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.kill_driver import There, there
from mailmend.jobs import ingest as job
from mailmend.system.store import schema
from mailmend.system.store.sqlite import Store

DAY = datetime(2026, 11, 20, tzinfo=UTC)
GMAIL = (
    "relay=gmail-smtp-in.l.google.com[198.51.100.27]:25, delay=0.1, delays=0/0/0/0.1, "
    "dsn=2.0.0, status=sent (250 ok)"
)
SRS = "SRS0=x=JL=Shop.example=alice@srs.example.org"


@pytest.fixture
def here(tmp_path: Path) -> There:
    (tmp_path / "log").mkdir()
    return there(tmp_path / "state", tmp_path / "log" / "mail.log")


def came(queue_id: str, sender: str) -> str:
    return f"postfix/qmgr[3]: {queue_id}: from=<{sender}>, size=900, nrcpt=1 (queue active)"


def left(queue_id: str, before: str, ending: str = GMAIL, to: str = "someone@gmail.com") -> str:
    moved = f", orig_to=<{before}>" if before else ""
    return f"postfix/smtp[4]: {queue_id}: to=<{to}>{moved}, {ending}"


def written(lines: Iterable[str], day: int = 0) -> str:
    at = (DAY + timedelta(days=day, hours=12)).isoformat(timespec="microseconds")
    return "".join(f"{at} relay {line}\n" for line in lines)


def taken(here: There, days: tuple[int, int] = (0, 9)) -> list[tuple[str, str | None, int]]:
    first, last = (DAY + timedelta(days=day) for day in days)
    _, rows = Store(job.folder(here)).forwarded(first, last)
    return [(domain, place.receiver, count) for domain, place, count in rows]


# ---- what is not counted -------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [came("AAAAA1", "anna@example.org"), left("AAAAA1", "")],
        [
            came("AAAAA1", "alice@shop.example"),
            left("AAAAA1", "u@example.org", GMAIL.replace("sent", "bounced")),
        ],
        # It only goes round through this host, to be rewritten.
        [
            came("AAAAA1", "alice@shop.example"),
            left(
                "AAAAA1",
                "u@example.org",
                GMAIL.replace("gmail-smtp-in.l.google.com[198.51.100.27]", "x[127.0.0.1]"),
            ),
        ],
        # A bounce that comes back to a rewritten address.
        [came("AAAAA1", ""), left("AAAAA1", SRS, to="alice@shop.example")],
        # Delivered here.
        [
            came("AAAAA1", "alice@shop.example"),
            "postfix/local[4]: AAAAA1: to=<root@relay.example.org>, orig_to=<u@example.org>, relay=local, delay=0.1, "
            "delays=0/0/0/0.1, dsn=2.0.0, status=sent (delivered to mailbox)",
        ],
        # Nobody knows who sent it.
        [left("AAAAA1", "u@example.org")],
    ],
)
def test_what_was_not_forwarded_and_taken(here: There, lines: list[str]) -> None:
    here.path.write_text(written(lines))
    job.ingest([], here)
    assert taken(here) == []


# ---- what is -------------------------------------------------------------------------------


MAIL = [
    *(came("AAAAA1", "alice@shop.example"), left("AAAAA1", "u@example.org")),
    *(came("BBBBB2", SRS), left("BBBBB2", "")),
    *(came("CCCCC3", '"a b"@Bank.example'), left("CCCCC3", '"u v"@example.org')),
    *(came("DDDDD4", ""), left("DDDDD4", "u@example.org")),
]


def test_it_is_counted_by_whoever_sent_it_first(here: There) -> None:
    here.path.write_text(written(MAIL))
    job.ingest([], here)
    assert taken(here) == [("shop.example", "google", 2), ("", "google", 1), ("bank.example", "google", 1)]


def test_line_by_line_it_is_the_same_and_each_counts_once(here: There) -> None:
    """The sender's line may have been read by another process, long ago."""
    text = ""
    for line in MAIL:
        text += written([line])
        here.path.write_text(text)
        job.ingest([], here)
        job.ingest([], here)
    assert sum(count for _, _, count in taken(here)) == 4


def test_days_are_told_apart(here: There) -> None:
    here.path.write_text("".join(written(MAIL[:2], day) for day in range(4)))
    job.ingest([], here)
    assert taken(here, (1, 3)) == [("shop.example", "google", 2)]


# ---- a store of before ---------------------------------------------------------------------


def older(here: There) -> None:
    """A store as it was made when nobody asked."""
    here.path.write_text(written(MAIL))
    job.ingest([], here)
    with closing(sqlite3.connect(schema.file(job.folder(here)))) as db:
        db.execute("drop table forwarded")
        db.execute("delete from meta where name='forwarded_since'")
        db.commit()


def test_a_store_of_before_does_not_claim_that_nothing_was_forwarded(here: There) -> None:
    older(here)
    assert Store(job.folder(here)).forwarded(DAY, DAY + timedelta(days=9)) == (None, ())


def test_once_it_is_written_to_it_knows_from_when_on(here: There) -> None:
    older(here)
    before = datetime.now(UTC).replace(microsecond=0)
    with here.path.open("a") as log:
        log.write(written(MAIL[:2], 1))
    job.ingest([], here)
    since, rows = Store(job.folder(here)).forwarded(DAY, DAY + timedelta(days=9))
    assert since is not None
    assert since >= before
    assert [(domain, count) for domain, _, count in rows] == [("shop.example", 1)]


def test_a_new_store_knows_all_that_it_was_given(here: There) -> None:
    here.path.write_text(written(MAIL))
    job.ingest([], here)
    since, _ = Store(job.folder(here)).forwarded(DAY, DAY + timedelta(days=9))
    assert since is not None
    assert since < DAY
