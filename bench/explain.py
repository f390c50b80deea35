"""How many distinct bare replies mailmend reads and explains in a second of one core's time.

    python bench/explain.py [HOW_MANY]

The replies are the examples of all rules, each made unlike every other by a word at its end, so that nothing
remembered helps. `read` turns text into deliveries, `explain` says why and who must act. Bound: `explain`
20,000 a second. Exit status 1 below it. How often it is right, `mailmend bench explain FILE` says.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from mailmend import catalogue
from mailmend.parse import paste
from mailmend.road.explain import explain

BOUND = 20_000
ROUNDS = 3


def replies(count: int) -> list[str]:
    """Distinct replies that begin with a code, in an order that is the same every time."""
    chance = random.Random(20)  # noqa: S311
    examples = [
        example
        for receiver in catalogue.load().receivers
        for rule in receiver.rules
        for example in rule.examples
        if example[:3].isdigit()
    ]
    return [f"{chance.choice(examples)} {chance.randrange(16**10):010x}" for _ in range(count)]


def best(work: Callable[[], Any]) -> float:
    """The least CPU seconds of some rounds: what else the machine does only ever adds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def main() -> int:
    """Print one line for each stage."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    known = catalogue.load()
    texts = [text.encode() for text in replies(count)]
    deliveries = [each for text in texts for each in paste.deliveries(text)]
    rules = sum(len(receiver.rules) for receiver in known.receivers)
    print(f"{count} distinct replies, {rules} rules of {len(known.receivers)} files")
    read = count / best(lambda: [paste.deliveries(text) for text in texts])
    told = len(deliveries) / best(lambda: explain(deliveries, known))
    whole = count / best(lambda: explain([d for text in texts for d in paste.deliveries(text)], known))
    for name, rate in (("read", read), ("explain", told), ("both", whole)):
        print(f"{name:10} {rate:9.0f} a second")
    return 0 if told >= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
