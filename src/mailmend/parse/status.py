"""An enhanced status code -> what it says by itself, and no more (RFC 3463, IANA's registry of 2026)."""

from __future__ import annotations

_SUBJECTS = {
    "0": "no subject given",
    "1": "something about the address",
    "2": "something about the mailbox",
    "3": "something about the receiving system",
    "4": "something about network or routing",
    "5": "something about the SMTP dialogue",
    "6": "something about the message's format",
    "7": "something about security or policy",
}
_DETAILS = {
    "1.1": "no such mailbox",
    "1.2": "no such domain",
    "1.3": "bad syntax of the recipient",
    "1.6": "the mailbox has moved",
    "1.7": "bad syntax of the sender",
    "1.8": "the sender's domain cannot be used",
    "1.10": "the recipient's domain takes no mail (null MX)",
    "2.1": "the mailbox is disabled",
    "2.2": "the mailbox is full",
    "2.3": "the message is too long for the mailbox",
    "3.1": "the receiving system's disk is full",
    "3.2": "the receiving system takes no messages now",
    "3.4": "the message is too big for the receiving system",
    "4.1": "the host did not answer",
    "4.2": "the connection broke",
    "4.4": "no route to the destination",
    "4.6": "a routing loop",
    "4.7": "it was tried for too long",
    "5.3": "too many recipients at once",
    "7.0": "some security or policy reason, not said which",
    "7.1": "delivery is not authorised, not said why",
    "7.8": "the credentials were refused",
    "7.10": "encryption is needed",
    "7.20": "no DKIM signature passed",
    "7.23": "SPF did not pass",
    "7.24": "SPF could not be evaluated",
    "7.25": "the reverse DNS of the sending address does not hold",
    "7.26": "several authentication checks failed",
}


def says(code: int | None, status: str | None) -> str:
    """What *code* and *status* alone tell, as half a sentence: a class, never a cause.

    >>> says(550, "5.7.1")
    '550 5.7.1 alone says: refused for good; delivery is not authorised, not said why'
    """
    shown = " ".join(str(part) for part in (code, status) if part)
    if not shown:
        return "it carries no code"
    lasting = "not now, to be tried again" if shown.startswith("4") else "refused for good"
    subject = status.partition(".")[2] if status else ""
    words = _DETAILS.get(subject) or _SUBJECTS.get(subject.split(".")[0], "")
    return f"{shown} alone says: {lasting}" + (f"; {words}" if words else "")
