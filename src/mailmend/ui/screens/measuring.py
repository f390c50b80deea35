"""The screens of bench: the shares, and what was taken for what; how fast a log is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailmend.ui.terminal import columns, heading, say

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.bench import Measure, Ratio
    from mailmend.jobs.bench_log import Run

_MEANINGS = {
    "coverage": "a cause is given",
    "fine": "it is the labelled one",
    "acceptable": "or it is among those that an ambiguous reply may mean",
    "coarse": "its class is the labelled one's",
    "who": "the first who is asked to act is one of those who must",
    "receiver": "who refused is the labelled one",
}


def explained(target: Console, measure: Measure) -> None:
    """Shares in percent; confusions with the labelled cause first."""
    skipped = f"; {measure.skipped} without a label were left out" if measure.skipped else ""
    speed = f"{measure.rows / measure.seconds:.0f} a second" if measure.seconds else "in no time"
    say(target, f"{measure.rows} labelled refusals, {speed}{skipped}.")
    target.print()
    rows = []
    for name, meaning in _MEANINGS.items():
        ratio: Ratio = getattr(measure, name)
        if ratio.share is not None:
            counts = f"{ratio.right}/{ratio.total}"
            rows.append((name, f"{100 * ratio.share:5.1f} %", counts.rjust(9), meaning))
    if measure.macro_f1 is not None:
        rows.append(
            ("macro-F1", f"{measure.macro_f1:7.3f}", " " * 9, "of the causes, each weighing the same")
        )
    columns(target, rows)
    if measure.confusion:
        heading(target, "What was taken for what")
        columns(
            target,
            [(str(count).rjust(5), label, given) for label, given, count in measure.confusion],
            head=("count", "labelled", "given"),
        )


def read(target: Console, size: int, runs: Sequence[Run]) -> None:
    """Seconds, MB a second of processor time, and how many times as fast as pflogsumm, or else the plain loop."""
    done = {run.name: run for run in runs if run.error is None}
    peer = done.get("pflogsumm") or done["a plain Python loop"]
    say(target, f"{size / 1e6:.0f} MB; how many times as fast as {peer.name}, all in one run.")
    target.print()
    rows: list[tuple[str, ...]] = []
    for run in runs:
        if run.error:
            rows.append((run.name, "", "", "", "", run.error))
            continue
        times = f"{peer.cpu / max(run.cpu, 0.001):.1f} x", f"{peer.wall / max(run.wall, 0.001):.1f} x"
        counted = f"{run.outcomes} outcomes" if run.outcomes is not None else ""
        rows.append(
            (run.name, f"{run.cpu:7.2f}", f"{run.wall:7.2f}", *(each.rjust(8) for each in times), counted)
        )
    columns(target, rows, head=("", "cpu s", "wall s", "by cpu", "by wall", "counted"))
