"""`trace --follow` beside a log that is being written: nothing lost, nothing twice, and Ctrl-C is the usual end."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

HEAD = "2026-11-22T10:00:{:02}.5+00:00 relay postfix/{}[7]: {}\n"
BORN = (
    ("smtpd", "4F1A2B3: client=mail.example.org[192.0.2.1]"),
    ("cleanup", "4F1A2B3: message-id=<a@example.org>"),
    ("qmgr", "4F1A2B3: from=<a@example.org>, size=9, nrcpt=1 (queue active)"),
)
TO = "to=<b@example.net>, relay=mx.example.net[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, status="
BOUNCED = (
    ("smtp", f"4F1A2B3: {TO}bounced (host mx.example.net[192.0.2.9] said: 550 5.1.1 User unknown)"),
    ("cleanup", "5C0FFEE: message-id=<n@relay>"),
    ("qmgr", "5C0FFEE: from=<>, size=9, nrcpt=1 (queue active)"),
    ("bounce", "4F1A2B3: sender non-delivery notification: 5C0FFEE"),
    ("qmgr", "4F1A2B3: removed"),
)
BOUNCE_ENDS = (("smtp", f"5C0FFEE: {TO}sent (250 ok)"), ("qmgr", "5C0FFEE: removed"))
FORGED = (
    ("smtp", f"7BADBAD: {TO}sent (250 4F1A2B3: removed, forwarded as 4F1A2B3)"),
    ("cleanup", "7BADBAD: message-id=<x@y> ]: 4F1A2B3: removed"),
    ("qmgr", "7BADBAD: removed"),
)


class Follower:
    """A `trace --follow` of its own, and the lines that it has written so far."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailmend", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background job ignores Ctrl-C, and so would whatever it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(line)

    def events(self, count: int) -> list[dict[str, Any]]:
        """The next *count* events; queue.Empty where one does not come for 20 seconds."""
        return [json.loads(self.lines.get(timeout=20)) for _ in range(count)]

    def ends(self) -> tuple[int, list[str], str]:
        """The exit status, what it wrote that nobody read yet, and what it complained of."""
        status = self.process.wait(30)
        self.reader.join(10)
        assert self.process.stderr
        return status, [self.lines.get() for _ in range(self.lines.qsize())], self.process.stderr.read()


Follow = Callable[..., Follower]


def lines(*told: tuple[str, str]) -> str:
    return "".join(HEAD.format(number, *each) for number, each in enumerate(told))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "mail.log"


@pytest.fixture
def follow(log: Path) -> Iterator[Follow]:
    started: list[Follower] = []

    def start(asked: str, *options: str) -> Follower:
        started.append(Follower([*options, "trace", "--follow", asked, str(log)]))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_strangers_end_and_join_nothing_and_ctrl_c_ends_it(log: Path, follow: Follow) -> None:
    log.write_text(lines(*BORN))
    following = follow("4F1A2B3", "--json")
    assert len(following.events(3)) == 3
    append(log, lines(*FORGED))
    append(log, lines(("smtp", f"4F1A2B3: {TO}sent (250 ok)")))
    (event,) = following.events(1)
    assert (event["queue_id"], event["kind"]) == ("4F1A2B3", "attempt")
    following.process.send_signal(signal.SIGINT)
    assert following.ends() == (0, [], "")


def test_nothing_came_until_ctrl_c(log: Path, follow: Follow) -> None:
    log.write_text(lines(*FORGED))
    following = follow("4F1A2B3", "--json")
    time.sleep(3)
    assert following.process.poll() is None
    following.process.send_signal(signal.SIGINT)
    assert following.ends() == (1, [], "")


def test_a_bounce_is_followed_to_its_own_end_through_a_rotation(log: Path, follow: Follow) -> None:
    log.write_text(lines(*BORN))
    following = follow("<a@example.org>", "--json")
    told = following.events(3)
    append(log, lines(*BOUNCED[:2]))
    log.rename(log.with_suffix(".log.1"))
    log.write_text(lines(*BOUNCED[2:]))
    told += following.events(5)
    append(log, lines(*BOUNCE_ENDS))
    told += following.events(2)
    assert following.ends() == (0, [], "")
    own = [(e["queue_id"], e["kind"]) for e in told]
    assert own == [
        ("4F1A2B3", "client"),
        ("4F1A2B3", "message-id"),
        ("4F1A2B3", "queued"),
        ("4F1A2B3", "attempt"),
        ("4F1A2B3", "notified"),
        ("5C0FFEE", "message-id"),
        ("5C0FFEE", "queued"),
        ("4F1A2B3", "removed"),
        ("5C0FFEE", "attempt"),
        ("5C0FFEE", "removed"),
    ]
    assert told[3]["refusal"]["cause"] == "no-such-user"


def test_a_message_that_is_still_to_come_is_waited_for_and_told_to_a_person(
    log: Path, follow: Follow
) -> None:
    log.write_text("")
    following = follow("<a@example.org>")
    time.sleep(2)
    append(log, lines(*BORN))
    append(log, lines(("smtp", f"4F1A2B3: {TO}sent (250 ok)"), ("qmgr", "4F1A2B3: removed")))
    status, out, _ = following.ends()
    assert status == 0
    said = [" ".join(line.split()[3:]) for line in out if "4F1A2B3" in line]
    assert said[0] == "4F1A2B3 received from mail.example.org [192.0.2.1]"
    assert said[-1] == "4F1A2B3 removed from the queue"
