"""Postfix's version, and what changed with it (Postfix release notes)."""

from __future__ import annotations

import re

from mailmend.facts.settings import value
from mailmend.model import Probe

# The first release of each line in which a malformed TLSA record no longer crashes the smtp client (2026-05).
_DANE_FIXED = ((3, 8, 18), (3, 9, 12), (3, 10, 11), (3, 11, 4))

# Parameters that came late, with the first release that has them.
SINCE = {
    "smtp_reply_filter": (2, 7),
    "smtp_address_preference": (2, 8),
    "smtp_dns_reply_filter": (3, 0),
    "smtp_delivery_status_filter": (3, 0),
    "smtp_bind_address_enforce": (3, 7),
}


def version(probe: Probe) -> tuple[int, ...]:
    """mail_version as numbers, `3.7.11` -> (3, 7, 11); () where it holds none. Unknown if unread."""
    found = re.match(r"(\d+(?:\.\d+)*)", value(probe, "mail_version"))
    return tuple(map(int, found[1].split("."))) if found else ()


def dane_crash_fixed(known: tuple[int, ...]) -> bool:
    """Whether this version holds the fix; one that says nothing of itself is given the benefit of doubt."""
    line = next((fixed for fixed in _DANE_FIXED if fixed[:2] == known[:2]), None)
    return not known or known >= (line or (3, 12))
