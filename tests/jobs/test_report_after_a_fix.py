"""An operator's report on real Postfix: what waits is what the queue holds, and what a fix brought is seen at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.lab


@pytest.fixture
def world(lab: Any) -> Iterator[Any]:
    lab.reset()
    lab.relay.start()
    yield lab
    lab.receiver.mode("ok")
    lab.relay.run(["rm", "-rf", "/var/lib/mailmend/deliveries"])


def report(lab: Any, *arguments: str) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", "report", "--no-stored", *arguments)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def queue(lab: Any) -> dict[str, list[str]]:
    """Queue id -> recipients, as postqueue(1) -j tells what is deferred."""
    lines = lab.relay.run(["postqueue", "-j"]).stdout.splitlines()
    return {
        each["queue_id"]: [to["address"] for to in each["recipients"]]
        for each in map(json.loads, lines)
        if each["queue_name"] == "deferred"
    }


def test_what_a_fix_brought_is_seen_within_the_same_hour(world: Any) -> None:
    before = list(world.outcomes(world.send(count=16)).values())
    assert world.relay.mailmend("--json", "fix", "--yes").returncode == 0
    after = list(world.outcomes(world.send(count=12)).values())
    bounced = sum(each.status == "bounced" for each in before)
    over = sum(each.family == "ipv6" for each in before)
    turns = {each["family"]: (each["before"], each["after"]) for each in report(world)["changes"]}
    assert bounced
    assert turns[None] == ({"failed": bounced, "deliveries": 16}, {"failed": 0, "deliveries": len(after)})
    assert turns["ipv6"] == ({"failed": bounced, "deliveries": over}, {"failed": 0, "deliveries": 0})
    assert "no mail" in world.relay.mailmend("report", "--no-stored").stdout


def test_what_waits_is_what_the_queue_holds(world: Any) -> None:
    world.receiver.mode("tempfail")
    world.outcomes(world.send(count=6))
    held = queue(world)
    assert len(held) == 6
    waiting = report(world)["waiting"]
    assert sum(each["messages"] for each in waiting) == 6
    assert sum(each["count"] for each in waiting) == sum(map(len, held.values()))
    assert {each["oldest"] for each in waiting} <= set(held)
    gone = waiting[0]["oldest"]
    world.relay.run(["postsuper", "-d", gone])
    left = report(world)["waiting"]
    assert gone not in {each["oldest"] for each in left}
    assert sum(each["messages"] for each in left) == len(queue(world)) == 5


def test_once_the_log_is_taken_in_the_store_is_asked(world: Any) -> None:
    world.outcomes(world.send(count=60))  # of which some half is refused: a handful is told
    for _ in range(100):
        if not world.relay.run(["postqueue", "-j"]).stdout:
            break
        time.sleep(0.1)
    time.sleep(0.5)  # and the last word of the last
    read = json.loads(world.relay.mailmend("--json", "report").stdout)
    assert read["store"] is None
    assert world.relay.mailmend("ingest").returncode == 0
    done = world.relay.mailmend("--json", "report")
    asked = json.loads(done.stdout)
    assert done.returncode == 1
    assert asked["store"]
    assert asked["waiting"] == []  # as the queue is
    for key in (
        "lines",
        "messages",
        "span",
        "deliveries",
        "findings",
        "domains",
        "senders",
        "hours",
        "rejected",
    ):
        assert asked[key] == read[key], key
    assert "From the delivery store" in world.relay.mailmend("report").stdout
