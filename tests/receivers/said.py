"""A reply and who said it -> the cause that its rule names, for the tests of the receivers."""

from __future__ import annotations

from mailmend import receivers
from mailmend.model import Delivery, Relay
from mailmend.parse import reply


def match(text: str, host: str | None = None, recipient: str | None = None) -> receivers.Match | None:
    relay = Relay(host, None) if host else None
    return receivers.match(Delivery("bounced", recipient, reply.parse(text), relay), receivers.load())


def cause(text: str, host: str | None = None, recipient: str | None = None) -> str | None:
    found = match(text, host, recipient)
    return found.rule.cause if found else None


def by(text: str, host: str | None = None, recipient: str | None = None) -> tuple[str | None, str | None]:
    """Who refused, and why."""
    found = match(text, host, recipient)
    if found is None:
        return None, None
    return found.receiver.id if found.receiver else None, found.rule.cause


def own(receiver: str, text: str, host: str | None = None) -> str | None:
    """The cause that a rule of *receiver* itself names; software's and everybody's rules are left out."""
    found = match(text, host)
    return found.rule.cause if found and found.rule.receiver == receiver else None
