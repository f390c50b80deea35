"""Traced messages -> the relay, as their original sender sends them: signed with DKIM (RFC 6376) or not."""

from __future__ import annotations

import secrets
import smtplib
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

SIGNED_FIELDS = [b"From", b"To", b"Subject", b"Date"]


def send(
    via: str,
    traces: list[str],
    *,
    sender: str,
    author: str,
    to: str,
    signer: str,
    broken: bool,
    key: bytes,
    subject: str,
    body: str,
    gap: float,
) -> list[str]:
    """One SMTP session into *via*; returns the relay's reply to each message.

    *sender* is the envelope's, "" the null one; *author* stands in From:. *signer* is the d= of the signature,
    "" for none; *broken*: the body is changed after it was signed, as a list's footer does. The Message-ID and
    X-Trace carry the trace and are left out of the signature, which therefore is made once for the whole batch.
    *gap* is the time between two messages in seconds: a queue that piles up makes Postfix reuse its sessions,
    and messages of one session share one choice of address.
    """
    domain = author.rpartition("@")[2]
    common = (
        f"From: A Sender <{author}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n"
        f"Date: {formatdate()}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    )
    signature = _signature(common, signer, key) if signer else ""
    if broken:
        common += "-- \r\nwritten below it on its way here\r\n"
    replies = []
    with smtplib.SMTP(via, 25, local_hostname="mail.sender.example", timeout=20) as session:
        session.ehlo_or_helo_if_needed()
        for number, trace in enumerate(traces):
            if number:
                time.sleep(gap)
            marks = f"Message-ID: <{trace}@{domain}>\r\nX-Trace: {trace}\r\n"
            replies.append(_one(session, sender, to, signature + marks + common))
    return replies


def new_traces(count: int) -> list[str]:
    batch = secrets.token_hex(4)
    return [f"t{batch}-{number}" for number in range(1, count + 1)]


def private_key(root: Path) -> bytes:
    return (root / "etc/ssl/private/lab-dkim.key").read_bytes()


def public_key(root: Path) -> str:
    armoured = (root / "etc/ssl/certs/lab-dkim.pub").read_text()
    return "".join(line for line in armoured.splitlines() if not line.startswith("-"))


def _one(session: smtplib.SMTP, sender: str, to: str, message: str) -> str:
    code, text = session.mail(sender)
    if code == 250:
        code, text = session.rcpt(to)
    if code in (250, 251):
        return _said(*session.data(message.encode()))
    session.rset()
    return _said(code, text)


def _said(code: int, text: bytes) -> str:
    return f"{code} {text.decode('utf-8', 'replace')}"


def _signature(message: str, domain: str, key: bytes) -> str:
    import dkim

    sign: Callable[..., bytes] = dkim.sign
    signed = sign(
        message.encode(), b"s1", domain.encode(), key, canonicalize=(b"relaxed", b"relaxed"),
        include_headers=SIGNED_FIELDS,
    )  # fmt: skip
    return signed.decode()
