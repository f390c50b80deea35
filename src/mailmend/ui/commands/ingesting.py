"""ingest: the log into the delivery store, once or as it is written."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.ui.encode import printable
from mailmend.ui.ending import Outcome, write
from mailmend.ui.progress import bar

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here
    from mailmend.jobs.ingest import Taken


def ingest(files: Sequence[str], here: Here, keep: int | None, processes: int) -> Outcome:
    """0, whatever was new. *processes* as in the job. CannotLook, Refused as the job has them."""
    from mailmend.jobs import ingest as job
    from mailmend.ui.show import stores

    with bar("taking in, bytes") as advance:
        taken = job.ingest(
            [Path(name) for name in files], here, keep=keep, processes=processes, progress=advance
        )
    for error in taken.errors:
        _trouble(error)
    standing = job.standing(here)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import ingesting

        ingesting.ingested(target, taken, standing)

    return Outcome(0, stores.ingested(taken, standing), screen)


def status(here: Here) -> Outcome:
    """What the store holds; nothing is taken in."""
    from mailmend.jobs import ingest as job
    from mailmend.ui.show import stores

    standing = job.standing(here)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import ingesting

        ingesting.ingested(target, None, standing)

    return Outcome(0, stores.ingested(None, standing), screen)


def follow(files: Sequence[str], here: Here, keep: int | None, *, as_json: bool) -> int:
    """Until SIGTERM or Ctrl-C, which end it between two transactions; the exit status."""
    from mailmend.jobs import ingest as job
    from mailmend.ui.show import stores

    ended = False

    def end(_signal: int, _frame: object) -> None:
        nonlocal ended
        ended = True

    def told(taken: Taken) -> None:
        if as_json:
            write(json.dumps(stores.followed(taken), ensure_ascii=True) + "\n")

    before = [(number, signal.signal(number, end)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        job.follow(
            [Path(name) for name in files],
            here,
            keep=keep,
            told=told,
            trouble=_trouble,
            stopped=lambda: ended,
        )
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    return 0


def unit(here: Here) -> Outcome:
    """The unit's text, to be installed by the operator; in JSON under `unit`."""
    from mailmend.system.store import unit as kept

    argv = [sys.executable, "-P", "-m", "mailmend"]
    argv += ["--config-directory", here.config_directory] if here.config_directory else []
    text = kept.text([*argv, "ingest", "--follow"])

    def screen(target: Console) -> None:
        target.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    return Outcome(0, {"schema": "mailmend.ingest/1", "unit": text}, screen)


def at(here: Here, state: str | None) -> Here:
    """*here* with its state kept in *state*."""
    return replace(here, state=Path(state)) if state else here


def _trouble(says: str) -> None:
    sys.stderr.write(f"mailmend: {printable(' '.join(says.split()))}\n")
    sys.stderr.flush()
