"""What still waits, in a report from the store: whose the queue says, why and since when the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.kill_driver import There, there
from mailmend.jobs import ingest, report_stored
from mailmend.road.report import Waits
from mailmend.system.queue import Message
from mailmend.system.store.sqlite import Store
from road.test_through import LATER, V4, V6, outcome

ARRIVED = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
LINES = [
    outcome(1, V4, "deferred", LATER),
    outcome(1, V4, "deferred", LATER, to="b@gmail.com"),
    outcome(40, V6, "deferred", LATER, queue="4ABCDEF013"),
    outcome(301, V6, "deferred", LATER),
    outcome(301, V4, "sent", "250 ok", to="b@gmail.com"),
]


@pytest.fixture
def here(tmp_path: Path) -> There:
    path = tmp_path / "mail.log"
    text = "".join(f"{line}\n" for line in LINES)
    path.write_text(text.replace("Nov 22 ", "2026-11-22T").replace(" mx1 ", "+00:00 mx1 "))
    place = there(tmp_path / "state", path)
    ingest.ingest([path], place)
    return place


def waits(here: There, held: Mapping[str, Message], since: datetime | None = None) -> tuple[Waits, ...]:
    return report_stored.waits(Store(ingest.folder(here)), held, since)


def message(*recipients: str, arrived: datetime = ARRIVED) -> Message:
    return Message(arrived, frozenset(recipients))


# ---- what does not wait -------------------------------------------------------------------


def test_an_empty_queue_is_known_to_be_empty(here: There) -> None:
    assert waits(here, {}) == ()


def test_of_a_recorded_host_nobody_knows_the_queue(here: There) -> None:
    assert report_stored.held(here) is None


@pytest.mark.parametrize(
    "held",
    [
        {"4ABCDEF099": message("a@gmail.com")},  # it was never tried
        {"4ABCDEF012": message("c@gmail.com")},  # the others have it, this one was not tried
        {"4ABCDEF012": message("a@gmail.com", arrived=ARRIVED + timedelta(hours=1))},  # its id was another's
    ],
)
def test_what_was_not_deferred_has_no_reason_to_be_told(here: There, held: Mapping[str, Message]) -> None:
    assert waits(here, held) == ()


# ---- what does ----------------------------------------------------------------------------


def test_who_has_not_got_it_yet_is_told_with_the_last_reason(here: There) -> None:
    (only,) = waits(here, {"4ABCDEF012": message("a@gmail.com")})
    assert (only.receiver, only.family, only.count, only.messages) == ("google", "ipv6", 1, 1)
    assert (only.since, only.tried) == (ARRIVED + timedelta(seconds=1), ARRIVED + timedelta(seconds=301))
    assert only.text.startswith("421 4.7.0 try again later")


def test_one_cause_of_several_messages_is_one_row_of_the_oldest(here: There) -> None:
    (only,) = waits(here, {"4ABCDEF013": message("a@gmail.com"), "4ABCDEF012": message("a@gmail.com")})
    assert (only.count, only.messages, only.queue_id) == (2, 2, "4ABCDEF012")


def test_only_what_was_tried_in_that_time(here: There) -> None:
    both = {"4ABCDEF013": message("a@gmail.com"), "4ABCDEF012": message("a@gmail.com")}
    (only,) = waits(here, both, ARRIVED + timedelta(seconds=100))
    assert (only.queue_id, only.count) == ("4ABCDEF012", 1)


@pytest.mark.lab
def test_on_a_real_queue_both_ways_say_the_same(lab: Any) -> None:
    lab.reset()
    lab.relay.start()
    lab.receiver.mode("tempfail")
    became = lab.outcomes(lab.send(count=4))
    assert {each.status for each in became.values()} == {"deferred"}
    lab.relay.mailmend("ingest")
    asked, read = _waiting(lab.relay, "--stored"), _waiting(lab.relay, "--no-stored")
    assert sum(each["count"] for each in asked) == 4
    keys = ("receiver", "family", "cause", "count", "messages")
    assert [[each[key] for key in keys] for each in asked] == [[each[key] for key in keys] for each in read]
    lab.relay.run(["postsuper", "-d", "ALL"])
    assert _waiting(lab.relay, "--stored") == []


def _waiting(relay: Any, where: str) -> list[dict[str, Any]]:
    done = relay.mailmend("--json", "report", where)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)["waiting"]
    return sorted(told, key=lambda each: (-each["count"], str(each["family"])))
