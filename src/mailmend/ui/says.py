"""Times, spans, sizes and counts -> as people say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def stamp(at: datetime | None) -> str:
    """`Nov 22 10:56:24`, as a log begins its lines; "" where there is no time."""
    return f"{at:%b %d %H:%M:%S}" if at else ""


def span(seconds: float) -> str:
    """`0.4 s`, `12 s`, `5 min`, `3.2 h`, `4.9 days`."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"


def size(count: int) -> str:
    """`386 bytes`, `15 kB`, `1.2 MB`."""
    if count < 10_000:
        return f"{count} bytes"
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def times(count: int) -> str:
    """`once`, `twice`, `17 times`."""
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"


def nth(count: int) -> str:
    """`1st`, `2nd`, `12th`."""
    ending = "th" if count % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"
