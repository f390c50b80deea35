"""What an operator has at hand is enough: a bounce, a log line, a reply, in the state a mail client left it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mailmend.model import Delivery, ParseError
from mailmend.parse import paste

SAMPLES = Path(__file__).parent.parent / "samples"
REFUSED = (SAMPLES / "forward-refused.eml").read_bytes()
MEGABYTES = 5 * 1024 * 1024

LOGGED = (
    "Nov 22 09:00:00 relay postfix/qmgr[10]: 4F1A22B3C4D: from=<anna@example.net>, size=400, nrcpt=1 (queue active)\n"
    "Nov 22 09:00:01 relay postfix/smtp[11]: 4F1A22B3C4D: to=<reader@example.com>, orig_to=<box@example.org>,"
    " relay=gmail-smtp-in.l.google.com[2001:db8:2::1a]:25, delay=1, delays=0/0/0/1, dsn=5.7.1, status=bounced"
    " (host gmail-smtp-in.l.google.com[2001:db8:2::1a] said: 550-5.7.1 [2001:db8:1::25] Our system has detected that"
    " this 550-5.7.1 message does not meet IPv6 sending guidelines 550 5.7.1 a1si2wmz.3 - gsmtp"
    " (in reply to end of DATA command))\n"
)


def read(text: str) -> tuple[Delivery, ...]:
    return paste.deliveries(text.encode())


NO_REFUSAL = {
    "a letter that quotes a bounce": (SAMPLES / "letter-that-quotes-a-bounce.eml").read_text(),
    "a sentence with a number": "We had 550 guests, and 421 of them stayed.",
    "a dialogue that went well": "220 mx.example.com ESMTP\nEHLO relay.example.org\n250-mx.example.com\n250 8BITMIME",
    "a log without deliveries": "Nov 22 09:00:00 relay postfix/master[1]: daemon started -- version 3.7.11\n",
}


@pytest.mark.parametrize("text", NO_REFUSAL.values(), ids=NO_REFUSAL)
def test_no_refusal_is_found_where_there_is_none(text: str) -> None:
    assert read(text) == ()


UNREADABLE = {
    "empty": (b"", "the input is empty"),
    "blank": (b" \r\n\t\n", "the input is empty"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "byte 8: binary"),
    "gzip": (b"\x1f\x8b\x08 550 5.7.1", "binary"),
    "binary without a zero": (b"550 5.7.1 \x02\x03", "character 10: binary"),
    "too large": (b"x" * (MEGABYTES + 1), "more than the 5 MB"),
    "a ZIP archive": (b"PK\x03\x04 bounce.eml", "a ZIP archive"),
    "a message of Outlook's": (b"\xd0\xcf\x11\xe0\xa1\xb1", "Outlook's own format"),
    "headers without end": (b"Received: from nowhere\n" * 9000, "more than 64 KB"),
}


@pytest.mark.parametrize(("data", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_gets_one_line_that_says_where(data: bytes, reason: str) -> None:
    with pytest.raises(ParseError, match=reason) as refused:
        paste.deliveries(data)
    assert "\n" not in str(refused.value)


def test_of_a_long_text_what_stands_around_a_code_is_read_and_it_is_said() -> None:
    said: list[str] = []
    novel = b"It was a dark night.\n\n" * 10_000
    assert paste.deliveries(novel, said.append) == ()
    [found] = paste.deliveries(novel + b"550 5.1.1 no such user\n\n" + novel, said.append)
    assert (found.reply and found.reply.text) == "no such user"
    assert [notice.split(":")[0] for notice in said] == [
        "214 KB of text that is neither a message nor a log",
        "429 KB of text that is neither a message nor a log",
    ]


STATES = {
    "as it is": REFUSED,
    "CRLF": REFUSED.replace(b"\n", b"\r\n"),
    "CR CRLF, after two conversions": REFUSED.replace(b"\n", b"\r\r\n"),
    "bare CR": REFUSED.replace(b"\n", b"\r"),
    "quoted by a mail client": b"".join(b"> " + line for line in REFUSED.splitlines(keepends=True)),
    "from a Windows editor": REFUSED.decode().encode("utf-16"),
    "from an mbox": b"From MAILER-DAEMON Sun Nov 22 09:00:01 2026\n" + REFUSED,
    "after blank lines": b"\n\n" + REFUSED,
}


@pytest.mark.parametrize("data", STATES.values(), ids=STATES)
def test_a_bounce_is_read_in_whatever_state_it_comes(data: bytes) -> None:
    first, second = paste.deliveries(data)
    assert (first.recipient, first.source_ip, first.forwarded) == (
        "reader@example.com",
        "2001:db8:1::25",
        True,
    )
    assert second.reply is not None
    assert second.reply.status == "5.7.26"


def test_only_the_report_of_a_bounce_was_copied() -> None:
    text = REFUSED.decode()
    copied = text[text.index("Reporting-MTA") : text.index("\n--4F1A", text.index("Reporting-MTA"))]
    assert [d.recipient for d in read(copied)] == ["reader@example.com", "other@example.com"]


def test_a_log_line_with_its_sender_and_its_forwarding() -> None:
    [found] = read(LOGGED)
    assert (found.severity, found.sender, found.original_recipient, found.forwarded) == (
        "bounced",
        "anna@example.net",
        "box@example.org",
        True,
    )
    assert (found.queue_id, found.source_ip) == ("4F1A22B3C4D", "2001:db8:1::25")


def test_a_log_line_that_a_terminal_wrapped() -> None:
    import textwrap

    wrapped = "\n".join(textwrap.fill(line, 78, break_on_hyphens=False) for line in LOGGED.splitlines())
    assert [d.reply for d in read(wrapped)] == [d.reply for d in read(LOGGED)]


@pytest.mark.parametrize("start", ["postfix/smtp", "4F1A22B3C4D: to=", "to=<"])
def test_a_log_line_of_which_the_beginning_was_not_copied(start: str) -> None:
    line = LOGGED.splitlines()[1]
    [found] = read(line[line.index(start) :])
    assert (found.recipient, found.severity, found.source_ip) == (
        "reader@example.com",
        "bounced",
        "2001:db8:1::25",
    )


def test_a_refusal_by_ones_own_server_is_another_matter() -> None:
    line = (
        "Nov 22 09:00:01 relay postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 454 4.7.1"
        " <a@example.com>: Relay access denied; from=<b@example.net> to=<a@example.com> proto=ESMTP helo=<x>"
    )
    for text in (line, line[line.index("NOQUEUE") :]):
        assert [d.severity for d in read(text)] == ["rejected-inbound"]


def test_a_bare_reply_of_several_lines() -> None:
    [found] = read(
        "550-5.7.1 [2001:db8::25] This message does not meet\n550-5.7.1\n\n550 5.7.1 IPv6 sending guidelines."
    )
    assert found.reply is not None
    assert found.reply.text == "[2001:db8::25] This message does not meet IPv6 sending guidelines."
    assert found.severity == "bounced"


def test_a_temporary_reply_is_a_deferral() -> None:
    [found] = read(
        "421 4.7.0 [192.0.2.25] The IP address sending this message does not have a PTR record - gsmtp"
    )
    assert found.severity == "deferred"


def test_two_replies_are_two() -> None:
    found = read(
        "550 5.7.25 [2001:db8::25] no PTR record\n421-4.7.26 This mail is\n421 4.7.26 unauthenticated\n"
    )
    assert [d.reply.status for d in found if d.reply] == ["5.7.25", "4.7.26"]


def test_the_refusal_in_a_dialogue() -> None:
    [found] = read(
        "220 mx.google.com ESMTP\nEHLO relay.example.org\n250-mx.google.com\n250 SMTPUTF8\nMAIL FROM:<a@example.org>\n"
        "250 2.1.0 OK\nDATA\n354 Go ahead\n.\n550-5.7.25 [192.0.2.25] no PTR\n550 5.7.25 record - gsmtp\nQUIT\n221 bye"
    )
    assert found.reply is not None
    assert (found.reply.code, found.reply.status) == (550, "5.7.25")


def test_the_sentence_of_a_bounce_copied_from_a_web_page() -> None:
    [found] = read(
        "<p>&lt;reader@example.com&gt; (expanded from &lt;box@example.org&gt;): host\n"
        "gmail-smtp-in.l.google.com[2001:db8:2::1a] said: 550-5.7.1<br>[2001:db8:1::25] does not\n"
        "meet IPv6 sending guidelines 550 5.7.1 - gsmtp</p>"
    )
    assert (found.recipient, found.original_recipient) == ("reader@example.com", "box@example.org")
    assert found.relay is not None
    assert found.relay.host == "gmail-smtp-in.l.google.com"


def test_a_bounce_without_a_report() -> None:
    [found] = read(
        "From: MAILER-DAEMON@example.org\nTo: anna@example.net\nSubject: failure notice\n\n"
        "Hi. This is the mail program.\n\n<reader@example.com>:\n192.0.2.26 failed after I sent the message.\n"
        "Remote host said: 550-5.7.25 [192.0.2.25] does not have\n550 5.7.25 a PTR record - gsmtp\n\n"
        "--- Below this line is a copy of the message.\n\nFrom: anna@example.net\n"
    )
    assert (found.recipient, found.source_ip) == ("reader@example.com", "192.0.2.25")


HOSTILE = {
    "one line": b"x" * MEGABYTES,
    "blank lines": b"\n" * (MEGABYTES - 1) + b"x",
    "tags": b"<p " * (MEGABYTES // 3),
    "parts": b"From: a@b.c\nTo: b@c.d\nContent-Type: multipart/mixed; boundary=x\n\n"
    + b"--x\n\n" * (MEGABYTES // 6),
    "encoded words": b"From: a@b.c\nTo: b@c.d\nSubject: " + b"=?utf-8?q?a?= " * 16000 + b"\n\nhi",
    "wrapped log": (b"Nov 22 10:56:19 relay postfix/smtp[1]: AAAAAA: to=<a@b.c>, status=\n" + b"a\n" * 4096)
    * 600,
    "paragraphs": b"\n\n" * (MEGABYTES // 8)
    + b"Reporting-MTA: dns; a\n\n"
    + b"Final-Recipient: rfc822; a\n\n" * 9000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_five_hostile_megabytes_are_answered_in_time(data: bytes) -> None:
    begun = time.process_time()
    try:
        paste.deliveries(data)
    except ParseError as refused:
        assert refused.reason
    assert time.process_time() - begun < 2  # a deadline the product keeps
