"""A lab ends with its driver, however that ends, and leaves nothing: no process, no mount, no namespace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailmend.lab import Lab, open_lab

pytestmark = pytest.mark.lab
DRIVER = """
import sys, time
from mailmend.lab import open_lab
with open_lab() as lab:
    lab.relay.reset()
    lab.relay.start()
    lab.send(count=4)
    print("running", flush=True)
    time.sleep(600)
"""


def keepers() -> set[int]:
    """The processes of all labs on this machine, Postfix's among them, by the namespace of their first."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            outside = (process / "ns/pid").readlink() == Path("/proc/self/ns/pid").readlink()
            if not outside or b"mailmend.lab.keeper" in (process / "cmdline").read_bytes():
                found.add(int(process.name))
        except OSError:
            continue
    return found


def mounts() -> list[str]:
    return Path("/proc/mounts").read_text().splitlines()


def gone(processes: set[int], timeout: float = 5) -> set[int]:
    """Those that still run when the time is over."""
    deadline = time.monotonic() + timeout
    while (left := processes & keepers()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def test_a_driver_that_is_killed_leaves_nothing_behind(lab: Lab) -> None:
    before, mounted = keepers(), mounts()
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() == "running\n"
    started = keepers() - before
    assert len(started) > 8, "the keeper, the relay's first processes and Postfix"
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    assert gone(started) == set()
    assert mounts() == mounted


def test_a_lab_that_is_closed_leaves_nothing_behind(lab: Lab) -> None:
    before, mounted = keepers(), mounts()
    with open_lab() as second:
        second.relay.reset()
        second.relay.start()
        started = keepers() - before
    assert gone(started) == set()
    assert mounts() == mounted


def test_two_labs_do_not_meet(lab: Lab) -> None:
    lab.reset()
    lab.relay.start()
    with open_lab() as second:
        second.reset(main={"inet_protocols": "ipv4"})
        second.relay.start()
        assert {o.family for o in second.outcomes(second.send(count=3)).values()} == {"ipv4"}
    assert lab.receiver.received() == []
    assert '"master"' in lab.relay.listeners_ss()
