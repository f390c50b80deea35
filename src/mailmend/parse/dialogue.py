"""An SMTP session that somebody held or watched (telnet, swaks, openssl, a debug trace) -> the refusals in it.

 -> RCPT TO:<reader@example.com>
<** 550 5.1.1 no such mailbox
"""

from __future__ import annotations

import re

from mailmend.model import Delivery, Relay, family_of
from mailmend.parse import reply

REFUSALS_CAP = 200

_SIGN = r"[ \t]{0,8}(?:[-~=<>*|]{1,4}|[CSRT]:|Client:|Server:|In:|Out:)?[ \t]{0,4}"
_COMMAND = re.compile(
    _SIGN
    + r"(?:(EHLO|HELO|LHLO|STARTTLS|AUTH|DATA|BDAT|QUIT|RSET)\b|(MAIL FROM|RCPT TO): ?<?([^\s<>]{0,320}))",
    re.IGNORECASE,
)
_ANSWER = re.compile(_SIGN + r"([2-5]\d\d(?:[ -].*|$))")
_BANNER = re.compile(r"220[ -]([A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){1,20})\b")
_CONNECTED = re.compile(r"(?:=== )?Connected to ([A-Za-z0-9_.-]{1,255}?)\.?$")
_TRYING = re.compile(r"(?:=== )?Trying \[?([0-9A-Fa-f:.]{3,45}?)\]?(?:\.\.\.|:\d|$)")


def deliveries(text: str) -> tuple[Delivery, ...]:
    """The refusals in *text* (line ends `\\n`), each of the recipient last named; () where it is no session.

    A session has a command of the client's (RFC 5321 4.1.1) before an answer of the server's.
    """
    if "while talking to" in text:  # sendmail's own form of it: transcript.py
        return ()
    found: list[Delivery] = []
    host = ip = sender = recipient = None
    words: list[str] = []
    asked = False
    for row in text.split("\n"):
        line = row.rstrip()[: reply.LONGEST]
        if answer := _ANSWER.match(line):
            words.append(answer[1])
            if answer[1][3:4] == "-" and len(words) < 100:
                continue
            if banner := _BANNER.match(answer[1]):
                host = host or banner[1]
            elif asked and answer[1][0] in "45" and len(found) < REFUSALS_CAP:
                found.append(_refused(words, recipient, sender, Relay(host, ip) if host or ip else None))
            words = []
        elif command := _COMMAND.match(line):
            asked, words = True, []
            if (command[2] or "").upper() == "MAIL FROM":
                sender, recipient = command[3], None
            elif command[2]:
                recipient = command[3]
        elif connected := _CONNECTED.match(line):
            host = connected[1] if not family_of(connected[1]) else host
        elif (trying := _TRYING.match(line)) and family_of(trying[1]):
            ip = trying[1]
    return tuple(found)


def _refused(words: list[str], recipient: str | None, sender: str | None, relay: Relay | None) -> Delivery:
    told = reply.parse(" ".join(words))
    return Delivery(
        severity="deferred" if words[0].startswith("4") else "bounced",
        recipient=recipient or None,
        reply=told,
        relay=relay,
        sender=sender,
        source_ip=reply.contacted_from(told.text) if told else None,
        excerpt="\n".join(words),
    )
