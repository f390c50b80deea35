"""Whatever fails while a change is made or taken back, the files are the old pair or the new one, and that is told.

The program is the real one, its calls are real, and so is its death. `campaign.py` says how to try one point again.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.faults import results
from system.faults.campaign import AFTERWARDS, FAULTS
from system.faults.stories import NAIVE, STORIES

_ROOT = Path(__file__).parents[3]
_NOT_HERE = 3
_POWER = ("apply", "try", "roll-back", "confirm", "auto-revert", "undo")


@pytest.fixture(scope="module")
def seed() -> int:
    """Another one for every run; a failure shows it."""
    chosen = random.SystemRandom().randrange(10**6)
    print(f"seed {chosen}")
    return chosen


def hurt(program: str, *arguments: object) -> dict[str, Any]:
    """The report of one campaign; the test is skipped, with the reason, where it cannot be done here."""
    done = subprocess.run(
        [sys.executable, "-m", f"system.faults.{program}", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{_ROOT / 'tests'}:{_ROOT / 'src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == _NOT_HERE:
        pytest.skip(done.stderr.strip())
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def unhurt(report: dict[str, Any], points: int) -> None:
    assert report["bad"] == []
    assert report["points"] >= points


# ---- nothing fails ------------------------------------------------------------------------


def test_a_story_that_nothing_disturbs_ends_as_it_should() -> None:
    report = hurt("campaign", "all", "NONE")
    unhurt(report, len(STORIES))


# ---- the harness finds what is wrong ------------------------------------------------------


@pytest.mark.parametrize("naive", NAIVE)
def test_a_naive_writer_is_found_broken(naive: str) -> None:
    report = hurt("campaign", naive, "KILL")
    wrong = "\n".join(report["bad"])
    assert "the files are mixed" in wrong
    assert "the history says old" in wrong
    assert "Postfix is down" in wrong


def test_a_writer_in_place_leaves_half_a_file() -> None:
    assert any("broken: main.cf" in wrong for wrong in hurt("campaign", "naive", "KILL")["bad"])


def test_a_full_disk_leaves_a_naive_writer_with_half_a_change() -> None:
    assert any("crash" in wrong for wrong in hurt("campaign", "naive", "ENOSPC")["bad"])


def test_a_rename_that_nobody_flushed_is_lost_with_the_power() -> None:
    wrong = hurt("power", "by-rename", 40, 1)["bad"]
    assert any("was told to be in force, and after the power loss" in one for one in wrong)


# ---- a sample, another one every time -----------------------------------------------------


@pytest.mark.slow
def test_hurt_anywhere_it_is_the_old_pair_or_the_new_one(seed: int) -> None:
    unhurt(hurt("campaign", "all", "ANY", 60, seed), 60)


@pytest.mark.parametrize("story", ["apply", "undo"])
def test_killed_again_while_it_recovers(story: str, seed: int) -> None:
    unhurt(hurt("campaign", story, "TWICE", 12, seed), 12)


@pytest.mark.parametrize("story", ["apply", "undo"])
def test_the_power_goes(story: str, seed: int) -> None:
    unhurt(hurt("power", story, 12, seed), 12)


# ---- more of it ---------------------------------------------------------------------------


@pytest.mark.slow
def test_hurt_at_some_hundred_points(seed: int) -> None:
    unhurt(hurt("campaign", "all", "ANY", 600, seed), 600)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_killed_again_at_more_points_of_its_recovery(story: str, seed: int) -> None:
    unhurt(hurt("campaign", story, "TWICE", 30, seed), 30)


@pytest.mark.slow
@pytest.mark.parametrize("story", _POWER)
def test_the_power_goes_at_more_points(story: str, seed: int) -> None:
    unhurt(hurt("power", story, 40, seed), 40)


# ---- all of it, kept below bench/results --------------------------------------------------


@pytest.fixture(scope="module")
def page() -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The reports of a full run: written down when the last one is there."""
    kept: dict[str, list[dict[str, Any]]] = {"reports": [], "controls": []}
    yield kept
    if kept["reports"] and kept["controls"]:
        results.write(kept["reports"], kept["controls"])


@pytest.mark.full
@pytest.mark.parametrize("fault", [*FAULTS, *AFTERWARDS])
@pytest.mark.parametrize("story", STORIES)
def test_every_point(story: str, fault: str, page: dict[str, list[dict[str, Any]]]) -> None:
    report = hurt("campaign", story, fault)
    page["reports"].append(report)
    unhurt(report, 20)


@pytest.mark.full
@pytest.mark.parametrize("story", STORIES)
def test_a_thousand_double_faults(story: str, page: dict[str, list[dict[str, Any]]]) -> None:
    report = hurt("campaign", story, "TWICE", 1000)
    page["reports"].append(report)
    unhurt(report, 1000)


@pytest.mark.full
@pytest.mark.parametrize("story", _POWER)
def test_the_power_goes_at_every_change(story: str, page: dict[str, list[dict[str, Any]]]) -> None:
    report = hurt("power", story)
    page["reports"].append(report)
    unhurt(report, 60)


@pytest.mark.full
@pytest.mark.parametrize("naive", NAIVE)
def test_every_point_of_a_naive_writer(naive: str, page: dict[str, list[dict[str, Any]]]) -> None:
    for report in (hurt("campaign", naive, "KILL"), hurt("power", naive)):
        page["controls"].append(report)
        assert report["bad"]
