"""Bounces without a report: an operator gets one of each make of mail server, and wants to know who and why."""
# ruff: noqa: E501 (bounces stand here as they come)

from __future__ import annotations

import pytest

from mailmend.model import Delivery, Relay
from mailmend.parse import paste, returned

DAEMON = "From: MAILER-DAEMON@relay.example.org\nTo: anna@example.net\nReturn-Path: <>\n"


def bounce(subject: str, body: str, head: str = "") -> tuple[Delivery, ...]:
    return paste.deliveries(f"{DAEMON}Subject: {subject}\n{head}\n{body}".encode())


def told(found: tuple[Delivery, ...]) -> list[tuple[str | None, int | None, str | None, str]]:
    replies = [(d.recipient, d.reply) for d in found]
    return [(name, r.code, r.status, r.text) if r else (name, None, None, "") for name, r in replies]


def test_what_the_returned_message_says_is_not_the_reason() -> None:
    found = bounce(
        "failure notice",
        "<reader@example.com>:\nno mailbox here by that name\n\n--- Below this line is a copy of the message.\n\n"
        "To: other@example.com\n\n<third@example.com>:\n550 5.1.1 was what they wrote\n",
    )
    assert told(found) == [("reader@example.com", None, None, "no mailbox here by that name")]


@pytest.mark.parametrize(
    "row",
    [
        "For further assistance, please send mail to postmaster.",
        "contact\npostmaster@example.org for help",
        "sent by\n\n  <anna@example.net>\n",
        "Return-Path: <anna@example.net>",
        "see https://example.org/?user=a@example.org",
    ],
)
def test_an_address_in_passing_is_no_recipient(row: str) -> None:
    assert [d.recipient for d in returned.deliveries(f"Sorry.\n\n{row}\n")] in ([None], [])


