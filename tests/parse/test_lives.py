"""A message's life out of the log: first what must not become part of it, then what must."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailmend.model import ParseError
from mailmend.parse import lives, when

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(text: str) -> tuple[lives.Life, ...]:
    """Lines without their head: `smtpd ID: ...`, each a second after the one before, unless it tells its time."""
    events = []
    for number, line in enumerate(text.strip().splitlines()):
        words = line.strip()
        clock = f"10:{number // 60:02}:{number % 60:02}"
        if words[:2].isdigit():
            clock, _, words = words.partition(" ")
        service, _, message = words.partition(" ")
        event = lives.event(f"Nov 22 {clock} relay postfix/{service}[7]: {message}", NOW)
        if event:
            events.append(event)
    return lives.lives(events)


BORN = "smtpd 4F1A2B3: client=mail.example.org[192.0.2.1]\ncleanup 4F1A2B3: message-id=<a@example.org>"
TO = "to=<b@example.net>, relay=mx.example.net[198.51.100.1]:25, delay=1, delays=0.1/0/0.4/0.5, dsn=2.0.0, status=sent"


# ---- what must not happen -----------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        "250 Ok: queued as 5C0FFEE",
        "forwarded as 5C0FFEE",
        "250 ok) relay postfix/qmgr[7]: 4F1A2B3: removed",
        "250 sender non-delivery notification: 5C0FFEE",
        "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 5C0FFEE",
    ],
)
def test_a_reply_ends_and_links_nothing(reply: str) -> None:
    (life,) = read(f"{BORN}\nsmtp 4F1A2B3: {TO} ({reply})")
    assert [e.link for e in life.events] == [None, None, None]
    assert not life.removed
    assert life.attempts[0].words == reply


@pytest.mark.parametrize(
    "line",
    [
        "cleanup 4F1A2B3: message-id=<x@y> postfix/qmgr[1]: 4F1A2B3: removed",
        "cleanup 4F1A2B3: message-id=removed",
        'qmgr 4F1A2B3: from=<"a>, status=expired, returned to sender"@example.org>, size=9, nrcpt=1 (queue active)',
        'qmgr 4F1A2B3: from=<"removed, size=7, nrcpt=2 (queue active)"@example.org>, size=9, nrcpt=1 (queue active)',
        "smtp 4F1A2B3: removed",
        "smtpd 4F1A2B3: sender non-delivery notification: 5C0FFEE",
        "smtp 4F1A2B3: client=evil.example[203.0.113.9]",
        "cleanup 4F1A2B3: uid=0 from=<> orig_id=5C0FFEE",
        "cleanup 4F1A2B3: warning: header Subject: sender non-delivery notification: 5C0FFEE from x[192.0.2.1];",
    ],
)
def test_what_a_stranger_chose_is_no_word_of_postfix(line: str) -> None:
    (life,) = read(f"{BORN}\n{line}")
    assert not life.removed
    assert not any(e.link for e in life.events)
    assert not any(e.kind == "expired" for e in life.events)
    assert life.client and life.client.ip == "192.0.2.1"
    assert life.size in (None, 9)


def test_a_login_that_looks_like_a_filter_makes_no_other_client() -> None:
    (life,) = read(
        "smtpd 4F1A2B3: client=unknown[192.0.2.1], sasl_method=PLAIN, sasl_username=a, b=c@example.org"
    )
    assert life.client
    assert (life.client.host, life.client.sasl_username) == (None, "a, b=c@example.org")
    assert life.client.orig_client is None


def test_a_queue_id_that_is_used_again_is_another_message() -> None:
    first, second = read(
        f"""{BORN}
        smtp 4F1A2B3: {TO} (250 ok)
        qmgr 4F1A2B3: removed
        11:00:00 smtpd 4F1A2B3: client=other.example[192.0.2.2]
        11:00:01 cleanup 4F1A2B3: message-id=<b@example.org>"""
    )
    assert (first.removed, second.removed) == (True, False)
    assert second.message_ids == ("<b@example.org>",)


def test_neither_is_one_whose_end_the_log_does_not_have() -> None:
    first, second = read(f"{BORN}\n11:00:00 smtpd 4F1A2B3: client=other.example[192.0.2.2]")
    assert first.client != second.client


def test_a_notification_may_have_a_queue_id_that_was_used_before() -> None:
    first, second = read(f"{BORN}\nqmgr 4F1A2B3: removed\ncleanup 4F1A2B3: message-id=<n@relay>")
    assert first.removed
    assert second.message_ids == ("<n@relay>",)


def test_an_empty_message_id_links_nothing() -> None:
    told = read(
        "cleanup 4F1A2B3: message-id=<>\ncleanup 5C0FFEE: message-id=<>\ncleanup 6DDDDDD: message-id="
    )
    assert len(told) == 3
    assert lives.links(told) == ()


def test_a_line_of_the_same_second_after_the_end_is_no_new_message() -> None:
    (life,) = read(f"{BORN}\n10:00:05 qmgr 4F1A2B3: removed\n10:00:05 smtp 4F1A2B3: {TO} (250 ok)")
    assert life.removed
    assert len(life.attempts) == 1


# ---- what must ----------------------------------------------------------------------------


def test_from_client_to_removal() -> None:
    (life,) = read(
        f"""{BORN}
        qmgr 4F1A2B3: from=<a@example.org>, size=1234, nrcpt=2 (queue active)
        smtp 4F1A2B3: {TO} (250 ok)
        qmgr 4F1A2B3: removed"""
    )
    assert [e.kind for e in life.events] == ["client", "message-id", "queued", "attempt", "removed"]
    assert (life.sender, life.size, life.message_ids) == ("a@example.org", 1234, ("<a@example.org>",))
    assert life.final["b@example.net"].severity == "delivered"
    assert life.whole


def test_who_logged_in_and_what_a_filter_passed_on() -> None:
    before, after = read(
        """smtpd 4F1A2B3: client=pc[192.0.2.7], sasl_method=PLAIN, sasl_username=carol, sasl_sender=x@example.org
        smtpd 5C0FFEE: client=localhost[127.0.0.1], orig_queue_id=4F1A2B3, orig_client=pc[192.0.2.7]"""
    )
    assert before.client and after.client
    assert (before.client.sasl_username, before.client.sasl_sender) == ("carol", "x@example.org")
    assert after.client.orig_client == "pc[192.0.2.7]"
    assert lives.links((before, after)) == (lives.Link("reinjection", 0, 1),)


def test_a_bounce_of_a_bounce_of_a_forward_is_one_chain() -> None:
    told = read(
        f"""{BORN}
        cleanup 5C0FFEE: message-id=<a@example.org>
        local 4F1A2B3: to=<x@relay>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (forwarded as 5C0FFEE)
        qmgr 4F1A2B3: removed
        cleanup 6DDDDDD: message-id=<n@relay>
        bounce 5C0FFEE: sender non-delivery notification: 6DDDDDD
        qmgr 5C0FFEE: removed"""
    )
    assert [life.queue_id for life in told] == ["4F1A2B3", "5C0FFEE", "6DDDDDD"]
    assert lives.links(told) == (lives.Link("forward", 0, 1), lives.Link("bounce", 1, 2))


def test_the_same_message_id_is_told_as_no_more_than_that() -> None:
    told = read(
        f"{BORN}\nsmtpd 5C0FFEE: client=evil.example[203.0.113.9]\ncleanup 5C0FFEE: message-id=<a@example.org>"
    )
    assert lives.links(told) == (lives.Link("same-message-id", 0, 1),)


def test_given_up_held_and_taken_anew() -> None:
    held, again = read(
        """pickup 4F1A2B3: uid=1000 from=<carol>
        cleanup 4F1A2B3: hold: header Subject: hello from local; from=<carol> to=<b@example.net>
        postsuper 4F1A2B3: released from hold
        postsuper 4F1A2B3: requeued
        pickup 5C0FFEE: uid=112 from=<carol@example.org> orig_id=4F1A2B3
        qmgr 5C0FFEE: from=<carol@example.org>, status=expired, returned to sender
        qmgr 5C0FFEE: removed"""
    )
    assert [e.kind for e in held.events] == ["submitted", "action", "operator", "operator"]
    assert held.submitted and held.submitted.uid == 1000
    assert [e.kind for e in again.events] == ["submitted", "expired", "removed"]
    assert lives.links((held, again)) == (lives.Link("requeue", 0, 1),)


def test_other_programs_that_name_the_queue_id_are_heard() -> None:
    event = lives.event(
        "Nov 22 10:00:00 relay opendkim[9]: 4F1A2B3: DKIM-Signature field added (s=a, d=b)", NOW
    )
    assert event
    assert (event.kind, event.service, event.queue_id) == ("other", "opendkim", "4F1A2B3")


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "99999999999 days", "999999 weeks ago", "-1h"])
def test_no_time(text: str) -> None:
    with pytest.raises(ParseError):
        when.since(text, NOW)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2h", "2026-11-22T10:00:00+00:00"),
        ("3 days ago", "2026-11-19T12:00:00+00:00"),
        ("yesterday", "2026-11-21T00:00:00+00:00"),
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20 14:30", "2026-11-20T14:30:00+00:00"),
        ("2026-11-20T14:30:00+01:00", "2026-11-20T14:30:00+01:00"),
    ],
)
def test_times_as_people_type_them(text: str, means: str) -> None:
    assert when.since(text, NOW).isoformat() == means
