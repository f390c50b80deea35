"""The transcript of an SMTP session within a bounce -> what was said about whom (sendmail, PMDF, Postfix's notices).

... while talking to mx.example.com.:
>>> RCPT To:<reader@example.com>
<<< 550 5.1.1 no such mailbox
550 5.1.1 <reader@example.com>... User unknown
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailmend.model import Delivery, Relay, family_of
from mailmend.parse import reply

_TALKING = re.compile(r"[. ]{0,8}while talking to ([^\s:]{1,255}?)\.?:", re.IGNORECASE)
_TO = re.compile(r"(?:>>> ?|In: +)RCPT TO:\s?<?([^\s<>]{1,320})>?", re.IGNORECASE)
_ASKED = re.compile(r">>> ?|In: +")
_ANSWERED = re.compile(r"(?:<<< ?|Out: +)(.*)")
_OF = re.compile(r"([245]\d\d )?([245]\.\d{1,3}\.\d{1,3} )?<?([^\s<>@]{1,128}@[^\s<>]{1,255}?)>?\.\.\. (.+)")
_CLIENT = re.compile(r"errors from (?:[^\s\[]{1,255})\[([0-9A-Fa-f.:]{2,45})\]")


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: *recipient* is None where it was about the message or the session."""

    recipient: str | None
    host: str | None
    words: str


def read(text: str) -> tuple[Said, ...]:
    """The refusals of a transcript in their order; the remote host's own words come before the local ones."""
    found: list[Said] = []
    host = recipient = None
    for row in text.split("\n"):
        line = row.strip()[: reply.LONGEST]
        talking = _TALKING.match(line)
        if talking:
            host, recipient = talking[1], None
        elif _ASKED.match(line):
            to = _TO.match(line)
            recipient = to[1] if to else None
        elif (answer := _ANSWERED.match(line)) and answer[1][:1] in ("4", "5"):
            _add(found, Said(recipient, host, answer[1]))
        elif (of := _OF.match(line)) and not line.startswith("2"):
            found.append(Said(of[3], None, f"{of[1] or ''}{of[2] or ''}{of[4]}"))
    return tuple(found)


def _add(found: list[Said], said: Said) -> None:
    """A reply of several lines is one: `550-` goes on, and so does what has the same code and the same cause."""
    before = found[-1] if found else None
    if before and before.words[3:4] == "-" and (before.recipient, before.host) == (said.recipient, said.host):
        if len(before.words) < reply.LONGEST:
            found[-1] = Said(said.recipient, said.host, f"{before.words} {said.words}")
        return
    found.append(said)


def about(found: tuple[Said, ...], recipient: str) -> Said | None:
    """What was said about *recipient*: its own reply, or the one to the message, or the local words."""
    mine = [said for said in found if said.recipient and said.recipient.lower() == recipient.lower()]
    remote = next((said for said in mine if said.host), None)
    if remote:
        return remote
    general = next((said for said in found if said.host and said.recipient is None), None)
    protocol = mine and re.search(
        r"protocol error|service unavailable|deferred", mine[0].words, re.IGNORECASE
    )
    return general if general and (protocol or not mine) else next(iter(mine), general)


def own(text: str, subject: str) -> tuple[Delivery, ...]:
    """Postfix's notice to its postmaster (`errors from client[address]`): what it refused, and to whom."""
    client = _CLIENT.search(subject)
    found: list[Delivery] = []
    for said in read(text):
        told = reply.parse(said.words)
        if told and client and family_of(client[1]):
            found.append(
                Delivery(
                    severity="rejected-inbound",
                    recipient=said.recipient,
                    reply=told,
                    source_ip=client[1],
                    excerpt=said.words,
                )
            )
    return tuple(found)


def relay(said: Said) -> Relay | None:
    """The host that said it, as far as a transcript names it."""
    return Relay(said.host, None) if said.host else None
