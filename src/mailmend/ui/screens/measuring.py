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
    """Seconds, memory, and by which factor each is faster than the peers, by processor time and on the wall."""
    from mailmend.jobs import bench_log

    peers = bench_log.peers(runs)
    say(target, f"{size / 1e6:.0f} MB, all in one run. Factors are by processor time / by the clock.")
    target.print()
    rows: list[tuple[str, ...]] = []
    for run in runs:
        if run.error:
            rows.append((run.name, *("" for _ in range(3)), *("" for _ in peers), run.error))
            continue
        factors = (
            f"{peer.cpu / max(run.cpu, 0.001):.3g} / {peer.wall / max(run.wall, 0.001):.3g}" for peer in peers
        )
        figures = f"{run.cpu:7.2f}", f"{run.wall:7.2f}", f"{run.memory:5}"
        rows.append((run.name, *figures, *(factor.rjust(11) for factor in factors), ""))
    columns(target, rows, head=("", "cpu s", "wall s", "MB", *(f"x {_short(peer)}" for peer in peers), ""))
    counted = {run.outcomes for run in runs if run.outcomes is not None}
    target.print()
    say(target, f"Outcomes counted: {', '.join(map(str, sorted(counted)))}.")


def _short(peer: Run) -> str:
    return peer.name.removeprefix("a plain Python ")
