"""Ordinary mail is no bounce, whoever wrote it and whatever it quotes; an answering machine's is a notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailmend.parse import paste
from parse import ordinary

MAIL = ordinary.all_of_it()


def in_crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def from_an_mbox(data: bytes) -> bytes:
    return b"From anna@example.net Sun Nov 22 09:00:01 2026\n" + data


def as_it_is(data: bytes) -> bytes:
    return data


def test_there_is_ordinary_mail_enough_to_mean_something() -> None:
    assert len(MAIL) >= 200


@pytest.mark.parametrize("state", [as_it_is, in_crlf, from_an_mbox])
def test_no_ordinary_mail_is_a_bounce(state: Callable[[bytes], bytes]) -> None:
    wrong = {}
    for name, data in MAIL.items():
        found = [d for d in paste.deliveries(state(data)) if d.severity != "notice"]
        if found:
            wrong[name] = found
    assert wrong == {}


def test_an_answering_machine_is_a_notice_with_the_one_it_answers_for() -> None:
    for name, data in ordinary.answers():
        [found] = paste.deliveries(data)
        assert (found.severity, found.notice, found.recipient) == (
            "notice",
            "auto-reply",
            "reader@example.com",
        ), name


def test_what_is_neither_is_nothing() -> None:
    for name, data in [*ordinary.letters(), *ordinary.newsletters(), *ordinary.reports(), *ordinary.lists()]:
        assert paste.deliveries(data) == (), name


def test_the_same_words_from_a_mail_system_are_a_bounce() -> None:
    """What keeps the letters out must not keep the bounce out that they quote."""
    head = "From: MAILER-DAEMON@relay.example.org\nSubject: Undelivered Mail Returned to Sender\n"
    [found] = paste.deliveries(ordinary.message(head, ordinary.BOUNCE))
    assert (found.severity, found.recipient) == ("bounced", "reader@example.com")
    assert found.reply is not None
    assert (found.reply.code, found.reply.status, found.reply.text) == (550, "5.1.1", "no such user")
