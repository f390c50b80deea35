"""How long mailmend takes to start, against the plainest Python can do: wall and CPU time, medians, ratios.

    python bench/startup.py [RUNS]

Prints one line for each command. Bounds (this repository's promise, on the machine the tests run on):
`mailmend --help` 150 ms, `mailmend explain FILE` 300 ms. Exit status 1 where a median is above its bound.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BOUNCE = str(ROOT / "bench" / "bounce.eml")
# name -> (arguments, bound in seconds)
COMMANDS: dict[str, tuple[list[str], float | None]] = {
    "python -c pass": ([PYTHON, "-c", "pass"], None),
    "python -m json.tool --help": ([PYTHON, "-m", "json.tool", "--help"], None),
    "mailmend --help": ([PYTHON, "-m", "mailmend", "--help"], 0.150),
    "mailmend explain FILE": ([PYTHON, "-m", "mailmend", "explain", BOUNCE], 0.300),
    "mailmend --json explain FILE": ([PYTHON, "-m", "mailmend", "--json", "explain", BOUNCE], 0.300),
}


def once(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one run, start to end, its children's CPU included."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return wall, used.ru_utime + used.ru_stime


def main() -> int:
    """Run the commands in turn, so that whatever else the machine does falls on all of them alike."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(runs + 1):
        for name, (command, _bound) in COMMANDS.items():
            times[name].append(once(command))
    medians = {
        name: tuple(statistics.median(run[i] for run in seen[1:]) for i in (0, 1))
        for name, seen in times.items()
    }
    bare, tool = medians["python -c pass"], medians["python -m json.tool --help"]
    late = 0
    print(f"{'command':30} {'wall':>8} {'CPU':>8} {'/ pass':>8} {'/ json.tool':>12}  ({runs} runs)")
    for name, (wall, cpu) in medians.items():
        bound = COMMANDS[name][1]
        over = bound is not None and wall > bound
        late += over
        verdict = f"  over {bound * 1000:.0f} ms" if over and bound else ""
        times_of = f"{wall * 1000:5.0f} ms {cpu * 1000:5.0f} ms"
        print(f"{name:30} {times_of} {wall / bare[0]:8.1f} {wall / tool[0]:12.1f}{verdict}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
