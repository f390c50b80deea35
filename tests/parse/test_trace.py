"""What a sending service posts as JSON tells who was refused and why, under whatever names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailmend.model import Delivery, Relay
from mailmend.parse import paste, trace


def read(document: Any) -> tuple[Delivery, ...]:
    return paste.deliveries(json.dumps(document).encode())


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"email": "reader@example.com"},
        {"event": "open", "email": "reader@example.com", "useragent": "reader 5.1.1"},
        {"event": "click", "email": "reader@example.com", "url": "https://example.org"},
        {"level": "error", "message": "550 widgets are missing"},
        {"bounce": [1, 2, {"x": None}], "reason": 17},
    ],
)
def test_what_tells_of_no_refusal_tells_none(document: Any) -> None:
    assert trace.deliveries(json.dumps(document)) == ()


SES = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bouncedRecipients": [
            {
                "emailAddress": "reader@example.com",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 no such user",
            }
        ],
    },
    "mail": {"source": "anna@example.net", "destination": ["reader@example.com"]},
}
SERVICES: dict[str, Any] = {
    "Amazon SES": SES,
    "Amazon SES through SNS": {"Type": "Notification", "Message": json.dumps(SES)},
    "SendGrid": [
        {
            "email": "reader@example.com",
            "event": "bounce",
            "type": "bounce",
            "status": "5.1.1",
            "reason": "550 5.1.1 no such user",
        },
        {"email": "anna@example.net", "event": "open"},
    ],
    "Mailgun": {
        "event-data": {
            "event": "failed",
            "severity": "permanent",
            "recipient": "reader@example.com",
            "envelope": {"sender": "anna@example.net", "targets": "reader@example.com"},
            "delivery-status": {
                "code": 550,
                "enhanced-code": "5.1.1",
                "message": "no such user",
                "mx-host": "mx.example.com",
            },
        }
    },
    "Postmark": {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "Email": "reader@example.com",
        "From": "anna@example.net",
        "Description": "The server was unable to deliver your message.",
        "Details": "smtp;550 5.1.1 no such user",
    },
    "Mandrill": [
        {
            "event": "hard_bounce",
            "msg": {
                "email": "reader@example.com",
                "sender": "anna@example.net",
                "diag": "smtp;550 5.1.1 no such user",
            },
        }
    ],
    "SparkPost": [
        {
            "msys": {
                "message_event": {
                    "type": "bounce",
                    "rcpt_to": "reader@example.com",
                    "error_code": "550",
                    "raw_reason": "550 5.1.1 no such user",
                    "reason": "550 5.1.1 n...",
                }
            }
        }
    ],
}


@pytest.mark.parametrize("document", SERVICES.values(), ids=SERVICES)
def test_each_service_says_who_and_why(document: Any) -> None:
    [found] = read(document)
    assert (found.severity, found.recipient) == ("bounced", "reader@example.com")
    assert found.reply is not None
    assert (found.reply.code, found.reply.status, found.reply.text) == (550, "5.1.1", "no such user")


def test_one_document_a_line() -> None:
    line = json.dumps(SERVICES["SendGrid"][0])
    other = line.replace("reader@", "other@")
    assert [d.recipient for d in paste.deliveries(f"{line}\n{other}\n".encode())] == [
        "reader@example.com",
        "other@example.com",
    ]


def test_a_deferral_a_delivery_and_a_complaint_are_not_bounces() -> None:
    deferred = {"event": "deferred", "email": "reader@example.com", "response": "451 4.7.1 later"}
    assert [d.severity for d in read([deferred])] == ["deferred"]
    complaint = {
        "notificationType": "Complaint",
        "complaint": {"complainedRecipients": [{"emailAddress": "reader@example.com"}]},
    }
    [found] = read(complaint)
    assert (found.severity, found.notice, found.recipient) == (
        "notice",
        "feedback-report",
        "reader@example.com",
    )


def test_the_host_is_known_where_the_service_names_it() -> None:
    [found] = read(SERVICES["Mailgun"])
    assert found.relay == Relay("mx.example.com", None)


def test_a_notification_that_came_by_mail() -> None:
    head = (
        "From: SES <no-reply@sns.amazonaws.com>\nTo: ops@example.org\nSubject: AWS Notification Message\n\n"
    )
    footer = "\n\n--\nIf you wish to stop receiving notifications from this topic, follow the link.\n"
    [found] = paste.deliveries((head + json.dumps(SES) + footer).encode())
    assert found.recipient == "reader@example.com"


@pytest.mark.parametrize(
    "text", ['{"a":' * 5000, "[" * 50000, '{"a": 1e999}', '{"email": "\\ud800@x.example"}', "{]"]
)
def test_what_is_no_json_is_no_refusal(text: str) -> None:
    assert trace.deliveries(text) == ()