# make -> (subject, text, (recipient, code, status, words) of each)
SHAPES = {
    "qmail": (
        "failure notice",
        "Hi. This is the qmail-send program at example.org.\nI'm afraid I wasn't able to deliver your message.\n\n"
        "<reader@example.com>:\n192.0.2.25 does not like recipient.\nRemote host said: 550 5.1.1 no such user\n"
        "Giving up on 192.0.2.25.\n\n<other@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)\n",
        [("reader@example.com", 550, "5.1.1", "no such user"),
         ("other@example.com", None, "5.1.1", "Sorry, no mailbox here by that name.")],
    ),
    "Exim": (
        "Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be\n"
        "delivered to one or more of its recipients. The following address(es) failed:\n\n  reader@example.com\n"
        "    (generated from box@example.org)\n    host mx.example.com [192.0.2.25]\n"
        "    SMTP error from remote mail server after RCPT TO:<reader@example.com>:\n    550 5.7.1 blocked today\n"
        "  gone@example.com\n    retry timeout exceeded\n\n------ This is a copy of the message ------\n",
        [("reader@example.com", 550, "5.7.1", "blocked today"), ("gone@example.com", None, None, "retry timeout exceeded")],
    ),
    "Exchange 2003": (
        "Undeliverable: lunch",
        "Your message\n\n  To:      reader@example.com\n  Subject: lunch\n\ndid not reach the following recipient(s):\n\n"
        "reader@example.com on Sun, 22 Nov 2026 09:00:00 +0100\n    The recipient name is not recognized\n",
        [("reader@example.com", None, None, "The recipient name is not recognized")],
    ),
    "X.400 behind Exchange": (
        "Undeliverable: lunch",
        "did not reach the following recipient(s):\n\nc=DE;a= ;p=example;dda:SMTP=reader@example.com; on Sun, 22 Nov 2026\n"
        "    The recipient name is not recognized\n",
        [("reader@example.com", None, None, "on Sun, 22 Nov 2026 The recipient name is not recognized")],
    ),
    "Notes": (
        "DELIVERY FAILURE: User reader not listed",
        "Your message\n\n  Subject: lunch\n\nwas not delivered to:\n\n  reader@example.com\n\nbecause:\n\n"
        "  User reader (reader@example.com) not listed in the directory\n",
        [("reader@example.com", None, None, "User reader (reader@example.com) not listed in the directory")],
    ),
    "sendmail": (
        "Returned mail: see transcript for details",
        "   ----- The following addresses had permanent fatal errors -----\n<reader@example.com>\n\n"
        "   ----- Transcript of session follows -----\n... while talking to mx.example.com.:\n"
        ">>> RCPT To:<reader@example.com>\n<<< 550 5.1.1 no such user\n550 5.1.1 <reader@example.com>... User unknown\n",
        [("reader@example.com", 550, "5.1.1", "no such user")],
    ),
    "sendmail of old": (
        "Returned mail: Host unknown",
        "   ----- Transcript of session follows -----\n550 example.com (smtp)... 550 Host unknown\n"
        "554 <reader@example.com>... 550 Host unknown (Authoritative answer from name server)\n",
        [("reader@example.com", 554, None, "550 Host unknown (Authoritative answer from name server)")],
    ),
    "PMDF": (
        "Delivery Notification: Delivery has failed",
        "Your message cannot be delivered to the following recipients:\n\n  Recipient address: reader@example.com\n"
        "  Reason: Remote SMTP server has rejected address\n  Diagnostic code: smtp; 550 5.7.1 not today\n"
        "  Remote system: dns; mx.example.com (TCP|192.0.2.1|34321|192.0.2.25|25)\n",
        [("reader@example.com", 550, "5.7.1", "not today Remote system: dns; mx.example.com (TCP|192.0.2.1|34321|192.0.2.25|25)")],
    ),
    "OpenSMTPD": (
        "Delivery status notification: error",
        "    Hi!\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\n"
        "reader@example.com: 550 5.2.2 Mailbox full\nother@example.com: Domain does not exist\n\n"
        "    Below is a copy of the original message:\n",
        [("reader@example.com", 550, "5.2.2", "Mailbox full"), ("other@example.com", None, None, "Domain does not exist")],
    ),
    "IMail": (
        "Undeliverable Mail",
        "Unknown user: reader@example.com\n\nRCPT TO generated following response:\n553 5.3.0 Addressee unknown\n\n"
        "Original message follows.\n\nx\n",
        [("reader@example.com", 553, "5.3.0", "Addressee unknown")],
    ),
    "Gmail": (
        "Delivery Status Notification (Failure)",
        "Delivery to the following recipient failed permanently:\n\n     reader@example.com\n\n"
        "Technical details of permanent failure:\nGoogle tried to deliver your message, but it was rejected by the server for\n"
        "the recipient domain example.com by mx.example.com. [192.0.2.25].\n\n"
        "The error that the other server returned was:\n550 5.1.1 no such user\n\n----- Original message -----\n",
        [("reader@example.com", 550, "5.1.1", "no such user")],
    ),
    "GMX": (
        "Mail delivery failed: returning message to sender",
        'The following address failed:\n\n"reader@example.com":\nSMTP error from remote server after RCPT command:\n'
        "host: mx.example.com\n5.2.1 Mailbox disabled\n\n--- The header of the original message is following. ---\n",
        [("reader@example.com", None, "5.2.1", "Mailbox disabled")],
    ),
    "Yahoo": (
        "Failure Notice",
        "Sorry, we were unable to deliver your message to the following address.\n\n<reader@example.com>:\n"
        "550: 5.1.1 no such user\n\n--- Below this line is a copy of the message.\n",
        [("reader@example.com", 550, "5.1.1", "no such user")],
    ),
    "Zoho": (
        "Undelivered Mail Returned to Sender",
        "A message that you sent could not be delivered to one or more of its recipients.\n\n"
        "reader@example.com Invalid Address, ERROR_CODE :550, ERROR_CODE :mailbox unavailable\n",
        [("reader@example.com", 550, None, "mailbox unavailable")],
    ),
    "Gmail, as it is today": (
        "Delivery Status Notification (Failure)",
        "** Message blocked **\n\nYour message to reader@example.com has been blocked. See technical details below.\n\n"
        "The response was:\n\n550 5.7.26 this mail is unauthenticated\n",
        [("reader@example.com", 550, "5.7.26", "this mail is unauthenticated")],
    ),
    "Exchange Online": (
        "Undeliverable: lunch",
        "Delivery has failed to these recipients or groups:\n\nreader@example.com (reader@example.com)\n"
        "Your message couldn't be delivered.\n\nDiagnostic information for administrators:\n\n"
        "Generating server: mail.example.net\n\nreader@example.com\nmx.example.com\n"
        "Remote Server returned '550 5.4.300 Message expired'\n",
        [("reader@example.com", 550, "5.4.300", "Message expired")],
    ),
    "the reason first": (
        "Undeliverable Mail",
        "Could not be delivered because of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected:\n"
        "    reader@example.com\n",
        [("reader@example.com", 550, "5.1.1", "User unknown")],
    ),
    "in another language": (
        "=?utf-8?Q?Nicht_zugestellt?=",
        "Wir konnten Ihre Nachricht nicht zustellen.\n\nreader@example.com:\n  552 5.2.2 Postfach voll\n",
        [("reader@example.com", 552, "5.2.2", "Postfach voll")],
    ),
    "a report in its text": (
        "Delivery Status Notification (Failure)",
        "An error occurred.\n\nReporting-MTA: dns; relay.example.org\n\nAction: failed\n"
        "Final-Recipient: rfc822; reader@example.com\nDiagnostic-Code: smtp; 550 5.1.1 no such user\nStatus: 5.1.1\n",
        [("reader@example.com", 550, "5.1.1", "no such user")],
    ),
    "nobody is named": (
        "Returned mail: Cannot send message for 4 days",
        "   ----- Transcript of session follows -----\n421 example.com (smtp)... Deferred: Connection timed out\n\n"
        "   ----- Unsent message follows -----\nFrom: anna@example.net\nTo: reader@example.com\n\nHello\n",
        [("reader@example.com", 421, None, "example.com (smtp)... Deferred: Connection timed out")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("subject", "text", "expected"), SHAPES.values(), ids=SHAPES)
def test_who_was_refused_and_why(
    subject: str, text: str, expected: list[tuple[str | None, int | None, str | None, str]]
) -> None:
    found = bounce(subject, text)
    assert told(found) == expected
    assert {d.severity for d in found} == {"bounced"}


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
@pytest.mark.parametrize(("subject", "text", "expected"), SHAPES.values(), ids=SHAPES)
def test_line_ends_change_nothing(subject: str, text: str, expected: list[object], ends: str) -> None:
    whole = f"{DAEMON}Subject: {subject}\n\n{text}"
    assert told(paste.deliveries(whole.replace("\n", ends).encode())) == expected


# Without headers a text must say by itself that it is a bounce; IMail's does not, and the last names nobody.
COPIED = {name: shape for name, shape in SHAPES.items() if name not in ("IMail", "nobody is named")}


@pytest.mark.parametrize("quote", ["", "> ", "> > "])
@pytest.mark.parametrize(("_", "text", "expected"), COPIED.values(), ids=COPIED)
def test_the_text_alone_was_copied(_: str, text: str, expected: list[object], quote: str) -> None:
    copied = "".join(f"{quote}{line}\n" for line in text.splitlines())
    assert told(paste.deliveries(copied.encode())) == expected


def test_the_host_that_said_it_is_known() -> None:
    by_exim, _ = bounce(*SHAPES["Exim"][:2])
    assert by_exim.relay == Relay("mx.example.com", "192.0.2.25")
    assert (by_exim.original_recipient, by_exim.forwarded) == ("box@example.org", True)
    by_qmail, _ = bounce(*SHAPES["qmail"][:2])
    assert by_qmail.relay == Relay(None, "192.0.2.25")
    [by_sendmail] = bounce(*SHAPES["sendmail"][:2])
    assert by_sendmail.relay == Relay("mx.example.com", None)


def test_an_address_that_was_expanded_is_the_one_that_was_written_to() -> None:
    text = (
        "I'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n"
        "<reader@example.com> (expanded from <box@example.org>): host\n"
        "    mx.example.com[192.0.2.25] said: 550 5.1.1 no such user (in reply to RCPT TO command)\n"
    )
    for found in (bounce("Undelivered Mail Returned to Sender", text), paste.deliveries(text.encode())):
        [one] = found
        assert (one.recipient, one.original_recipient, one.forwarded) == (
            "reader@example.com",
            "box@example.org",
            True,
        )
        assert one.relay == Relay("mx.example.com", "192.0.2.25")
        assert told(found) == [("reader@example.com", 550, "5.1.1", "no such user")]


def test_a_warning_is_a_deferral_and_a_bounce_is_final_whatever_its_code() -> None:
    text = "A message that you sent has not yet been delivered to:\n\n  reader@example.com\n    451 4.7.1 Greylisted\n"
    assert [d.severity for d in bounce("Warning: message delayed 2 days", text)] == ["deferred"]
    text = "The following address failed:\n\n  reader@example.com\n    452 4.2.2 Mailbox full\n"
    assert [d.severity for d in bounce("Mail delivery failed", text)] == ["bounced"]


def test_postfix_tells_its_postmaster_what_it_refused() -> None:
    [found] = bounce(
        "Postfix SMTP server: errors from client.example.net[203.0.113.9]",
        "Transcript of session follows.\n\n Out: 220 relay.example.org ESMTP\n In:  RCPT TO:<box@example.org>\n"
        " Out: 451 4.3.0 Error: queue file write error\n\nSession aborted\n",
    )
    assert (found.severity, found.recipient, found.source_ip) == (
        "rejected-inbound",
        "box@example.org",
        "203.0.113.9",
    )


def test_headers_name_the_recipient_where_the_text_does_not() -> None:
    [found] = bounce(
        "Mail delivery failed",
        "It did not work: 550 5.1.1 no such user\n",
        "X-Failed-Recipients: reader@example.com\n",
    )
    assert found.recipient == "reader@example.com"


def test_a_japanese_bounce_is_read_in_its_character_set() -> None:
    body = "エラー\nreader@example.com\n\n------- Returned Message -------\n".encode("iso-2022-jp")
    head = f"{DAEMON}Subject: Undeliverable message\nContent-Type: text/plain; charset=ISO-2022-JP\n\n"
    assert told(paste.deliveries(head.encode() + body)) == [("reader@example.com", None, None, "エラー")]


def test_an_html_bounce_is_read_as_people_see_it() -> None:
    [found] = bounce(
        "failure notice",
        "<html><style>p {x: 550}</style><p>Unable to deliver:<br>reader@example.com<br>\n550&nbsp;5.1.1 no such user<br></p>",
        "Content-Type: text/html\n",
    )
    assert told((found,)) == [("reader@example.com", 550, "5.1.1", "no such user")]
