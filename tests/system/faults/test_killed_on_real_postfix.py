"""Killed at any moment of a change to a real Postfix, mailmend is followed by its guard or by the next command.

What the history then says is in force: the files, the sockets, and a server that answers.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab

STATE = "/var/lib/mailmend"
FILES = ("/etc/postfix/main.cf", "/etc/postfix/master.cf")
CHANGES = {
    "reload": ("fix", "--remedy", "ipv4-for-receiver", "--yes"),
    "restart": ("fix", "--remedy", "ipv4-only", "--yes"),
    "undo": ("undo",),
}
LONGEST = 2.5  # seconds from the first touch of a change to its end, on a busy machine
RECOVERS = (
    10.0  # seconds for the next command, with Postfix's own stop and start; what it is started with included
)
_GREETING = "import smtplib; print(smtplib.SMTP('127.0.0.1', 25, timeout=10).noop()[0])"


def shell(lab: Lab, text: str) -> str:
    return lab.relay.run(["sh", "-c", text]).stdout


def answers(lab: Lab) -> bool:
    return lab.relay.run([sys.executable, "-c", _GREETING]).stdout.strip() == "250"


def files(lab: Lab) -> list[str]:
    return [lab.relay.read(name) for name in FILES]


def left(lab: Lab) -> list[str]:
    return shell(lab, f"ls -d {STATE}/trial /etc/postfix/*mailmend* /etc/postfix/*.tmp").split()


def records(lab: Lab) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(lab.relay.mailmend("--json", "history").stdout)["records"]
    return listed


def begun_and_killed(lab: Lab, words: tuple[str, ...], after: float, guard_too: bool) -> None:
    """The command, killed *after* seconds from the first sign of its change; its guard dies with it or lives on."""
    command = f"{sys.executable} -P -m mailmend {' '.join(words)}"
    # One shell: what comes between the first sign and the kill is this machine's doing, not the lab's.
    guard = "pkill -KILL -f '[u]ndo.sh guard'; pkill -KILL -f 'mailmend recove[r]'" if guard_too else ":"
    shell(
        lab,
        f"setsid {command} >/dev/null 2>&1 & pid=$!;"
        f" for i in $(seq 500); do [ -e {STATE}/trial ] && break; sleep 0.02; done;"
        f" sleep {after:.3f}; kill -KILL -$pid; {guard}; wait",
    )


def killed(lab: Lab, kind: str, draw: random.Random) -> None:
    lab.reset()
    lab.relay.start()
    old = files(lab)
    if kind == "undo":
        assert lab.relay.mailmend(*CHANGES["reload"]).returncode == 0
    before = files(lab)
    known = {record["id"]: record["state"] for record in records(lab)}
    after, guard_too = draw.uniform(0, LONGEST), draw.random() < 0.5
    story = f"{kind}, killed after {after:.3f} s, guard {'killed too' if guard_too else 'alive'}"
    begun_and_killed(lab, CHANGES[kind], after, guard_too)

    started = time.monotonic()
    status = lab.relay.mailmend("--json", "status")
    assert status.returncode in (0, 1), f"{story}: {status.stdout}{status.stderr}"
    # Where the guard is at it already, the command leaves it to the guard.
    while any(record["state"] == "intent" for record in records(lab)):
        assert time.monotonic() - started < RECOVERS, story
        time.sleep(0.2)
    settled = [r for r in records(lab) if known.get(r["id"]) != r["state"]]

    now = files(lab)
    if any(r["state"] == "undone" for r in settled):
        assert now == old, story
    elif any(r["state"] in ("kept", "trial") for r in settled):
        assert now != before, story
    else:
        assert now == before, f"{story}: {settled}"
    if any(r["state"] == "trial" for r in settled):
        assert lab.relay.mailmend("undo").returncode == 0, story
        assert files(lab) == before, story
    assert answers(lab), story
    assert ("[::]:25" in shell(lab, "ss -lnt")) == (
        "inet_protocols = ipv4" not in lab.relay.read(FILES[0])
    ), story
    assert left(lab) == [], story


@pytest.mark.parametrize("kind", CHANGES)
def test_killed_at_some_moment(lab: Lab, kind: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    killed(lab, kind, random.Random(seed))  # noqa: S311


@pytest.mark.slow
@pytest.mark.parametrize("kind", CHANGES)
def test_killed_at_more_moments(lab: Lab, kind: str) -> None:
    draw = random.Random(20261122)  # noqa: S311
    for _ in range(12):
        killed(lab, kind, draw)


@pytest.mark.full
@pytest.mark.parametrize("kind", CHANGES)
def test_killed_at_a_hundred_moments(lab: Lab, kind: str) -> None:
    draw = random.Random(7)  # noqa: S311
    for _ in range(100):
        killed(lab, kind, draw)
