"""Lines that sendmail or OpenSMTPD logs -> Deliveries: `to=<...>, ... relay=..., dsn=..., stat=...`, and refusals.

sm-mta[711]: 5AM9x1Yk000712: to=<reader@example.com>, delay=00:00:02, mailer=esmtp, relay=mx.example.com.
    [192.0.2.25], dsn=5.1.1, stat=User unknown
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mailmend.model import Delivery, Relay, Reply, Severity, family_of
from mailmend.parse import reply

LINE_CAP = 8192
RECIPIENTS_CAP = 200

_LINE = re.compile(r"(?:^|\]: |: )([0-9A-Za-z]{8,24}): ((?:to|from|ruleset|Milter)[=:].*)")
_STAT = re.compile(r"(?:^|, )(?:stat|reject)=(.*)")
_ADDRESS = re.compile(r"<([^<>\s]{1,320})>|(?:^|,)([^<>\s,]{1,128}@[^<>\s,]{1,255})")
_HOST = re.compile(r"([^\s\[]{0,255}?)\.? ?\[(?:IPv6:)?([0-9A-Fa-f:.]{2,45})\]")
_OPEN = re.compile(r"\bfrom=<([^<>\s]{0,320})>,? to=<([^<>\s]{1,320})>")
_OPEN_RELAY = re.compile(r" relay=\"?([0-9A-Fa-f:.]{2,45}) \(([^()\s]{1,255})\)")
_OPEN_STAT = re.compile(r" stat=\"?(.*?)\"?$")
_OPEN_OUTCOME = re.compile(r"\b(Ok|TempFail|PermFail)\b")
_OUTCOMES: dict[str, Severity] = {"Ok": "delivered", "TempFail": "deferred", "PermFail": "bounced"}


def deliveries(lines: Iterable[str]) -> tuple[Delivery, ...]:
    """What *lines* tell of each recipient; the sender is that of the same message's `from=` line."""
    senders: dict[str, str] = {}
    found: list[Delivery] = []
    for whole in lines:
        text = whole[:LINE_CAP].rstrip()
        line = _LINE.search(text)
        if line is None:
            found.extend(_open(text))
        elif line[2].startswith("from="):
            sender = _ADDRESS.match(line[2], 5)
            senders[line[1]] = (sender[1] or sender[2]) if sender else ""
        else:
            found.extend(replace(d, queue_id=line[1], excerpt=text) for d in _told(line[2]))
    return tuple(replace(d, sender=senders.get(d.queue_id or "", d.sender)) for d in found)


def _told(words: str) -> Iterator[Delivery]:
    stat = _STAT.search(words)
    if stat is None:
        return
    pieces = (piece.partition("=") for piece in words[: stat.start()].split(", "))
    fields = {name: value for name, _, value in pieces}
    host = _HOST.match(fields.get("relay", ""))
    relay = Relay(host[1] or None, host[2]) if host and family_of(host[2]) else None
    if "reject=" in stat[0]:
        to = _ADDRESS.search(fields.get("arg1", "") or fields.get("to", ""))
        yield Delivery(
            severity="rejected-inbound",
            recipient=(to[1] or to[2]) if to else None,
            reply=reply.parse(stat[1]),
            source_ip=relay.ip if relay else None,
        )
        return
    severity, said = _outcome(stat[1])
    told = _reply(said, fields.get("dsn"))
    for to in list(_ADDRESS.finditer(fields.get("to", "")))[:RECIPIENTS_CAP]:
        yield Delivery(severity, to[1] or to[2], told, relay, source_ip=reply.source_ip(said))


def _outcome(stat: str) -> tuple[Severity, str]:
    word, colon, rest = stat.partition(":")
    if word.startswith("Sent"):
        return "delivered", stat[4:].strip(" ()")
    if word == "queued":
        return "notice", stat
    if word.startswith("Deferred"):
        return "deferred", rest.strip() if colon else stat
    return "bounced", stat


def _reply(words: str, dsn: str | None) -> Reply | None:
    said = reply.parse(words)
    if said is None:
        return Reply(None, dsn, "") if dsn else None
    return said if said.status else replace(said, status=dsn)


def _open(text: str) -> Iterator[Delivery]:
    """OpenSMTPD's `mta delivery ... result="PermFail" stat="550 ..."`; its older form puts the result first."""
    line, said = _OPEN.search(text), _OPEN_STAT.search(text)
    outcome = _OPEN_OUTCOME.search(text[: said.start()]) if line and said else None
    if line is None or said is None or outcome is None:
        return
    host = _OPEN_RELAY.search(text)
    yield Delivery(
        severity=_OUTCOMES[outcome[1]],
        recipient=line[2],
        reply=reply.parse(said[1]),
        relay=Relay(host[2], host[1]) if host and family_of(host[1]) else None,
        sender=line[1],
        source_ip=reply.source_ip(said[1]),
        excerpt=text,
    )
