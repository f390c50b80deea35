"""The shape of forwards/1: every forward, and in what state its mail leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.show.common import Shape, document, value

if TYPE_CHECKING:
    from mailmend.jobs.forwards import Seen


def forwards(seen: Seen, host: str) -> Shape:
    found = seen.forwards
    return document(
        "forwards",
        {
            "host": host,
            "forwards": [value(each) for each in found.found],
            "domains": [value(each) for each in seen.passages],
            "domains_beyond": seen.beyond,
            "doors": value(seen.doors),
            "relayed": list(found.relayed),
            "asked": {"tables": list(found.asked), "recipients": found.known},
            "unexplained": None
            if seen.unexplained is None
            else [{"domain": name, "deliveries": count} for name, count in seen.unexplained],
            "unread": [{"where": where, "why": why} for where, why in found.unread],
        },
    )
