"""trace: one message's whole life, from the log; with --follow as it happens."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailmend.parse import when
from mailmend.ui.ending import EXIT_PROBLEMS, Outcome, write
from mailmend.ui.progress import bar

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here
    from mailmend.jobs.trace_live import Seen


def trace(text: str, files: Sequence[str], since: str | None, here: Here) -> Outcome:
    """0 where anything was found, 1 where nothing was."""
    from mailmend.jobs.trace import trace as job
    from mailmend.ui.show import traces

    with bar("searching, MB") as advance:
        told = job(text, here, files, _since(since), advance)
    found = bool(told.asked_for or told.rejected)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import tracing

        (tracing.traced if found else tracing.nothing)(target, told)

    return Outcome(0 if found else EXIT_PROBLEMS, traces.trace(told), screen)


def follow(text: str, files: Sequence[str], since: str | None, here: Here, *, as_json: bool) -> int:
    """Each event as it happens, on stdout, until all is removed or somebody presses Ctrl-C; the exit status."""
    from mailmend.jobs.trace_live import live

    put = _line if as_json else _drawn()
    found = False
    try:
        for seen in live(text, here, files, _since(since)):
            found = True
            put(seen)
            sys.stdout.flush()
    except KeyboardInterrupt:  # the usual way to end it
        pass
    return 0 if found else EXIT_PROBLEMS


def _line(seen: Seen) -> None:
    from mailmend.ui.show import traces

    write(json.dumps(traces.followed(seen), ensure_ascii=True) + "\n")


def _drawn() -> Callable[[Seen], None]:
    from mailmend.ui.screens import tracing
    from mailmend.ui.terminal import drawn

    return lambda seen: write(drawn(lambda target: tracing.followed(target, seen)))


def _since(text: str | None) -> datetime | None:
    return when.since(text, datetime.now(UTC).astimezone()) if text is not None else None
