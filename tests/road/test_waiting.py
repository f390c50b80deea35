"""What is still deferred when the log ends waits; what was sent, came back or left the queue does not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from mailmend import catalogue
from mailmend.parse.logscan import Scanner, Senders
from mailmend.road import causes, tally
from mailmend.road.waiting import Queued

KNOWN = causes.Causes(catalogue.load())
FULL = (
    "452 4.2.2 The email account that you tried to reach is over quota. Please direct the recipient - gsmtp"
)
SAID = {"deferred": FULL, "bounced": "550 5.1.1 no such user", "sent": "250 ok"}
ONE, TWO = "4ABCDEF012", "4jXQB1zLdf9B"


def head(minute: int, queue: str = ONE, service: str = "smtp") -> str:
    return f"Nov 22 {10 + minute // 60:02}:{minute % 60:02}:00 mx1 postfix/{service}[77]: {queue}: "


def outcome(minute: int, status: str, queue: str = ONE, to: str = "a@gmail.com", said: str = "") -> str:
    host = "gmail-smtp-in.l.google.com[142.250.1.26]"
    code = {"sent": "2.0.0", "deferred": "4.2.2", "bounced": "5.1.1"}[status]
    return (
        f"{head(minute, queue)}to=<{to}>, relay={host}:25, delay=1, delays=0/0/0/1, dsn={code}, "
        f"status={status} (host {host} said: {said or SAID[status]} (in reply to RCPT TO command))"
    )


def left(minute: int, queue: str = ONE) -> str:
    return f"{head(minute, queue, 'qmgr')}removed"


def waiting(*parts: Sequence[str], blocks: int = 1) -> tuple[Queued, ...]:
    """Each part is scanned on its own in so many blocks, and the tallies are joined."""
    whole, senders = tally.Tally(), Senders()
    for lines in parts:
        scanner, counted = Scanner(by=tally.BY), tally.Tally()
        for start in range(blocks):
            some = lines[len(lines) * start // blocks : len(lines) * (start + 1) // blocks]
            counted.add(scanner.scan("".join(f"{line}\n" for line in some).encode()), scanner, KNOWN)
        counted.fold(scanner, KNOWN)
        whole.update(counted, senders)
    return whole.waiting.queued()


@pytest.mark.parametrize(
    "lines",
    [
        [outcome(0, "sent"), left(0)],
        [outcome(0, "deferred"), outcome(9, "sent"), left(9)],
        [outcome(0, "deferred"), outcome(9, "bounced"), left(9)],
        [outcome(0, "deferred"), outcome(9, "sent")],  # the log ends before it is removed
        [outcome(0, "deferred"), left(1)],  # postsuper -d, or expired
        [outcome(0, "deferred"), outcome(9, "deferred"), left(99)],
        [outcome(0, "deferred"), f"mail-1  | {outcome(9, 'sent')}"],  # read slowly
        [outcome(0, "bounced")],
        [outcome(0, "deferred").replace("status=deferred", "status=undeliverable")],  # a probe
    ],
)
def test_nothing_waits(lines: list[str]) -> None:
    assert waiting(lines) == ()
    assert waiting(lines, blocks=len(lines)) == ()
    assert waiting(*([line] for line in lines)) == ()


def test_a_removed_line_that_a_stranger_wrote_removes_nothing() -> None:
    forged = f"{head(1, TWO)}to=<x@example.org>, relay=none, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent ({left(1)}"
    (found,) = waiting([outcome(0, "deferred"), forged])
    assert (found.queue_id, found.count) == (ONE, 1)


@pytest.mark.parametrize("blocks", [1, 4])
def test_who_waits_since_when_and_what_was_said_last(blocks: int) -> None:
    lines = [
        outcome(0, "deferred"),
        outcome(5, "deferred", TWO),
        outcome(9, "deferred"),
        outcome(9, "deferred", to="b@gmail.com", said="452-4.2.2 still full"),
    ]
    for found in (waiting(lines, blocks=blocks), waiting(lines[:1], lines[1:3], lines[3:])):
        (only,) = found
        assert (only.receiver, only.family, only.cause) == ("google", "ipv4", "mailbox-full")
        assert (only.count, only.messages, only.queue_id) == (3, 2, ONE)
        assert (only.since, only.tried) == ("Nov 22 10:00:00", "Nov 22 10:09:00")
        assert "still full" in only.text


def test_of_two_recipients_the_one_who_has_it_waits_no_more() -> None:
    lines = [outcome(0, "deferred"), outcome(0, "deferred", to="b@gmail.com"), outcome(9, "sent")]
    for found in (waiting(lines), waiting(lines[:2], lines[2:]), waiting(lines, blocks=3)):
        assert [(one.count, one.messages) for one in found] == [(1, 1)]


def test_a_queue_id_used_again_is_another_message() -> None:
    lines = [outcome(0, "deferred"), left(9), outcome(90, "deferred")]
    assert [one.since for one in waiting(lines[:2], lines[2:])] == ["Nov 22 11:30:00"]


def _lives(dice: random.Random) -> tuple[list[str], int]:
    """Lines of many messages that are tried, settled and removed as it comes; how many recipients wait at the end."""
    lines: list[tuple[int, int, str]] = []
    still = 0
    for number in range(120):
        queue, at = f"4AB{number:06X}", dice.randrange(500)
        open_ = [f"u{which}@gmail.com" for which in range(dice.randrange(1, 4))]
        for _ in range(dice.randrange(1, 5)):
            for to in list(open_):
                status = dice.choice(("deferred", "deferred", "sent", "bounced"))
                lines.append((at, len(lines), outcome(at, status, queue, to)))
                if status != "deferred":
                    open_.remove(to)
            at += dice.randrange(1, 60)
        if not open_ or dice.random() < 0.2:  # an operator deletes some
            lines.append((at, len(lines), left(at, queue)))
            open_ = []
        still += len(open_)
    return [line for _, _, line in sorted(lines)], still


@pytest.mark.parametrize("seed", range(5))
def test_however_the_log_is_cut_the_same_wait(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    lines, still = _lives(dice)
    whole = waiting(lines)
    assert sum(one.count for one in whole) == still > 10
    for _ in range(5):
        cuts = sorted(dice.sample(range(1, len(lines)), 4))
        parts = [lines[a:b] for a, b in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
        assert waiting(*parts, blocks=dice.randrange(1, 9)) == whole


def test_more_than_can_be_followed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailmend.road.waiting._KEPT", 3)
    scanner, counted = Scanner(by=tally.BY), tally.Tally()
    lines = [outcome(n, "deferred", f"4AB{n:06X}") for n in range(5)]
    counted.add(scanner.scan("".join(f"{line}\n" for line in lines).encode()), scanner, KNOWN)
    assert counted.waiting.more
    assert sum(one.count for one in counted.waiting.queued()) == 3
