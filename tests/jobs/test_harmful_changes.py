"""A change that would break the server is stopped before it is made, in one line; one that would not goes through."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.harmful import DRIVER, LIST, SUBMISSION, changes, write

pytestmark = pytest.mark.lab

DEADLINE = 10.0  # seconds until a harmful change is stopped or taken back


@pytest.fixture(scope="module")
def server(lab: Any, pytestconfig: pytest.Config) -> Iterator[Any]:
    """A running server with a submission port, on which changes are tried one after another."""
    lab.reset(master_extra=SUBMISSION)
    lab.relay.start()
    lab.relay.told = []
    yield lab.relay
    if pytestconfig.getoption("--full") and len(lab.relay.told) == sum(map(len, LIST.values())):
        write(lab.relay.told)


def tried(relay: Any, change: dict[str, Any]) -> dict[str, Any]:
    done = relay.run([sys.executable, "-c", DRIVER], input=json.dumps([change]))
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    relay.told.append(told)
    return told


def untouched(told: dict[str, Any]) -> None:
    """The real server, its files and its queue are what they were, and no copy is left."""
    assert told["before"]["greeting"] == "220"
    assert told["after"] == told["before"]
    assert (told["after"]["left"], told["after"]["canaries"]) == ([], 0)


def test_the_list_is_long_enough_and_names_each_change_once() -> None:
    assert len(LIST["harmful"]) >= 60
    assert len(LIST["harmless"]) >= 20
    ids = [c["id"] for kind in LIST for c in LIST[kind]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("change", changes("harmless", 4, pytest.mark.slow))
def test_what_breaks_nothing_goes_through(server: Any, change: dict[str, Any]) -> None:
    told = tried(server, change)
    assert (told["says"], told["unseen"]) == ("", "")
    untouched(told)


@pytest.mark.parametrize("change", changes("harmful", 6, pytest.mark.slow))
def test_what_would_break_it_is_stopped_with_its_cause_in_one_line(
    server: Any, change: dict[str, Any]
) -> None:
    told = tried(server, change)
    assert re.search(change["says"], told["says"]), told["says"]
    assert "\n" not in told["says"]
    assert "canary" not in told["says"]
    assert told["seconds"] < DEADLINE
    untouched(told)


@pytest.mark.parametrize("change", changes("harmful", 3, pytest.mark.full, typed=True))
def test_set_leaves_a_server_that_answers_whatever_was_typed(lab: Any, change: dict[str, Any]) -> None:
    lab.reset(master_extra=SUBMISSION)
    lab.relay.start()
    before = (
        greets(lab.relay),
        lab.relay.read("/etc/postfix/main.cf"),
        lab.relay.read("/etc/postfix/master.cf"),
    )
    start = time.monotonic()
    done = lab.relay.mailmend("--json", "set", *change["set"], "--yes", "--confirm")
    took = time.monotonic() - start
    told = json.loads(done.stdout)
    assert done.returncode in (2, 3, 4), f"it was kept: {done.stdout}"
    assert told.get("error") or told.get("reason"), told
    assert took < DEADLINE
    after = (
        greets(lab.relay),
        lab.relay.read("/etc/postfix/main.cf"),
        lab.relay.read("/etc/postfix/master.cf"),
    )
    assert before[0]
    assert after == before


GREETS = """
import socket
said = socket.create_connection(("127.0.0.1", 25), 5).makefile("rb").readline()
print(said.startswith(b"220"))
"""


def greets(relay: Any) -> bool:
    return bool(relay.run([sys.executable, "-c", GREETS]).stdout.strip() == "True")
