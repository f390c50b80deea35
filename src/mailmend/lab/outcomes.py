"""Postfix's log -> what became of every traced message: the last word on each (postconf(5), maillog).

Reads the log of the lab's own relay, not with mailmend's parser: what the product says is held against this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mailmend.model import Family

_LINE = re.compile(r"^\S+ \S+ (?P<tag>\S+)\[\d+\]: (?P<id>[0-9A-Za-z]{6,}): (?P<rest>.*)$", re.MULTILINE)
_MESSAGE_ID = re.compile(r"message-id=<(?P<trace>[^@>]+)@")
_WORD = re.compile(
    r"to=<(?P<to>[^>]*)>, (?:orig_to=<(?P<orig>[^>]*)>, )?relay=(?P<host>[^[,]+)(?:\[(?P<ip>[^]]*)\]:\d+)?, .*?"
    r"status=(?P<status>sent|bounced|deferred) \((?P<text>.*)\)$"
)
# What smtpd(8) says that took a message, and local(8) of a .forward; where it is this Postfix, it goes on.
_HANDED_ON = re.compile(r"(?:queued|forwarded) as (?P<id>[0-9A-Za-z]{6,})")
_REPLY = re.compile(r"said: (?P<reply>.*?)(?: \(in reply to [^()]*\))?$")


@dataclass(frozen=True, slots=True)
class Attempt:
    """*relay* is `host[ip]`, None where nobody was reached; *reply* what it said, *text* all in parentheses."""

    trace: str
    recipient: str
    status: Literal["sent", "bounced", "deferred"]
    family: Family | None
    relay: str | None
    reply: str | None
    text: str
    service: str


def read(log: str) -> dict[str, Attempt]:
    """By trace; a message that was tried several times has its last attempt.

    What goes once more through this very Postfix has the outcome of its last round.
    """
    traces: dict[str, str] = {}
    last: dict[str, Attempt] = {}
    for line in _LINE.finditer(log):
        queue_id, rest = line["id"], line["rest"]
        if found := _MESSAGE_ID.match(rest):
            traces[queue_id] = found["trace"]
        elif (word := _WORD.match(rest)) and queue_id in traces:
            trace = traces[queue_id]
            handed = _HANDED_ON.search(word["text"])
            if handed and traces.get(handed["id"]) == trace:
                continue
            last[trace] = _attempt(trace, word, line["tag"])
    return last


def _attempt(trace: str, word: re.Match[str], tag: str) -> Attempt:
    ip, text = word["ip"], word["text"]
    said = _REPLY.search(text)
    answered = text if word["status"] == "sent" and ip else None
    return Attempt(
        trace=trace,
        recipient=word["orig"] or word["to"],
        status=word["status"],  # type: ignore[arg-type]  # the pattern allows these three
        family=("ipv6" if ":" in ip else "ipv4") if ip else None,
        relay=f"{word['host']}[{ip}]" if ip else None,
        reply=said["reply"] if said else answered,
        text=text,
        service=tag,
    )
