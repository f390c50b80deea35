"""undo.sh, which takes a change back with nothing but sh, waits for whoever is at work, and leaves no lock behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.lab
MAIN = "/etc/postfix/main.cf"
SCRIPT, LOCK = "/var/lib/mailmend/trial/undo.sh", "/var/lib/mailmend/lock"


@pytest.fixture
def relay(lab: Any) -> Any:
    """A change that is on trial, for a quarter of an hour."""
    lab.reset()
    lab.relay.start()
    lab.relay.run(["cp", MAIN, "/root/before"])
    tried = lab.relay.mailmend(
        "--json", "set", "inet_interfaces=127.0.0.1", "--yes", "--confirm-within", "900"
    )
    assert json.loads(tried.stdout)["state"] == "trial"
    return lab.relay


def until(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def hold_the_lock(relay: Any) -> None:
    held = f"exec 9<{LOCK}; flock 9; echo >/root/held; exec sleep 600"
    relay.run(["sh", "-c", f"sh -c '{held}' >/dev/null 2>&1 & echo $! >/root/holder"])
    until(lambda: relay.run(["test", "-e", "/root/held"]).returncode == 0)


def release_it(relay: Any) -> None:
    relay.run(["sh", "-c", "kill $(cat /root/holder)"])


def is_back(relay: Any) -> bool:
    return relay.run(["cmp", "-s", "/root/before", MAIN]).returncode == 0


def listens_everywhere(relay: Any) -> bool:
    return "0.0.0.0:25" in relay.run(["ss", "-Hlnt"]).stdout


def test_it_touches_nothing_while_another_is_at_work(relay: Any) -> None:
    hold_the_lock(relay)
    relay.run(["sh", "-c", f"sh {SCRIPT} >/root/said 2>&1 & echo $! >/root/undoing"])
    until(lambda: relay.run(["pgrep", "-f", "flock -w"]).returncode == 0)
    assert not is_back(relay)
    release_it(relay)
    until(lambda: is_back(relay) and listens_everywhere(relay))
    assert relay.read("/root/said") == ""


def test_the_postfix_that_it_started_does_not_hold_the_lock(relay: Any) -> None:
    assert relay.run(["sh", SCRIPT]).returncode == 0
    assert is_back(relay)
    assert listens_everywhere(relay)
    # The guard outside looks at it too, for a moment each time.
    assert relay.run(["flock", "-w", "20", LOCK, "true"]).returncode == 0


@pytest.mark.slow
def test_who_hangs_is_not_waited_for_forever(relay: Any) -> None:
    relay.run(["sh", "-c", f"sed -i 's/flock -w 30/flock -w 1/' {SCRIPT}"])
    hold_the_lock(relay)
    done = relay.run(["sh", SCRIPT])
    assert "hangs" in done.stderr
    assert is_back(relay)
    assert listens_everywhere(relay)
    release_it(relay)


@pytest.mark.slow
def test_without_flock_it_goes_back_all_the_same(relay: Any) -> None:
    relay.run(["sh", "-c", f"sed -i 's/command -v flock/command -v no-flock/' {SCRIPT}"])
    assert relay.run(["sh", SCRIPT]).returncode == 0
    assert is_back(relay)


def test_both_at_the_same_instant_end_with_the_old_state_running(relay: Any) -> None:
    relay.run(["sh", "-c", f"sh {SCRIPT} >/root/sh 2>&1 & echo $! >/root/sh.pid"])
    undone = relay.mailmend("--json", "undo")
    assert undone.returncode in (0, 4), undone.stdout
    until(lambda: relay.run(["sh", "-c", "kill -0 $(cat /root/sh.pid)"]).returncode != 0)
    assert is_back(relay)
    assert listens_everywhere(relay)
    relay.mailmend("status")  # ends what is left, if anything is
    records = json.loads(relay.mailmend("--json", "history").stdout)["records"]
    assert {record["state"] for record in records} <= {"undone", "rolled-back", "kept"}
    assert not any(record["state"] in ("intent", "trial") for record in records)
    # The guard outside looks at it too, for a moment each time.
    assert relay.run(["flock", "-w", "20", LOCK, "true"]).returncode == 0
