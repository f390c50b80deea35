"""What all tests share: the lab, and how much of a long list is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from mailmend.lab import Lab, open_lab
from mailmend.model import CannotLook


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also what is marked slow")
    parser.addoption("--full", action="store_true", help="every point of every list (slow ones too)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    full = bool(config.getoption("--full"))
    wanted = {"slow": full or bool(config.getoption("--slow")), "full": full}
    for item in items:
        for mark, run in wanted.items():
            if not run and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=f"marked {mark}: run with --{mark}"))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One private network for the whole run. Each story begins with lab.reset() or lab.relay.reset()."""
    try:
        opening = open_lab(lambda step: print(f"lab: {step}", file=sys.stderr))
        running = opening.__enter__()
    except CannotLook as reason:
        pytest.skip(str(reason))
    yield running
    opening.__exit__(None, None, None)
