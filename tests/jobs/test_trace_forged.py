"""Strangers name a message's queue id wherever they can write: its life is told as it was, and nobody joins it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mailmend.jobs import trace as job
from mailmend.jobs.here import Here, here
from parse.forged import Log, poison

VICTIM, NOTICE, LONG = "4ABCDEF012", "5C0FFEE012", "4jXQxN61F0zLdf9"
TO = "to=<friend@example.net>, relay=mx.example.net[192.0.2.7]:25, delay=1, delays=0/0/0/1, "
LIFE = (
    ("smtpd", f"{VICTIM}: client=mail.example.com[192.0.2.1]"),
    ("cleanup", f"{VICTIM}: message-id=<victim@example.com>"),
    ("qmgr", f"{VICTIM}: from=<victim@example.com>, size=900, nrcpt=1 (queue active)"),
    (
        "smtp",
        f"{VICTIM}: {TO}dsn=4.7.0, status=deferred (host mx.example.net[192.0.2.7] said: 450 4.7.0 later)",
    ),
    ("qmgr", f"{VICTIM}: from=<victim@example.com>, size=900, nrcpt=1 (queue active)"),
    (
        "smtp",
        f"{VICTIM}: {TO}dsn=5.1.1, status=bounced (host mx.example.net[192.0.2.7] said: 550 5.1.1 nobody)",
    ),
    ("cleanup", f"{NOTICE}: message-id=<n@mx1>"),
    ("qmgr", f"{NOTICE}: from=<>, size=2900, nrcpt=1 (queue active)"),
    ("bounce", f"{VICTIM}: sender non-delivery notification: {NOTICE}"),
    ("qmgr", f"{VICTIM}: removed"),
    (
        "smtp",
        f"{NOTICE}: {TO.replace('friend@example.net', 'victim@example.com')}dsn=2.0.0, status=sent (250 ok)",
    ),
    ("qmgr", f"{NOTICE}: removed"),
)
KINDS = ["client", "message-id", "queued", "attempt", "queued", "attempt", "notified", "removed"]


@pytest.fixture
def host() -> Here:
    return here()


def log(seed: int, folder: Path) -> Path:
    """The life, one line after the other, with hundreds of lines of strangers between them."""
    forged, dice = Log(seed), random.Random(seed)  # noqa: S311
    for service, text in LIFE:
        forged.fill(60)
        forged.say(f"postfix/{service}".encode(), text.encode())
        reply = f"4FEED{dice.randrange(16**5):05X}: {TO}dsn=2.0.0, status=sent (250 ".encode()
        forged.say(b"postfix/smtp", reply + b"forwarded as " + VICTIM.encode() + b" " + poison(dice) + b")")
        forged.say(b"postfix/cleanup", b"4FEED00000: message-id=<x@y> ]: " + VICTIM.encode() + b": removed")
    forged.fill(60)
    path = folder / "mail.log"
    path.write_bytes(forged.text)
    return path


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("asked", [VICTIM, NOTICE, "<victim@example.com>"])
def test_a_life_is_told_as_it_was(seed: int, asked: str, tmp_path: Path, host: Here) -> None:
    told = job.trace(asked, host, [str(log(seed, tmp_path))])
    first, notice = told.lives
    assert (first.queue_id, notice.queue_id) == (VICTIM, NOTICE)
    assert [event.kind for event in first.events] == KINDS
    assert [event.kind for event in notice.events] == ["message-id", "queued", "attempt", "removed"]
    assert [(link.kind, link.parent, link.child) for link in told.links] == [("bounce", 0, 1)]
    assert first.sender == "victim@example.com"
    assert [delivery.severity for delivery in first.final.values()] == ["bounced"]
    assert not told.rejected


@pytest.mark.parametrize("asked", [LONG, "4ABCDEF999F", "boss@example.org", "x@gmail.com"])
def test_who_stands_in_strangers_words_only_has_no_mail(asked: str, tmp_path: Path, host: Here) -> None:
    for seed in range(3):
        told = job.trace(asked, host, [str(log(seed, tmp_path))])
        assert not told.lives
        assert not told.rejected


def test_an_id_that_is_used_again_is_another_message(tmp_path: Path, host: Here) -> None:
    """Short ids come again within seconds of a busy server, and a content filter hands mail back under new ones."""
    again = [
        (service, text.replace("victim@", "other@").replace(NOTICE, "5C0FFEE777").replace("<n@", "<o@"))
        for service, text in LIFE
    ]
    forged = Log(9)
    for service, text in (*LIFE, *again):
        forged.say(f"postfix/{service}".encode(), text.encode())
        forged.fill(5)
    path = tmp_path / "mail.log"
    path.write_bytes(forged.text)
    told = job.trace(VICTIM, host, [str(path)])
    assert [life.queue_id for life in told.lives] == [VICTIM, NOTICE, VICTIM, "5C0FFEE777"]
    assert [life.sender for life in told.lives] == ["victim@example.com", "", "other@example.com", ""]
    assert [(link.parent, link.child) for link in told.links] == [(0, 1), (2, 3)]
    only = job.trace("other@example.com", host, [str(path)])
    assert {life.sender for life in only.lives} == {"other@example.com", ""}
