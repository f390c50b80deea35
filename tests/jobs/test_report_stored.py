"""A report from the store is the report of the log; and the log is read where the store does not know enough."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs import logs
from mailmend.jobs import ingest as take
from mailmend.jobs import report as job
from mailmend.jobs import report_stored
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, ParseError
from mailmend.system.follow import Place
from mailmend.system.probe import Recorded
from mailmend.system.store.sqlite import Store
from mailmend.ui.report_page import page
from mailmend.ui.show import reports

NOBODY_THERE = (
    "Nov 20 23:59:00 mx1 postfix/smtp[1]: 4ABCDEF012: to=<a@gmail.com>, relay=none, delay=30, delays=0/0/30/0, "
    "dsn=4.4.1, status=deferred (connect to gmail-smtp-in.l.google.com[142.250.1.26]:25: Connection timed out)\n"
)
MANY = "".join(
    f"Nov 20 23:59:{n:02} mx1 postfix/smtp[1]: 4ABCDEF0{n:02}: to=<a@d{n}.example>, "
    f"relay=mx.d{n}.example[192.0.2.{n}]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, "
    f"status=bounced (host mx.d{n}.example said: 550 5.1.1 no such user)\n"
    for n in range(40)
)


def here_of(folder: Path) -> Here:
    return Here(Recorded({}), state=folder / "state")


def written(folder: Path, seed: int = 4, messages: int = 1500, *, rfc3339: bool = False) -> Path:
    path = folder / "mail.log"
    path.write_bytes(logs.write(seed, messages, rfc3339=rfc3339)[0])
    return path


def shape(told: job.Told) -> dict[str, Any]:
    """The document, without what only the log knows."""
    document = reports.report(told)
    for key in ("store", "waiting", "more_waiting"):
        document.pop(key)
    # Every so many deliveries of a block are measured, and the blocks are not the same.
    document["delays"] = {each["receiver"]: (each["median"], each["p95"]) for each in document["delays"]}
    document["findings"] = [each for each in document["findings"] if "still in the queue" not in each["says"]]
    return document


@pytest.mark.parametrize(("seed", "rfc3339"), [(4, False), (5, True)])
def test_both_ways_give_the_same_report(tmp_path: Path, seed: int, rfc3339: bool) -> None:
    path, here = written(tmp_path, seed, rfc3339=rfc3339), here_of(tmp_path)
    more = NOBODY_THERE + MANY
    if rfc3339:
        more = more.replace("Nov 20 ", "2026-11-20T").replace(" mx1", "+00:00 mx1")
    with path.open("a") as log:
        log.write(more)
    take.ingest([path], here)
    read = job.report(lambda: here, [path])
    asked = job.report(lambda: here, [], stored=True)
    assert asked.store == Store(take.folder(here)).path
    assert asked.report.waits is None
    assert shape(asked) == shape(read)
    assert "From the delivery store" in page(asked)


def test_summer_time_ends_within_a_log_that_has_no_offsets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        path, here = tmp_path / "mail.log", here_of(tmp_path)
        path.write_text(NOBODY_THERE.replace("Nov 20", "Oct 24") + NOBODY_THERE.replace("Nov 20", "Oct 26"))
        read = job.report(lambda: here, [path]).report
        assert [at.hour for at, _ in read.hours] == [
            datetime(2026, 10, 24, 21, tzinfo=UTC),
            datetime(2026, 10, 26, 22, tzinfo=UTC),
        ]
        take.ingest([path], here)
        assert job.report(lambda: here, [], stored=True).report.hours == read.hours
    finally:
        monkeypatch.undo()
        time.tzset()


def test_hours_that_were_not_asked_for_are_left_out(tmp_path: Path) -> None:
    path, here = written(tmp_path), here_of(tmp_path)
    take.ingest([path], here)
    since, until = datetime(2026, 11, 20, 3).astimezone(), datetime(2026, 11, 20, 9).astimezone()
    asked = job.report(lambda: here, [], since=since, until=until, stored=True).report
    read = job.report(lambda: here, [path], since=since, until=until).report
    assert asked.total() == read.total() > 0
    assert asked.hours == read.hours


def test_no_store_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="there is no store"):
        job.report(lambda: here_of(tmp_path), [], stored=True)


def test_files_are_not_asked_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="store is asked"):
        job.report(lambda: here_of(tmp_path), [tmp_path / "mail.log"], stored=True)


def test_where_a_file_is_named_it_is_read(tmp_path: Path) -> None:
    path, here = written(tmp_path), here_of(tmp_path)
    take.ingest([path], here)
    assert job.report(lambda: here, [path], stored=None).store is None


# ---- whether the store knows enough -------------------------------------------------------


def test_without_a_store_the_log_is_read(tmp_path: Path) -> None:
    path, here = written(tmp_path), here_of(tmp_path)
    assert not report_stored.knows(Store(take.folder(here)), Place(path), None, None)


def test_a_store_that_is_up_to_date_is_asked(tmp_path: Path) -> None:
    path, here = written(tmp_path), here_of(tmp_path)
    take.ingest([path], here)
    store = Store(take.folder(here))
    assert report_stored.knows(store, Place(path), None, None)
    assert report_stored.knows(store, Place(path), datetime(2026, 11, 20, 12, tzinfo=UTC), None)


def test_a_store_that_begins_later_is_not_asked(tmp_path: Path) -> None:
    path, here = written(tmp_path), here_of(tmp_path)
    take.ingest([path], here)
    early = datetime(2026, 11, 19, tzinfo=UTC)
    assert not report_stored.knows(Store(take.folder(here)), Place(path), early, None)


def test_a_store_that_stopped_is_not_asked_but_for_the_past(tmp_path: Path) -> None:
    path, here = written(tmp_path), here_of(tmp_path)
    take.ingest([path], here)
    store = Store(take.folder(here))
    with path.open("ab") as log:
        log.write(b"Nov 20 23:59:59 mx1 postfix/smtpd[1]: connect from x[192.0.2.1]\n")
    later = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    os.utime(path, (later, later))
    assert not report_stored.knows(store, Place(path), None, None)
    assert report_stored.knows(store, Place(path), None, datetime(2026, 11, 20, 1, tzinfo=UTC))


def test_another_log_or_the_journal_is_not_in_it(tmp_path: Path) -> None:
    path, here = written(tmp_path), here_of(tmp_path)
    take.ingest([path], here)
    store = Store(take.folder(here))
    assert not report_stored.knows(store, Place(tmp_path / "maillog"), None, None)
    assert not report_stored.knows(store, Place(None), None, None)


def test_unasked_the_store_serves_the_hosts_own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, here = written(tmp_path), here_of(tmp_path)
    take.ingest([path], here)
    monkeypatch.setattr(Here, "log", lambda _: Place(path))
    assert job.report(lambda: here, [], stored=None).store
    assert job.report(lambda: here, [], stored=False).store is None
