"""Replies and nothing else: read the short way, with what the long way says; a list of thousands is no letter."""

from __future__ import annotations

import pytest

from mailmend import receivers
from mailmend.model import ParseError
from mailmend.parse import paste, prose, replies

OTHERS = {
    "a letter that begins with a number": "550 guests came.\nIt was refused to nobody.",
    "a dialogue": "250 2.1.0 Ok\n550 5.1.1 User unknown",
    "a log line": "450 4.1.1 x: to=<a@example.org>, status=deferred (host said: 450 4.1.1 no)",
    "a wrapped reply": "550 5.7.1 This was refused because\nof its address",
    "a size": "4500 bytes were refused",
    "nothing": "\n\n",
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_what_is_not_replies_alone_is_left_to_the_others(text: str) -> None:
    assert replies.deliveries(text) == ()


def test_the_short_way_says_what_the_long_way_says() -> None:
    examples = [e for r in receivers.load() for rule in r.rules for e in rule.examples]
    read = [(e, found) for e in examples if (found := replies.deliveries(e))]
    assert len(read) > 100
    for example, found in read:
        # The long way may be in doubt whether words without a status refuse anything.
        assert prose.deliveries(example) in (found, ())


def test_where_nothing_else_is_a_code_is_enough() -> None:
    [found] = replies.deliveries("422 License Expired")
    assert (found.severity, found.reply and found.reply.code) == ("deferred", 422)


def test_a_list_is_a_reply_a_line_whatever_its_length() -> None:
    text = "".join(f"550 5.1.1 user{n} unknown at 192.0.2.{n % 250}\n" for n in range(15_000))
    found = paste.deliveries(text.encode())
    assert len(found) == 15_000
    assert found[7].reply is not None
    assert found[7].reply.text == "user7 unknown at 192.0.2.7"


def test_a_reply_of_several_lines_is_one() -> None:
    [found] = replies.deliveries("550-5.7.1 This was\n550-5.7.1 refused\n550 5.7.1 here.\n")
    assert found.reply is not None
    assert found.reply.text == "This was refused here."


def test_too_many_are_told() -> None:
    with pytest.raises(ParseError, match="more than 20000 replies"):
        replies.deliveries("550 5.1.1 no\n" * 20_001)
