"""How fast logs are read, beside pflogsumm, a plain Python loop and a count of lines: the table of results/log.md.

    python bench/log.py FILE...

Each FILE is measured in one run. Factors are by processor time, then by the clock; a busy machine makes the latter
worthless. Those of the peers that are not in PATH are left out.
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from mailmend.jobs import bench_log
from mailmend.jobs.bench_log import Run


def rows(size: int, runs: tuple[Run, ...]) -> list[str]:
    """The table of one log, in Markdown."""
    peers = bench_log.peers(runs)
    head = ["", "CPU s", "wall s", "MB", "CPU s/GB", *(f"x {peer.name}" for peer in peers)]
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for run in runs:
        if run.error:
            continue
        factors = (
            f"{peer.cpu / max(run.cpu, 0.01):.3g} / {peer.wall / max(run.wall, 0.01):.3g}" for peer in peers
        )
        figures = (f"{run.cpu:.2f}", f"{run.wall:.2f}", str(run.memory), f"{run.cpu * 1e9 / size:.1f}")
        out.append("| " + " | ".join((run.name, *figures, *factors)) + " |")
    return out


def main() -> None:
    for name in sys.argv[1:]:
        before = os.getloadavg()[0]
        size, runs = bench_log.log(Path(name), lambda _: None)
        counted = ", ".join(str(each) for each in sorted({run.outcomes for run in runs if run.outcomes}))
        print(
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()}, {os.cpu_count()} processors, "
            f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after; {size / 1e6:.0f} MB, outcomes counted: "
            f"{counted}.\n"
        )
        print("\n".join(rows(size, runs)), end="\n\n")


if __name__ == "__main__":
    main()
