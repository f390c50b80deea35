"""Reports of campaigns -> the dated page below bench/results."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "bench/results/faults.md"

_HEAD = """\
# The transaction, killed and hurt at every file-system call

`{command}`, {date}, Linux {kernel}, Python {python}.

A point is one call of one story (a change applied, refused, undone, confirmed, reverted, recovered) at which the
program was killed, or the call failed once with that error, or failed from then on (`+`: a disk that stays full or
read-only), or the power went. Then the next command recovered, twice. Wrong would be: a file that is neither old
nor new, a mixed pair, lost owner, mode, attribute or link, a history that says something else, Postfix on other
files than those, anything left beside them, a result told that is not so, a second recovery that still does
something, a recovery over 2 s. `of` is how many points there are; where that is more, a sample of them was tried.

"""
_CONTROLS = """
The negative controls, which write files over or rename them without flushing, in the same harness; these must be
found wrong:

"""
_COLUMNS = "| story | fault | points | of | wrong | slowest recovery |\n|---|---|---:|---:|---:|---:|\n"


def write(
    reports: Iterable[Mapping[str, Any]],
    controls: Iterable[Mapping[str, Any]],
    command: str = "pytest --full tests/system/faults",
    page: Path = PAGE,
) -> None:
    """*reports* are those of the real program, *controls* of the naive ones; *command* gives them again."""
    reports = list(reports)
    points = sum(report["points"] for report in reports)
    bad = sum(report["wrong"] for report in reports)
    slowest = max(report["slowest"] for report in reports)
    head = _HEAD.format(
        command=command,
        date=datetime.now(UTC).date(),
        kernel=platform.release(),
        python=platform.python_version(),
    )
    total = f"**{points} points, {bad} wrong, slowest recovery {slowest:.2f} s.**\n\n"
    page.parent.mkdir(exist_ok=True)
    page.write_text(
        head + total + _COLUMNS + _rows(reports) + _CONTROLS + _COLUMNS + _rows(controls), encoding="utf-8"
    )


def _rows(reports: Iterable[Mapping[str, Any]]) -> str:
    return "".join(
        f"| {r['story']} | {r['fault']} | {r['points']} | {r['of'] or 'pairs'} | {r['wrong']} |"
        f" {r['slowest']:.2f} s |\n"
        for r in reports
    )
