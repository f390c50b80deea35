"""Replies and nothing else -> Deliveries: one pasted alone, or a list of thousands, a reply a line (RFC 5321 4.2).

The shortest way through: no line can be anything but a reply, so none is looked at as a message or a log.
"""

from __future__ import annotations

import re

from mailmend.model import Delivery, ParseError
from mailmend.parse import reply

MOST = 20_000

_LINE = re.compile(r"[45]\d\d(?:[ -]|$)")


def deliveries(text: str) -> tuple[Delivery, ...]:
    """A Delivery for each reply in *text* (line ends `\\n`); () where any line is something else.

    `550-` goes on in the next line. Raises ParseError for more than 20,000.
    """
    found: list[Delivery] = []
    block: list[str] = []
    for row in text.split("\n"):
        line = row.strip()
        if not line:
            continue
        if not _LINE.match(line) or "to=<" in line or "status=" in line:  # as a log has them
            return ()
        block.append(line)
        if line[3:4] != "-":
            found += _delivery(" ".join(block))
            block = []
            if len(found) > MOST:
                raise ParseError(f"more than {MOST} replies", "give a part of them")
    if block:
        found += _delivery(" ".join(block))
    return tuple(found)


def _delivery(block: str) -> tuple[Delivery, ...]:
    said = reply.parse(block)
    if said is None:
        return ()
    return (
        Delivery(
            severity="deferred" if block.startswith("4") else "bounced",
            reply=said,
            source_ip=reply.contacted_from(said.text),
            excerpt=block,
        ),
    )
