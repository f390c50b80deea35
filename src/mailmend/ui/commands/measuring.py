"""bench: a file of labelled refusals -> how often explain is right."""

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
