"""A hold on booted machines ends in time: by a process outside every session, and by a unit after a boot."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailmend.model import CannotLook
from system.hosts import roots
from system.hosts.machine import Machine, booted

pytestmark = pytest.mark.full
MAIN = "/etc/postfix/main.cf"
UNIT = "/etc/systemd/system/mailmend-hold.service"


@pytest.fixture(params=roots.SUITES, ids=roots.SUITES.get)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    try:
        with booted(request.param, tmp_path) as running:
            yield running
    except CannotLook as reason:
        if request.config.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))


def held(machine: Machine, *arguments: str) -> dict[str, Any]:
    done = machine.mailmend("--json", "hold", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def gone(machine: Machine, seconds: float) -> None:
    """Returns once the filter is no more; fails where it is there for longer than *seconds*."""
    deadline = time.monotonic() + seconds
    while "held_refusals" in machine.read(MAIN):
        assert time.monotonic() < deadline, "the hold is still in force"
        time.sleep(0.1)


def left(told: dict[str, Any]) -> float:
    return (datetime.fromisoformat(told["until"]) - datetime.now(UTC)).total_seconds()


def test_it_ends_in_time_though_the_session_that_made_it_is_gone(machine: Machine) -> None:
    before = machine.read(MAIN)
    on = held(machine, "on", "--yes", "--for", "20s")
    watching = machine.run("systemctl", "list-units", "--plain", "--no-legend", "mailmend-hold-*").stdout
    assert "running" in watching
    assert machine.run("systemctl", "is-enabled", "mailmend-hold.service").stdout.strip() == "enabled"
    gone(machine, max(left(on), 0) + 5)
    assert machine.read(MAIN) == before
    assert "its time was over" in held(machine)["ended"]
    assert machine.run("test", "-e", UNIT).returncode != 0


def test_over_a_reboot_it_is_watched_again_and_ends(machine: Machine) -> None:
    before = machine.read(MAIN)
    on = held(machine, "on", "--yes", "--for", "60s")
    machine.power_cut()
    machine.boot()
    assert machine.run("systemctl", "is-active", "mailmend-hold.service").stdout.strip() == "active"
    assert held(machine)["in_force"]
    gone(machine, max(left(on), 0) + 5)
    assert machine.read(MAIN) == before
    assert machine.master()
