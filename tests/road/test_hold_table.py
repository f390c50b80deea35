"""The table of a hold, as Postfix itself reads it: what explain would call a held cause waits, nothing else does."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mailmend import catalogue, receivers
from mailmend.road import hold, hold_table

KNOWN = receivers.load()
PAGES = catalogue.load().causes
USUAL = hold.usual(PAGES)
HOLDABLE = tuple(name for name, page in PAGES.items() if hold.holdable(page))
# A table cannot say all that a rule says (`none` of what explains otherwise): then it holds less.
MISSED = 0.05
NEVER = {"spam", "user_unknown", "mailbox_full", "mailbox_disabled", "size"}
BOUNDS = hold.Bounds((), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), 9)


def table(causes: tuple[str, ...]) -> str:
    return hold.text(replace(BOUNDS, causes=causes), PAGES, KNOWN)


def held_by(lab: Any, causes: tuple[str, ...], keys: list[str]) -> dict[str, str]:
    """What the table for *causes* answers to each of *keys*: `postmap -q -`, in one call."""
    lab.relay.write("/root/held", table(causes))
    done = lab.relay.run(["postmap", "-q", "-", "regexp:/root/held"], input="".join(f"{k}\n" for k in keys))
    assert done.stderr == ""
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


def said(words: str, host: str = "mx.example.net", status: str = "5.7.1") -> str:
    return f"{status} host {host}[192.0.2.25] said: 550 {status} {words} (in reply to end of DATA command)"


@pytest.mark.lab
def test_no_known_refusal_for_anything_else_is_held_and_every_known_one_is(lab: Any) -> None:
    wanted, others = hold.samples(USUAL, KNOWN)
    assert len(wanted) > 90
    assert len(others) > 800
    told = held_by(lab, USUAL, [*wanted, *others])
    assert [key for key in others if key in told] == []
    missed = [key for key in wanted if key not in told]
    assert len(missed) <= len(wanted) * MISSED, missed
    assert all(answer == f"4{key[1:]}" for key, answer in told.items())


@pytest.mark.lab
def test_no_example_for_content_spam_viruses_or_a_recipient_is_held_wherever_it_is_said(lab: Any) -> None:
    keys = [
        key
        for receiver in KNOWN
        for rule in receiver.rules
        if PAGES[rule.cause].coarse in NEVER
        for example in rule.examples
        for host in (
            "mx.example.net",
            "gmail-smtp-in.l.google.com",
            f"mx{(receiver.hosts or ('.example.net',))[0]}",
        )
        if (key := hold.lookup(host, example))
    ]
    assert len(keys) > 800
    assert held_by(lab, USUAL, keys) == {}


@pytest.mark.lab
def test_words_of_a_held_cause_beside_those_of_another_are_not_held(lab: Any) -> None:
    keys = [
        said("SPF check failed, and the user is unknown: no such user here"),
        said("mailbox full; also no PTR record for 192.0.2.25"),
        said("blocked as spam-like content, SPF fail for example.org, a virus was found in it"),
        said("SPF check failed, and your mailbox is full, over quota"),
        "5.4.4 Host or domain name not found. Name service error for name=no-ptr-record.example type=A: SPF fail",
        "5.7.1 said: 550 5.7.1 SPF check failed for example.org",
        "2.0.0 host mx.example.net[192.0.2.25] said: 250 2.0.0 SPF check failed for example.org, accepted",
        "4.7.1 host mx.example.net[192.0.2.25] said: 450 4.7.1 SPF check failed for example.org",
    ]
    assert held_by(lab, USUAL, keys) == {}


@pytest.mark.lab
def test_the_name_of_a_host_says_nothing(lab: Any) -> None:
    held = said("SPF check failed for example.org", host="mx1.mailbox.example")
    free = said("we do not want this", host="spf-check-failed.no-ptr-record.example")
    assert list(held_by(lab, USUAL, [held, free])) == [held]


@pytest.mark.lab
@pytest.mark.parametrize(
    "words",
    [
        "SPF check failed for example.org",
        "spf  CHECK   failed for example.org",
        "192.0.2.25 has no PTR\t record",
        "We do not accept mail over IPv6 from this network",
        "We do not accept e-mail over IPv6 from this network",
        "We do not accept 550 5.7.1 mail over 550-5.7.1 IPv6 from this network",
    ],
)
def test_words_are_compared_as_explain_compares_them(lab: Any, words: str) -> None:
    assert list(held_by(lab, USUAL, [said(words.replace("\t", ""))]))


@pytest.mark.lab
@pytest.mark.slow
def test_each_cause_may_be_held_alone(lab: Any, pytestconfig: pytest.Config) -> None:
    """Every cause that may be held, its table against all that is known of any other."""
    every = pytestconfig.getoption("--slow") or pytestconfig.getoption("--full")
    some = random.Random(4).sample(HOLDABLE, 2)  # noqa: S311  (no secret)
    for cause in HOLDABLE if every else some:
        wanted, others = hold.samples((cause,), KNOWN)
        told = held_by(lab, (cause,), [*wanted, *others])
        assert [key for key in others if key in told] == [], cause
        missed = [key for key in wanted if key not in told]
        assert len(missed) <= max(1, len(wanted) * MISSED), missed


def test_what_is_held_by_itself_is_what_the_sending_side_can_cure() -> None:
    assert {"ipv6-ptr-or-auth", "ptr-missing", "fcrdns-mismatch", "spf-fail", "unauthenticated"} <= set(USUAL)
    assert set(USUAL) <= set(HOLDABLE)
    for name in HOLDABLE:
        assert PAGES[name].coarse not in NEVER
        assert not {"content", "recipient"} & set(PAGES[name].who)


def test_a_table_is_whole_and_every_line_of_it_can_be_read() -> None:
    depth = 0
    for line in table(USUAL).splitlines():
        if line == "endif":
            depth -= 1
        elif line.startswith("if "):
            depth += 1
            found = re.fullmatch(r"if !?/(.+)/", line)
            assert found, line
            re.compile(found[1])
        else:
            assert line == hold_table.HOLD or line.startswith("#"), line
        assert depth >= 0
    assert depth == 0


def test_nothing_is_held_where_no_cause_is_named() -> None:
    assert not hold.holds_anything(table(()))
    assert hold.holds_anything(table(USUAL))
