"""A real SMTP dialogue with a listener: its greeting, then QUIT (RFC 5321 3.1)."""

from __future__ import annotations

import smtplib

from mailmend.model import CannotLook
from mailmend.questions import Greeting

TIMEOUT = 5.0


def greeting(question: Greeting) -> str:
    """`220 relay.example.org ESMTP`; CannotLook where nobody answers in time or not in SMTP."""
    session = smtplib.SMTP(timeout=TIMEOUT)
    try:
        code, text = session.connect(question.address, question.port)
        session.quit()
    except (OSError, smtplib.SMTPException) as failure:
        raise CannotLook(f"{question.address}:{question.port} does not answer: {failure}") from failure
    finally:
        session.close()
    return f"{code} {text.decode('utf-8', 'replace')}"
