"""A log with hundreds of refusals is a handful of stories: told by cause and receiver, each once."""

from __future__ import annotations

from dataclasses import replace

from mailmend import catalogue
from mailmend.model import Delivery, Refusal, Relay, Reply
from mailmend.road.explain import explain
from mailmend.road.group import grouped

PTR = Reply(550, "5.7.25", "The IP address sending this message does not have a PTR record - gsmtp")
GOOGLE = Relay("gmail-smtp-in.l.google.com", "2001:db8:2::1a")
NOBODY = Relay("mx.example.com", "192.0.2.25")


def refused(number: int, reply: Reply = PTR, relay: Relay = GOOGLE) -> Delivery:
    return Delivery("bounced", f"reader{number}@example.com", reply, relay, queue_id=f"4F1A{number}")


def told(*deliveries: Delivery) -> tuple[Refusal, ...]:
    return explain(deliveries, catalogue.load())


def test_nothing_refused_is_no_group() -> None:
    assert grouped(()) == ()


def test_two_causes_of_one_receiver_are_two_groups() -> None:
    other = Reply(550, "5.7.26", "The MAIL FROM domain has an SPF record with a hard fail policy (-all)")
    assert len(grouped(told(refused(1), refused(2, other)))) == 2


def test_forwarded_mail_stands_apart_where_somebody_else_must_act() -> None:
    spf = Reply(550, "5.7.26", "The MAIL FROM domain has an SPF record with a hard fail policy (-all)")
    both = told(refused(1, spf), replace(refused(2, spf), forwarded=True))
    assert [len(group.refusals) for group in grouped(both)] == [1, 1]


def test_the_most_frequent_comes_first_and_what_nobody_knows_last() -> None:
    odd = [refused(n, Reply(550, None, "we did not like it today"), NOBODY) for n in range(9)]
    spf = Reply(550, "5.7.26", "The MAIL FROM domain has an SPF record with a hard fail policy (-all)")
    groups = grouped(told(*odd, refused(20, spf), *(refused(n) for n in range(30, 33))))
    assert [(g.cause, g.receiver, len(g.refusals)) for g in groups] == [
        ("ptr-missing", "google", 3),
        ("spf-fail", "google", 1),
        ("unknown", None, 9),
    ]


def test_a_cause_has_one_example() -> None:
    [group] = grouped(told(*(refused(n) for n in range(5))))
    assert [one.delivery.recipient for one in group.examples] == ["reader0@example.com"]


def test_the_unknown_shows_what_differs_in_more_than_names_and_numbers() -> None:
    words = ["we did not like 1a2b", "we did not like 3c4d", "come back on Tuesday"]
    [group] = grouped(told(*(refused(n, Reply(550, None, text), NOBODY) for n, text in enumerate(words))))
    shown = [one.delivery.reply.text for one in group.examples if one.delivery.reply]
    assert shown == [words[0], words[2]]
