"""A log that only root may read -> its report, as JSON for who may not: counts, names and replies, no line of it."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mailmend.model import CannotLook
from mailmend.ui.show import Shape
from mailmend.ui.show import document as told_as

if TYPE_CHECKING:
    from mailmend.jobs.here import Here, Progress
    from mailmend.jobs.report import Told

_SAYS = 0.5  # seconds between two steps that are told
_MB = 1_000_000


def count(here: Here, days: int, progress: Progress) -> Told:
    """The last *days* of this host's log, or of the delivery store where that knows as much. It gives way to others.

    CannotLook, ParseError as `jobs.report.report` has them.
    """
    from mailmend.jobs.report import report

    os.nice(10)
    said = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal said
        if total and time.monotonic() - said >= _SAYS:
            said = time.monotonic()
            progress(f"{done / _MB:,.0f} of {total / _MB:,.0f} MB of the log are read")

    since = datetime.now(UTC) - timedelta(days=days)
    return report(lambda: here, (), since=since, stored=None, progress=tell)


def document(told: Told) -> Shape:
    """counted/1: *told* field by field."""
    return told_as("counted", {"told": msgspec.to_builtins(told, enc_hook=str)})


def read(document: Shape) -> Told:
    """*document* as the helper has it -> what was told. CannotLook where it is no such thing."""
    from mailmend.jobs.report import Told

    try:
        return msgspec.convert(document.get("told"), Told, dec_hook=_made)
    except msgspec.ValidationError as failure:
        raise CannotLook(
            f"the helper does not tell a report: {failure}", "systemctl restart mailmend-helper"
        ) from None


def _made(kind: type, text: Any) -> Any:
    if kind is Path:
        return Path(text)
    raise msgspec.ValidationError(f"{kind} is nothing that a report has")
