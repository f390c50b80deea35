"""Deliveries as a scan has them -> whose mail was forwarded and taken: the domain of whoever sent it first."""

from __future__ import annotations

from collections.abc import Iterable

from mailmend.parse.forwards import original
from mailmend.parse.outcomes import Senders

# Queue id, whether the recipient was another address before, that address, the server's IP, and what it is counted by.
Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]
_LOOPBACK = (b"127.", b"::1")


def count(rows: Iterable[Row], senders: Senders, into: dict[tuple[bytes, str, bytes, bytes], int]) -> None:
    """Add to *into* what of *rows*, taken by servers elsewhere, was forwarded: by hour, domain, relay and family.

    What only went round through this host is not, nor a bounce that came back to an address of SRS; what leaves
    under such an address is. Of mail whose sender no line told nothing is known.
    """
    recent, older = senders.recent.get, senders.older.get
    for queue_id, moved, before, ip, hour, relay, family in rows:
        sender = recent(queue_id) or older(queue_id)
        if sender is None or not (moved or sender[1:4].upper() == b"SRS"):
            continue
        if ip.startswith(_LOOPBACK) or original(_text(before)):
            continue
        address = _text(sender[1:])
        domain = original(address) or address.rpartition("@")[2].lower().rstrip(".")
        key = (hour, domain, relay, family)
        into[key] = into.get(key, 0) + 1


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
