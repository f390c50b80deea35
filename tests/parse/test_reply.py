"""A reply is read the same way, whatever wrote it down and whatever stands around it."""

from __future__ import annotations

import time

import pytest

from mailmend.parse import reply, status

WORDS = "[2001:db8::25] This message does not meet IPv6 sending guidelines."

NOT_REPLIES = {
    "a number in a sentence": "We had 550 guests at the party.",
    "an address with 550 in it": "connect to 192.0.2.55 failed",
    "a time": "Sun Nov 22 10:56:24 relay was quiet",
}


@pytest.mark.parametrize("text", NOT_REPLIES.values(), ids=NOT_REPLIES)
def test_no_code_is_made_of_what_is_none(text: str) -> None:
    found = reply.parse(text)
    assert found is not None
    assert (found.code, found.status) == (None, None)


def test_nothing_is_no_reply() -> None:
    assert reply.parse(" \n\t ") is None


SPELLINGS = {
    "as the server sent it": f"550-5.7.1 {WORDS[:30]}\r\n550 5.7.1 {WORDS[30:]}",
    "flattened by Postfix": "host mx.example.com[2001:db8:2::1a] said: 550-5.7.1 [2001:db8::25] This message does "
    "550-5.7.1 not meet IPv6 sending 550 5.7.1 guidelines. (in reply to end of DATA command)",
    "wrapped by a bounce": "host\n    mx.example.com[2001:db8:2::1a] said: 550-5.7.1\n    [2001:db8::25] This message"
    " does not 550\n    5.7.1 meet IPv6 sending guidelines. (in\n    reply to end of DATA command)",
    "a diagnostic code": f"smtp; 550 5.7.1 {WORDS}",
    "Exim": f"SMTP error from remote mail server after end of data: host mx.example.com [2001:db8:2::1a]: "
    f"550-5.7.1 {WORDS[:28]}\\n550 5.7.1 {WORDS[28:]}",
    "qmail's log": "2001:db8:2::1a_failed_after_I_sent_the_message./Remote_host_said:_550-5.7.1_[2001:db8::25]_This"
    "_message_does_not/550_5.7.1_meet_IPv6_sending_guidelines./",
    "the status alone repeated": "550 5.7.1 [2001:db8::25] This message 5.7.1 does not meet IPv6 5.7.1 sending"
    " guidelines.",
    "the last line under another code": f"550-5.7.1 {WORDS[:30]} 450 4.7.1 {WORDS[30:]}",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_every_way_of_writing_it_down_gives_the_same_reply(text: str) -> None:
    found = reply.parse(text)
    assert found is not None
    assert (found.code, found.status) == (550, "5.7.1")
    assert "".join(found.text.split()) == "".join(WORDS.split())
    assert reply.source_ip(text) == "2001:db8::25"


def test_a_reply_without_status_loses_its_repeated_code_only() -> None:
    found = reply.parse("554-Sorry, not you 554-and 554 messages of yours 554 wait.")
    assert found is not None
    assert (found.code, found.status) == (554, None)
    assert "554-" not in found.text


def test_a_fragment_keeps_the_words_before_the_first_code() -> None:
    found = reply.parse(
        "The IP address sending this 550-5.7.25 message does not have a PTR 550 5.7.25 record"
    )
    assert found is not None
    assert found.text == "The IP address sending this message does not have a PTR record"


def test_typography_and_spellings_of_mail_do_not_matter_to_rules() -> None:
    assert (
        reply.normalise("550 5.7.29 Your E-mail wasn’t “sent” – over TLS")
        == 'your mail wasn\'t "sent" - over tls'
    )


ADDRESSES = {
    "padded": ("550-5.7.1 [2001:db8::1      16] Our system", "2001:db8::1"),
    "with ip": ("550 5.7.26 SPF [example.org] with ip: [192.0.2.25] = did not pass", "192.0.2.25"),
    "with IP address, bare": (
        "421 4.7.27 SPF example.org with IP address: 192.0.2.25 = Did not pass",
        "192.0.2.25",
    ),
    "redacted": ("550 5.7.1 [2001:xxxx::1 16] Our system", None),
    "the receiver's own address": ("host mx.example.com[192.0.2.26] said: 550 5.7.1 go away", None),
    "a host that never answered": ("connect to mx.example.com[192.0.2.26]:25: Connection timed out", None),
}


@pytest.mark.parametrize(("text", "ip"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_address_concerned_is_the_one_the_receiver_saw(text: str, ip: str | None) -> None:
    assert reply.source_ip(text) == ip


DOMAINS = {
    "envelope": ("550 5.7.26 The MAIL FROM domain [example.org] has an SPF record", "example.org"),
    "SPF result": ("550-5.7.26 SPF [mail.example.org] with ip: [192.0.2.25]", "mail.example.org"),
    "From:": ("550 5.7.1 Unauthenticated email from example.net is not accepted", "example.net"),
    "none": ("550 5.7.1 go away", None),
}


@pytest.mark.parametrize(("text", "domain"), DOMAINS.values(), ids=DOMAINS)
def test_the_domain_concerned_is_the_one_the_receiver_names(text: str, domain: str | None) -> None:
    assert reply.domain(text) == domain


@pytest.mark.parametrize(
    "hostile",
    [
        "550 " * 9000,
        "[1" * 9000,
        "550-5.7.1 " * 4000,
        "_550-5.7.1_" * 4000,
        "spf [" + "a." * 9000,
        "(" * 40000,
    ],
)
def test_a_hostile_reply_costs_no_more_than_another(hostile: str) -> None:
    begun = time.process_time()
    reply.normalise(hostile)
    reply.source_ip(hostile)
    reply.domain(hostile)
    assert (
        time.process_time() - begun < 0.4
    )  # a deadline the product keeps: 50 ms an input, and room for a slow day


def test_a_code_alone_is_told_as_a_class_and_never_as_a_cause() -> None:
    assert (
        status.says(550, "5.7.1")
        == "550 5.7.1 alone says: refused for good; delivery is not authorised, not said why"
    )
    assert status.says(None, "4.9.9") == "4.9.9 alone says: not now, to be tried again"
    assert status.says(None, None) == "it carries no code"
