"""Ordinary mail of every kind that an operator's mailbox holds: none of it says that something was refused."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator

BOUNCE = """This is the mail system at host relay.example.org.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

<reader@example.com>: host mx.example.com[192.0.2.25] said: 550 5.1.1
    <reader@example.com>: no such user (in reply to RCPT TO command)

Reporting-MTA: dns; relay.example.org

Final-Recipient: rfc822; reader@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
"""

SENDERS = (
    "Anna <anna@example.net>",
    "postmaster@example.org",
    '"Mail Delivery News" <news@delivery.example.org>',
    "Shop <bounces+17@shop.example.com>",
)
NULL = "Return-Path: <>\n"


def message(head: str, body: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    return f"{head}To: box@example.org\nDate: Sun, 22 Nov 2026 09:00:00 +0000\nContent-Type: {kind}\n\n{body}".encode()


def letters() -> Iterator[tuple[str, bytes]]:
    """People write about bounces, with the bounce in it, above or below what they say."""
    subjects = ("Re: Undelivered Mail Returned to Sender", "Fwd: failure notice", "AW: Mail delivery failed",
                "Your server", "Bounce, please help")  # fmt: skip
    quoted = "".join(f"> {line}\n" for line in BOUNCE.splitlines())
    bodies = {
        "above": f"Hello, can you have a look at this?\n\n{quoted}\nAnna\n",
        "below": f"{quoted}\n\nWhat is that?\n",
        "unquoted": f"I got this today:\n\n{BOUNCE}\nAnna\n",
        "outlook": f"See below.\n\n-----Original Message-----\nFrom: MAILER-DAEMON@relay.example.org\n\n{BOUNCE}",
        "told": "My mail could not be delivered: 550 5.1.1 no such user. Is reader@example.com wrong?\n",
    }
    for subject in subjects:
        for place, body in bodies.items():
            yield f"letter {subject} {place}", message(f"From: {SENDERS[0]}\nSubject: {subject}\n", body)


def newsletters() -> Iterator[tuple[str, bytes]]:
    """What is sent to many, from senders that bounces come from, too, about deliveries among other things."""
    subjects = ("Your delivery is on its way", "News of November", "Delivery times before Christmas",
                "Never miss a delivery", "Order 550 5.7.1", "We could not deliver less: 20 % off")  # fmt: skip
    bodies = (
        "Dear reader,\n\nthere are 550 new things.\n\nanna@example.net\n\nUnsubscribe: https://example.org/u\n",
        "Your parcel could not be delivered today, we come again tomorrow.\n\nTracking: 421 4.7.0\n",
        "<p>Hello <b>reader@example.com</b>,</p><p>550 ways to save.</p>",
    )
    head = "List-Unsubscribe: <https://example.org/u>\nPrecedence: bulk\nList-Id: <news.example.org>\n"
    for subject in subjects:
        for sender in SENDERS:
            for number, body in enumerate(bodies):
                kind = "text/html" if body.startswith("<") else "text/plain"
                yield (
                    f"news {subject} {sender} {number}",
                    message(f"From: {sender}\nSubject: {subject}\n{head}", body, kind),
                )


def answers() -> Iterator[tuple[str, bytes]]:
    """Answering machines: notices, never refusals."""
    heads = ("Auto-Submitted: auto-replied\n", "Precedence: auto_reply\n", "X-Autoreply: yes\n",
             f"{NULL}Auto-Submitted: auto-replied\n", f"{NULL}X-Auto-Response-Suppress: All\n")  # fmt: skip
    subjects = (
        "Out of office: your message",
        "Automatic reply: Undelivered?",
        "Abwesenheitsnotiz",
        "On vacation",
    )
    bodies = (
        "I am back on Monday. Your message was not forwarded; write to other@example.com instead.\n",
        "Bin bis Montag nicht da.\n\nother@example.com\n",
        "My mailbox is full of mail, 552 of them. I will not be able to answer.\n",
    )
    for head in heads:
        for subject in subjects:
            for number, body in enumerate(bodies):
                yield (
                    f"away {subject} {head.split(':')[0]} {number}",
                    message(f"From: Reader <reader@example.com>\nSubject: {subject}\n{head}", body),
                )


def reports() -> Iterator[tuple[str, bytes]]:
    """What machines report to postmasters: TLS (RFC 8460), DMARC (RFC 7489), receipts (RFC 8098), cron, quarantine."""
    tls = '{"organization-name":"example.net","policies":[{"summary":{"total-failure-session-count":3},' \
          '"failure-details":[{"result-type":"starttls-not-supported","receiving-mx":"mx.example.org"}]}]}'  # fmt: skip
    packed = base64.encodebytes(gzip.compress(tls.encode(), mtime=0)).decode()
    for sender in (
        "noreply-smtp-tls-reporting@example.net",
        "postmaster@example.net",
        "MAILER-DAEMON@example.net",
    ):
        yield (
            f"tls-rpt {sender}",
            message(
                f"From: {sender}\nSubject: Report Domain: example.org Submitter: example.net Report-ID: 1\n"
                "TLS-Report-Domain: example.org\n",
                f"--b\nContent-Type: text/plain\n\nThis is an aggregate TLS report from example.net\n--b\n"
                f"Content-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\n{packed}\n--b--\n",
                'multipart/report; report-type="tlsrpt"; boundary=b',
            ),
        )
        yield (
            f"dmarc {sender}",
            message(
                f"From: {sender}\nSubject: Report domain: example.org Submitter: example.net Report-ID: 17\n",
                f"--b\n\nThis is a DMARC aggregate report.\n--b\nContent-Type: application/gzip\n"
                f"Content-Transfer-Encoding: base64\n\n{packed}\n--b--\n",
                "multipart/mixed; boundary=b",
            ),
        )
    for disposition in (
        "manual-action/MDN-sent-manually; displayed",
        "automatic-action/MDN-sent-automatically; deleted",
    ):
        yield (
            f"receipt {disposition}",
            message(
                f"From: Reader <reader@example.com>\n{NULL}Subject: Read: lunch\n",
                f"--b\n\nYour message to reader@example.com was read.\n--b\n"
                "Content-Type: message/disposition-notification\n\n"
                f"Reporting-UA: mail\nFinal-Recipient: rfc822; reader@example.com\nDisposition: {disposition}\n--b--\n",
                "multipart/report; report-type=disposition-notification; boundary=b",
            ),
        )
    for subject, body in {
        "Cron <root@relay> /usr/sbin/logrotate": "error: 550 rows rotated\n",
        "Mail statistics for relay": "reader@example.com   17\nother@example.com   4\n550 messages were sent.\n",
        "Queue of relay: 3 messages": "anna@example.net  3\n",
        "[monitor] relay: smtp is back": "OK, 220 relay.example.org ESMTP\n",
        "Quarantine summary": "Held for you:\n\n  anna@example.net   Your invoice   5.2\n",
        "Welcome to your mailbox": "Your address is box@example.org. It holds 500 MB.\n",
    }.items():
        for sender in (
            "root@relay.example.org",
            "postmaster@example.org",
            "Mail Administrator <admin@example.org>",
        ):
            yield f"report {subject} {sender}", message(f"From: {sender}\nSubject: {subject}\n", body)


def lists() -> Iterator[tuple[str, bytes]]:
    """Subscriptions, moderation, calendar, tickets, and mail whose first line looks like a reply."""
    for subject, body in {
        "confirm 4711": "Please reply to this message to confirm reader@example.com.\n",
        "Your message to news awaits moderator approval": "Is being held until the moderator can review it.\n",
        "Accepted: lunch": "BEGIN:VCALENDAR\nATTENDEE:mailto:reader@example.com\nEND:VCALENDAR\n",
        "[#4711] mail bounces": "We look into: 550 5.7.26 unauthenticated mail is prohibited.\n\nreader@example.com\n",
        "550": "550 5.7.1 is what I had to pay.\n",
        "Re: lunch": "No, thanks.\n",
        "": "",
        "Password reset": "Somebody asked for a new password of reader@example.com.\n",
    }.items():
        for sender in ("news-bounces@lists.example.org", "Anna <anna@example.net>", "support@example.com",
                       "no-reply@example.com", "bounce-handler-team@example.com"):  # fmt: skip
            yield f"list {subject} {sender}", message(f"From: {sender}\nSubject: {subject}\n", body)


def all_of_it() -> dict[str, bytes]:
    return dict([*letters(), *newsletters(), *answers(), *reports(), *lists()])
