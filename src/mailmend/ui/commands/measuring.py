"""bench: a file of labelled refusals -> how often explain is right; a log -> how fast it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui import show
from mailmend.ui.ending import Outcome
from mailmend.ui.given import given
from mailmend.ui.progress import bar

if TYPE_CHECKING:
    from rich.console import Console


def explain(file: str) -> Outcome:
    """Measure explain on *file* (`-`: standard input)."""
    from mailmend.jobs import bench

    data = given(file)
    with bar("explaining") as step:
        measure = bench.explain("standard input" if file == "-" else file, data, step)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import measuring

        measuring.explained(target, measure)

    return Outcome(0, show.measured(measure), screen)


def log(file: str) -> Outcome:
    """Measure reading the log *file* beside pflogsumm, a plain loop and a search, where they are installed."""
    from pathlib import Path

    from mailmend.jobs import bench_log
    from mailmend.ui.progress import progress

    with progress() as step:
        size, runs = bench_log.log(Path(file), step)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import measuring

        measuring.read(target, size, runs)

    return Outcome(0, show.document("bench-log", {"bytes": size, "runs": show.value(runs)}), screen)
