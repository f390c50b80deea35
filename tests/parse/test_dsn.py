"""A bounce tells, for each recipient, who refused it, with which words, and what it was before forwarding."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmend.model import ParseError, Relay
from mailmend.parse import bounce, dsn

SAMPLES = Path(__file__).parent.parent / "samples"
REFUSED = (SAMPLES / "forward-refused.eml").read_text()


def test_a_letter_that_quotes_a_bounce_is_no_bounce() -> None:
    assert bounce.parse((SAMPLES / "letter-that-quotes-a-bounce.eml").read_text()) == ()


def test_text_is_no_bounce() -> None:
    assert bounce.parse("Final-Recipient is what I should look for, they said.") == ()


def test_a_bounce_within_the_returned_message_is_about_something_else() -> None:
    inner = REFUSED.replace("reader@example.com", "long-ago@example.com").replace("4F1A22B3C4D", "INNER")
    outer = REFUSED.replace("See you on Monday.", inner)
    assert [d.recipient for d in bounce.parse(outer)] == ["reader@example.com", "other@example.com"]


def test_each_recipient_has_its_own_refusal() -> None:
    first, second = bounce.parse(REFUSED)
    assert (first.severity, first.recipient, first.original_recipient) == (
        "bounced",
        "reader@example.com",
        "box@example.org",
    )
    assert first.relay == Relay("gmail-smtp-in.l.google.com", "2001:db8:2::1a")
    assert first.source_ip == "2001:db8:1::25"
    assert (first.forwarded, second.forwarded) == (True, False)
    assert first.queue_id == "4F1A22B3C4D"
    assert first.sender == "anna@example.net"
    assert second.relay == Relay("aspmx.l.google.com", "192.0.2.26")
    assert first.excerpt.startswith("<reader@example.com> (expanded from")


def test_the_replys_own_status_wins_over_the_reports() -> None:
    second = bounce.parse(REFUSED)[1]
    assert second.reply is not None
    assert second.reply.status == "5.7.26"  # the report's Status is 5.0.0


def test_a_null_sender_is_known_to_be_null() -> None:
    [first, _] = bounce.parse(
        REFUSED.replace("X-Postfix-Sender: rfc822; anna@example.net", "X-Postfix-Sender: rfc822;")
    )
    assert first.sender == ""


def test_a_bounce_forwarded_as_an_attachment_is_found() -> None:
    letter = (
        "From: anna@example.net\nTo: postmaster@example.org\nSubject: Fwd\n"
        'Content-Type: multipart/mixed; boundary="w"\n\n--w\nContent-Type: text/plain\n\nsee below\n'
        f"--w\nContent-Type: message/rfc822\n\n{REFUSED}\n--w--\n"
    )
    assert len(bounce.parse(letter)) == 2


def test_an_internationalised_report_in_base64_is_read() -> None:
    import base64

    report = (
        "Reporting-MTA: dns; relay.example.org\n\n"
        "Final-Recipient: utf-8; j\\x{F6}rg@example.com\nAction: failed\nStatus: 5.7.25\n"
        "Diagnostic-Code: smtp; 550 5.7.25 no PTR\n"
    )
    text = (
        "From: MAILER-DAEMON@example.org\nTo: anna@example.net\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        "--b\nContent-Type: message/global-delivery-status\nContent-Transfer-Encoding: base64\n\n"
        f"{base64.encodebytes(report.encode()).decode()}\n--b--\n"
    )
    [found] = bounce.parse(text)
    assert found.recipient == "jörg@example.com"


def test_a_delay_is_deferred_and_a_success_is_delivered() -> None:
    [delivered] = bounce.parse((SAMPLES / "delivered.eml").read_text())
    assert delivered.severity == "delivered"
    delayed = REFUSED.replace("Action: failed", "Action: delayed")
    assert {d.severity for d in bounce.parse(delayed)} == {"deferred"}


def test_parts_within_parts_without_end_are_refused_with_a_reason() -> None:
    nested = "From: a@example.org\nTo: b@example.org\n" + "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(1000)
    )
    with pytest.raises(ParseError, match="nested more than 20 deep"):
        bounce.parse(nested)


def test_a_report_on_thousands_of_recipients_is_refused_with_a_reason() -> None:
    many = "Final-Recipient: rfc822; a@example.com\nAction: failed\n\n" * 20000
    with pytest.raises(ParseError, match="more than 512 KB"):
        dsn.report(many)


def test_a_status_that_is_none_is_not_taken_for_one() -> None:
    report = "Final-Recipient: rfc822; reader@example.com\nAction: failed\nStatus: {}\n"
    for wrong in ("5", "failed", "5.1.1.1", "9.9.9"):
        assert [d.reply for d in dsn.report(report.format(wrong))] == [None]
    [right] = dsn.report(report.format("5.1.1 (bad destination mailbox)"))
    assert right.reply is not None
    assert right.reply.status == "5.1.1"


def test_a_name_of_x400_gives_way_to_the_address_that_was_written_to() -> None:
    [found] = dsn.report(
        "Reporting-MTA: x400; mta relay in /PRMD=example/ADMD= /C=GB/\n\n"
        "Original-Recipient: rfc822; reader@example.org\n"
        "Final-Recipient: x400; /S=reader/O=example/PRMD=example/C=GB/\nAction: failed\nStatus: 4.4.7\n"
    )
    assert (found.recipient, found.original_recipient) == ("reader@example.org", None)
