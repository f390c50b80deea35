"""A moment as a person types it (`2h`, `3 days`, `yesterday`, `2026-11-20`, `2026-11-20 14:30`) -> a time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mailmend.model import ParseError

_AGO = re.compile(r"(\d{1,6}) ?(s|sec|min|m|h|hours?|d|days?|w|weeks?)(?: ago)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since(text: str, now: datetime) -> datetime:
    """The time that *text* means, seen from *now* (with a zone): so long ago, a day's beginning, or that very time.

    >>> since("2 days", datetime.fromisoformat("2026-11-22T12:00:00+00:00")).isoformat()
    '2026-11-20T12:00:00+00:00'
    """
    said = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if said in ("today", "yesterday"):
        return midnight - timedelta(days=said == "yesterday")
    try:
        if ago := _AGO.fullmatch(said):
            return now - timedelta(**{_UNITS[ago[2][0]]: int(ago[1])})
        at = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ParseError(
            f"'{text}' is no time", "say 2h, 3 days, yesterday, 2026-11-20 or 2026-11-20T14:30"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)
