"""The screen of bench explain: the shares, and what was taken for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.terminal import columns, heading, say

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.bench import Measure, Ratio

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
