"""The list of changes (worlds/harmful_changes.toml), and how much of it is run."""

from __future__ import annotations

import platform
import random
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

LIST = tomllib.loads((Path(__file__).parents[1] / "worlds" / "harmful_changes.toml").read_text())
# Beside the relay's own: what a mail server of people has.
SUBMISSION = (
    "submission inet n - y - - smtpd\n"
    "  -o syslog_name=postfix/submission -o smtpd_tls_security_level=encrypt\n"
)
DRIVER = (Path(__file__).parent / "candidate_driver.py").read_text()
_SEED = 60


def changes(kind: str, sample: int, mark: pytest.MarkDecorator, typed: bool = False) -> list[Any]:
    """All changes of *kind* as parameters; all but a seeded *sample* carry *mark*. *typed*: `mailmend set` can."""
    listed = [c for c in LIST[kind] if not typed or ("set" in c and not set(c) & {"main", "master", "files"})]
    chosen = {c["id"] for c in random.Random(_SEED).sample(listed, sample)}  # noqa: S311  (no secret)
    return [pytest.param(c, id=c["id"], marks=[] if c["id"] in chosen else [mark]) for c in listed]


PAGE = Path(__file__).parents[2] / "bench/results/harmful-changes.md"
_HEAD = """\
# Changes that would break a mail server, tried before they are made

`pytest --full tests/jobs/test_harmful_changes.py`, {date}, Linux {kernel}, Python {python}.

Each was tried on a running server (`tests/worlds/harmful_changes.toml`); port 25 answered before and after it, its
files, its queue and its processes were left as they were. Seconds are those of the trial, both copies included.

"""


def write(told: Sequence[dict[str, Any]], page: Path = PAGE) -> None:
    """The dated page: what was said of each change, and the seconds it took."""
    kinds = {c["id"]: kind for kind in LIST for c in LIST[kind]}
    head = _HEAD.format(
        date=datetime.now(UTC).date(), kernel=platform.release(), python=platform.python_version()
    )
    slowest = max(each["seconds"] for each in told)
    total = ""
    for kind, wanted in (("harmful", True), ("harmless", False)):
        those = [each for each in told if kinds[each["id"]] == kind]
        right = sum(bool(each["says"]) == wanted for each in those)
        total += f"**{kind}: {right} of {len(those)} {'stopped' if wanted else 'let through'}.** "
    rows = "".join(
        f"| {each['id']} | {each['seconds']:.1f} s | {each['says'].replace('|', chr(92) + '|') or 'goes through'} |\n"
        for each in told
    )
    page.parent.mkdir(exist_ok=True)
    page.write_text(
        f"{head}{total}Slowest: {slowest:.1f} s.\n\n| change | took | said |\n|---|---:|---|\n{rows}", "utf-8"
    )
