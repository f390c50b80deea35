"""Words around a code tell that it is a reply, whatever the reply says; a code or a name alone does not."""

from __future__ import annotations

import pytest

from mailmend.parse import paste

NONE = {
    "a number in a letter": b"The host said: 550 guests came to the party.",
    "a host in a letter": b"We connect to mx.example.com every day and it works.",
    "a version": b"5.1.2 of the library is out.",
    "a web server's answer": b"The server responded with 503 Service Unavailable, and the page stayed empty.",
    "a number in brackets": b"The form [550] is to be filled in by all guests.",
    "what was accepted": b"host mx.example.com[192.0.2.1] said: 250 2.0.0 Ok: queued as 4F1A22B3C4D",
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_nobody_answered_with_is_no_refusal(text: bytes) -> None:
    assert paste.deliveries(text) == ()


# text, severity, host, code
TOLD = {
    "a reply without a status, in words of its own": (
        b"<anna@example.com>: host mx.example.com[192.0.2.1] said: 550 SC-009 Sorry, mail was not sent",
        ("bounced", "mx.example.com", 550),
    ),
    "a greeting that refuses": (
        b"host mx.example.com[192.0.2.1] refused to talk to me: 554-No SMTP service 554 Bad PTR",
        ("bounced", "mx.example.com", 554),
    ),
    "Exim's words": (
        b"SMTP error from remote mail server after RCPT TO:<anna@example.com>: host mx.example.com [192.0.2.1]:"
        b" 451 not today",
        ("deferred", "mx.example.com", 451),
    ),
    "a library that quotes the reply": (
        b'Expected response code 250 but got code "550", with message "550 Connection frequency limited"',
        ("bounced", None, 550),
    ),
    "a code in brackets": (
        b'SMTP Error (451): Failed to add recipient "anna@example.com" (Temporary local problem)',
        ("deferred", None, 451),
    ),
    "a program that tells of the reply": (
        b"{ message: 'Server responded with 550 esmtp: protocol deviation' }",
        ("bounced", None, 550),
    ),
    "maddy's log": (
        b'smtp: DATA error\t{"check":"check.spf","reason":"too many","smtp_code":550,"smtp_enchcode":"5.7.23",'
        b'"smtp_msg":"SPF authentication failed"}',
        ("bounced", None, 550),
    ),
    "qmail's words for a reply": (
        b"Remote host said: 552 exceeded storage allocation",
        ("bounced", None, 552),
    ),
    "no answer": (
        b"connect to mx.example.com[2001:db8::1]:25: Network is unreachable",
        ("deferred", "mx.example.com", None),
    ),
    "a connection that broke": (
        b"(lost connection with mx.example.com[192.0.2.1] while receiving the initial server greeting)",
        ("deferred", "mx.example.com", None),
    ),
}


@pytest.mark.parametrize(
    "text",
    [
        b"Host or domain name not found. Name service error for name=example.com type=MX: Host not found",
        b"message size 26214400 exceeds size limit 10240000 of server mx.example.com[192.0.2.1]",
        b"TLS is required, but was not offered by host mx.example.com[192.0.2.1]",
        b"mail for example.com loops back to myself",
    ],
)
def test_what_a_server_says_itself_is_one_without_a_code(text: bytes) -> None:
    [told] = paste.deliveries(text)
    assert told.reply is not None
    assert told.reply.code is None


# text, code, words
WRAPPED = {
    "Python's pair": (b"error: (535, b'Error: authentication failed')", 535, "authentication failed"),
    "a status alone": (b"5.7.133 sender not authenticated for group", None, "sender not authenticated"),
    "the recipient wrapped behind the code": (
        b"<anna@example.com>: host mx.example.com[192.0.2.1] said: 550 5.1.1\n<anna@example.com>: Recipient"
        b" address rejected: example.com (in reply to RCPT TO command)",
        550,
        "Recipient address rejected",
    ),
}


@pytest.mark.parametrize(("text", "code", "words"), WRAPPED.values(), ids=WRAPPED)
def test_a_code_where_an_answer_begins_is_one(text: bytes, code: int | None, words: str) -> None:
    [told] = paste.deliveries(text)
    assert told.reply is not None
    assert told.reply.code == code
    assert words in told.reply.text


@pytest.mark.parametrize(("text", "wanted"), TOLD.values(), ids=TOLD)
def test_what_a_server_answered_with_is_one(text: bytes, wanted: tuple[str, str | None, int | None]) -> None:
    [told] = paste.deliveries(text)
    assert told.reply is not None
    assert (told.severity, told.relay.host if told.relay else None, told.reply.code) == wanted
