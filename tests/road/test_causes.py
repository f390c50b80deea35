"""A text that comes often is known by a pattern, and means what the catalogue says of it, text by text."""

from __future__ import annotations

import random
import re

import pytest

from mailmend import catalogue
from mailmend.parse import logscan
from mailmend.parse.logscan import Failed
from mailmend.road.causes import _ASCII_WORD, _WORD, Causes, Known
from mailmend.road.explain import explain

KNOWLEDGE = catalogue.load()
GOOGLE = "gmail-smtp-in.l.google.com"


def failed(text: str, *, to: str = "ann@example.org", sender: str = "bob@example.com") -> Failed:
    return Failed(
        "Nov 22 10:00:00", "mx1", "postfix/smtp", "4ABCDEF012", sender, to, None, GOOGLE, "2001:db8::1",
        "0/0/0/1", "5.7.1", "bounced", f"host {GOOGLE}[2001:db8::1] said: {text}", "77",
    )  # fmt: skip


def alone(of: Failed) -> str:
    """The cause that explain gives, of this one text."""
    return explain([logscan.delivery(of)], KNOWLEDGE)[0].cause


def often(causes: Causes, of: Failed, times: int = 40) -> Known:
    return [causes.of(of) for _ in range(times)][-1]


@pytest.mark.parametrize(
    "other",
    [
        "550 5.7.1 no such user here",
        "550 5.7.1 message does not meet IPv6 sending guidelines regarding PTR records 4abcdef0123 - gsmtp more",
        "550 5.7.1 message does not meet IPv6 sending guidelines regarding size 4abcdef0123 - gsmtp",
        "550 5.7.1 message does not meet IPv6 sending guidelines regarding PTR records https://x/12345678 - gsmtp",
    ],
)
def test_another_text_is_not_taken_for_the_one_that_came_often(other: str) -> None:
    causes = Causes(KNOWLEDGE)
    common = "550 5.7.1 message does not meet IPv6 sending guidelines regarding PTR records {} - gsmtp"
    assert often(causes, failed(common.format("0a1b2c3d4e5f"))).cause == alone(
        failed(common.format("9f8e7d6c5b4a"))
    )
    assert causes.of(failed(other)).cause == alone(failed(other))


def test_a_domain_of_somebody_else_is_not_ones_own() -> None:
    causes = Causes(KNOWLEDGE)
    text = "550 5.7.26 Unauthenticated email from {} is not accepted due to domain's DMARC policy. 0a1b2c3d4e5f - gsmtp"
    known = often(causes, failed(text.format("example.com")))
    own = failed(text.format("else.net"), sender="carl@else.net")
    stranger = failed(text.format("spamhaus.org"))
    assert causes.of(own) == known
    assert causes.of(stranger).cause == alone(stranger)


def test_texts_without_a_sender_or_an_address_are_known_too() -> None:
    causes = Causes(KNOWLEDGE)
    nobody = failed("550 5.7.1 Blocked (really)")._replace(sender=None, recipient="", text="", relay=None)
    assert often(causes, nobody).cause == alone(nobody)


def test_what_changes_is_the_same_whether_the_text_is_ascii_or_not() -> None:
    """What is quicker of an ASCII text takes the same words for ids and addresses as what every text is read with."""
    dice = random.Random(11)  # noqa: S311
    quick, slow = re.compile(_ASCII_WORD), re.compile(_WORD + r"(?!\S)")
    taken = 0
    for _ in range(20_000):
        text = "".join(dice.choices("ab1@:/#] \t\x1c.[9/", k=dice.randint(1, 24)))
        found = slow.match(text)
        assert (quick.match(text) is None) == (found is None), text
        if found:
            taken += 1
            assert quick.match(text)[0] == found[0]  # type: ignore[index]
    assert taken > 100


def test_a_text_beyond_ascii_that_came_often_is_not_mixed_with_another() -> None:
    causes = Causes(KNOWLEDGE)
    common = "550 5.7.1 message does not meet IPv6 sending guidelines regarding PTR records {} - gsmtp é"
    first = failed(common.format("0a1b2c3d4e5f"))
    assert often(causes, first).cause == alone(first)
    for word in ("9f8e7d6c5b4a", "9f8e7d6c5b4é", "smaller"):
        assert causes.of(failed(common.format(word))).cause == alone(failed(common.format(word)))


def test_every_rules_examples_mean_the_same_whatever_came_before() -> None:
    dice = random.Random(7)  # noqa: S311
    examples = [
        (receiver, each)
        for receiver in KNOWLEDGE.receivers
        for rule in receiver.rules
        for each in rule.examples
    ]
    causes = Causes(KNOWLEDGE)
    for receiver, text in dice.sample(examples, 60):
        host = next((name.lstrip(".") for name in receiver.hosts), "mx.example.net")
        one = failed(text)._replace(relay=f"mx.{host}", text=text)
        first = causes.of(one)
        assert first.cause == alone(one)
        assert often(causes, one) == first
