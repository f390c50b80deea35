"""What all tests share: the lab, and how much of a long list is run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailmend.lab import Lab, open_lab
from mailmend.model import CannotLook


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also what is marked slow")
    parser.addoption("--require-lab", action="store_true", help="a lab that does not open is a failure")
    parser.addoption("--full", action="store_true", help="every point of every list (slow ones too)")
    parser.addoption("--pictures", metavar="FOLDER", help="where the console's pictures go, to be looked at")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    full = bool(config.getoption("--full"))
    wanted = {"slow": full or bool(config.getoption("--slow")), "full": full}
    for item in items:
        for mark, run in wanted.items():
            if not run and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=f"marked {mark}: run with --{mark}"))


def _host() -> dict[str, tuple[int, int, int]]:
    """The host's programs and its mail configuration, by size, inode and time of change."""
    folders = ("/usr/bin", "/usr/sbin", "/etc", "/etc/postfix", "/etc/default", "/etc/systemd/system")
    entries = (entry for folder in folders if Path(folder).is_dir() for entry in os.scandir(folder))
    stats = ((entry.path, entry.stat(follow_symlinks=False)) for entry in entries)
    return {
        path: (seen.st_size, seen.st_ino, seen.st_mtime_ns) for path, seen in stats if path not in _ITS_OWN
    }


# What a running machine changes by itself.
_ITS_OWN = {"/etc/mtab", "/etc/resolv.conf", "/etc/ld.so.cache", "/etc/.pwd.lock"}


@pytest.fixture(scope="session", autouse=True)
def host_is_left_alone() -> Iterator[None]:
    """No test writes to the machine it runs on, not even through a link."""
    before = _host()
    yield
    after = _host()
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    assert not changed, f"the tests changed this machine: {changed}"


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """One private network for the whole run. Each story begins with lab.reset() or lab.relay.reset()."""
    try:
        opening = open_lab(lambda step: print(f"lab: {step}", file=sys.stderr))
        running = opening.__enter__()
    except CannotLook as reason:
        if pytestconfig.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))
    yield running
    opening.__exit__(None, None, None)
