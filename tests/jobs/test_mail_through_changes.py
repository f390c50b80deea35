"""Mail goes on while its server is changed, stopped and started: no message that was taken is lost."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.lab
STREAM = Path(__file__).with_name("stream.py")
OUTCOMES, STOP = "/var/log/stream.jsonl", "/var/log/stream.stop"
RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results"


def examples(config: pytest.Config) -> int:
    if config.getoption("--full"):
        return 300
    return 30 if config.getoption("--slow") else 10


@pytest.fixture
def flowing(lab: Any) -> Iterator[Any]:
    """A relay with mail coming in and going on to an ordinary receiver, all the time."""
    lab.reset()
    lab.relay.start()
    lab.relay.run(["rm", "-f", OUTCOMES, STOP])
    lab.relay.run(["setsid", "--fork", sys.executable, "-P", str(STREAM), OUTCOMES, STOP])
    yield lab
    lab.relay.write(STOP, "")


def ok(relay: Any, *arguments: str) -> None:
    done = relay.mailmend("--json", *arguments, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def changes() -> tuple[tuple[str, Callable[[Any], None]], ...]:
    """(what it is, the act): a cycle of five after which the configuration is as it was."""

    def restarted(relay: Any) -> None:
        relay.stop()
        relay.start()

    return (
        (
            "set, a reload",
            lambda relay: ok(relay, "set", "--yes", "--confirm", "message_size_limit=20480000"),
        ),
        ("undo, a reload", lambda relay: ok(relay, "undo")),
        ("fix, a restart", lambda relay: ok(relay, "fix", "--yes", "--confirm", "--remedy", "ipv4-only")),
        ("undo, a restart", lambda relay: ok(relay, "undo")),
        ("a restart by hand", restarted),
    )


@pytest.mark.slow
def test_no_message_that_was_taken_is_lost(flowing: Any, pytestconfig: pytest.Config) -> None:
    relay, count = flowing.relay, examples(pytestconfig)
    began = time.monotonic()
    done: Counter[str] = Counter()
    for name, act in islice(cycle(changes()), count):
        act(relay)
        done[name] += 1
    relay.write(STOP, "")
    end = time.monotonic() + 60
    while '"ended"' not in (text := relay.read(OUTCOMES)):
        assert time.monotonic() < end, "the stream does not end"
        time.sleep(0.05)
    told = [json.loads(line) for line in text.splitlines()]
    assert {t["told"] for t in told} <= {"taken", "cut", "closed", "ended", "421", "451", "450", "452"}
    taken = {t["trace"] for t in told if t["told"] == "taken"}
    came = arrived(flowing, taken)
    gaps = closed(told)
    figures = {
        "changes": dict(done),
        "seconds": round(time.monotonic() - began, 1),
        "acknowledged": len(taken),
        "lost": len(taken - came.keys()),
        "duplicated": sum(times - 1 for times in came.values()),
        "sessions cut": sum(t["told"] == "cut" for t in told),
        "times closed": len(gaps),
        "closed, median ms": round(statistics.median(gaps) * 1000) if gaps else 0,
        "closed, longest ms": round(max(gaps, default=0.0) * 1000),
    }
    print(json.dumps(figures))
    assert len(taken) > count, "hardly any mail was under way"
    assert not taken - came.keys()
    # A stop waits for nobody, so a message may have been taken whose reply was cut off; that is all.
    assert figures["duplicated"] <= figures["sessions cut"]
    if pytestconfig.getoption("--full"):
        keep(figures)


def arrived(lab: Any, taken: set[str]) -> Counter[str]:
    """How often each message came to its receiver, once the queue is empty."""
    end = time.monotonic() + 120
    while True:
        lab.relay.run(["postqueue", "-f"])
        came = Counter(message.trace for message in lab.elsewhere.received())
        queue = lab.relay.run(["postqueue", "-p"]).stdout
        if "is empty" in queue and (not taken - came.keys() or time.monotonic() > end):
            return came
        assert time.monotonic() < end + 60, queue[-2000:]
        time.sleep(0.5)


def closed(told: list[dict[str, Any]]) -> list[float]:
    """How long, each time, no connection was to be had: from the first that failed to the next that was taken."""
    gaps, since = [], None
    for event in sorted(told, key=lambda t: t["at"]):
        if event["told"] == "closed":
            since = since or event["at"]
        elif event["told"] == "taken" and since is not None:
            gaps.append(event["at"] - since)
            since = None
    return gaps


def keep(figures: dict[str, Any]) -> None:
    """The dated result of the whole list."""
    RESULTS.mkdir(exist_ok=True)
    lines = [
        "# Mail through applies, undos, reloads and restarts",
        "",
        f"`pytest --full tests/jobs/test_mail_through_changes.py`, {datetime.now(UTC):%Y-%m-%d}, "
        f"Linux {platform.release()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[1]:.0f} on {os.cpu_count()} processors.",
        "",
        "| what | figure |",
        "|---|---:|",
        *(f"| {name} | {value} |" for name, value in figures.items() if name != "changes"),
        *(f"| {name} | {times} times |" for name, times in figures["changes"].items()),
    ]
    (RESULTS / "mail-through-changes.md").write_text("\n".join(lines) + "\n")
