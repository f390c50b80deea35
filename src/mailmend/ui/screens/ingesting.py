"""The screens of ingest: what was new, and what the store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui import says
from mailmend.ui.terminal import columns, heading, say

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.ingest import Taken
    from mailmend.system.store.queries import Standing

_SOURCES = 8


def ingested(target: Console, taken: Taken | None, standing: Standing) -> None:
    """What was *taken* just now (None: nothing was looked for), and what there is."""
    if taken is not None:
        say(target, new(taken))
        target.print()
    began, ended = standing.span
    since = f", {began:%Y-%m-%d %H:%M} to {ended:%Y-%m-%d %H:%M}" if began and ended else ""
    each = f" ({standing.size / standing.deliveries:.0f} bytes each)" if standing.deliveries > 1000 else ""
    say(
        target, f"{standing.path}: {standing.deliveries} deliveries{since}, {says.size(standing.size)}{each}."
    )
    kept = f"{standing.keep_days} days" if standing.keep_days else "ever"
    say(target, f"{standing.failed} failures are kept whole, for {kept}; counts are kept for ever.")
    if standing.unparsed:
        say(
            target, f"{standing.unparsed} of {standing.lines} lines begin like an outcome and cannot be read."
        )
    if standing.error and standing.error_at:
        say(target, f"Last trouble, {standing.error_at:%Y-%m-%d %H:%M}: {standing.error}")
    if standing.sources:
        heading(target, "Taken in")
        rows = [
            (says.size(each.read).rjust(10), f"{each.at:%Y-%m-%d %H:%M}", str(each.path or "the journal"))
            for each in standing.sources[:_SOURCES]
        ]
        columns(target, rows, head=("read", "last", "log, as it was called then"))
        if (more := len(standing.sources) - _SOURCES) > 0:
            say(target, f"and {more} older ones")


def new(taken: Taken) -> str:
    """What was new, in one line."""
    if not taken:
        return "Nothing new."
    unread = f", {taken.unparsed} that cannot be read" if taken.unparsed else ""
    return f"New: {taken.lines} lines{unread}, {taken.deliveries} deliveries, {taken.failed} of them failed."
