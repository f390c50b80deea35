"""What an input costs that was made to cost: milliseconds of CPU, and how much more twice as much takes.

    python bench/hostile.py

The inputs are those of tests/parse/hostile.py. What is promised is 50 ms for a message, of which 1 MB is read, and for
a text, of which 32 KB are, wherever in its first 1 MB they stand. Logs, queues and JSON Lines are read line by line,
each at a cost of some 30 microseconds, 8 KB of it at most: 1 MB takes as long as it has lines. All of it takes at most
2.2 times as long for twice the size.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from mailmend.model import ParseError
from mailmend.parse import paste

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from parse import hostile

TRIES = 5


def cost(data: bytes) -> float:
    """The least CPU time of some tries, in milliseconds."""
    least = float("inf")
    for _ in range(TRIES):
        begun = time.process_time()
        with suppress(ParseError):  # a refusal is an answer, too
            paste.deliveries(data)
        least = min(least, time.process_time() - begun)
    return least * 1000


def main() -> None:
    prose = paste.LARGEST_PROSE - 1
    kinds = (
        ("message", hostile.MESSAGES, hostile.MEGABYTE, 500_000),
        ("text", hostile.TEXTS, prose, prose // 2),
        ("long text", hostile.TEXTS, hostile.MEGABYTE, 500_000),
        ("log", hostile.LOGS, hostile.MEGABYTE, 250_000),
    )
    print(f"{'kind':9}{'made of':28}{'ms':>8}{'twice':>8}")
    for kind, made_of, size, half in kinds:
        for name, made in made_of.items():
            once, twice = cost(made(half)), cost(made(2 * half))
            ratio = f"{twice / once:.1f} x" if once > 2 else "-"
            print(f"{kind:9}{name:28}{cost(made(size)):>8.1f}{ratio:>8}")


if __name__ == "__main__":
    main()
