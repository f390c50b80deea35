"""Lines of qmail-send's log -> Deliveries (qmail-log(5)): a delivery is announced in one line and ends in another.

starting delivery 17: msg 4711 to remote reader@example.com
delivery 17: failure: 192.0.2.25_does_not_like_recipient./Remote_host_said:_550_no_such_user/
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailmend.model import Delivery, Relay, Severity, family_of
from mailmend.parse import reply

LINE_CAP = 8192

_INFO = re.compile(r"\binfo msg (\d{1,20}): bytes \d{1,20} from <([^<>\s]{0,320})>")
_STARTS = re.compile(r"\bstarting delivery (\d{1,20}): msg (\d{1,20}) to (?:remote|local) (\S{1,320})")
_ENDS = re.compile(r"\bdelivery (\d{1,20}): (success|failure|deferral): ?(\S{0,8000})")
_LINE_END = re.compile(r"/(?=Remote host said|Giving up|I'm not going|STARTTLS|[2-5]\d\d[ -]|$)")
_GIVING_UP = re.compile(r"\s*(?:Giving up on [0-9A-Fa-f.:]{2,45}?\.?)\s*$")
_HOST = re.compile(
    r"(?:^|\s)([0-9.]{7,15}|[0-9A-Fa-f:]{3,39}:[0-9A-Fa-f]{1,4}) (?:does|accepted|failed|refused)"
)
_OUTCOMES: dict[str, Severity] = {"success": "delivered", "failure": "bounced", "deferral": "deferred"}


def deliveries(lines: Iterable[str]) -> tuple[Delivery, ...]:
    """The deliveries that end in *lines*; the recipient is known where the line that starts it is among them."""
    senders: dict[str, str] = {}
    begun: dict[str, tuple[str, str]] = {}
    found: list[Delivery] = []
    for whole in lines:
        text = whole[:LINE_CAP]
        if info := _INFO.search(text):
            senders[info[1]] = info[2]
        elif starts := _STARTS.search(text):
            begun[starts[1]] = (starts[2], starts[3])
        elif ends := _ENDS.search(text):
            message, recipient = begun.pop(ends[1], (None, None))
            found.append(_delivery(ends, message, recipient, senders.get(message or ""), text))
    return tuple(found)


def _delivery(
    ends: re.Match[str], message: str | None, recipient: str | None, sender: str | None, text: str
) -> Delivery:
    words = _LINE_END.sub("\n", ends[3].replace("_", " "))
    words = _GIVING_UP.sub("", words)
    host = _HOST.search(words)
    return Delivery(
        severity=_OUTCOMES[ends[2]],
        recipient=recipient,
        reply=reply.parse(words),
        relay=Relay(None, host[1]) if host and family_of(host[1]) else None,
        sender=sender,
        source_ip=reply.source_ip(words),
        queue_id=message,
        excerpt=text,
    )
