"""Where the journal is the log, each line is in the store once; and the unit that follows needs no more rights."""

from __future__ import annotations

import json
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailmend.model import CannotLook
from mailmend.system.store import unit
from system.hosts import roots
from system.hosts.machine import SOURCE, Machine, booted

pytestmark = pytest.mark.full
STORE = "/var/lib/mailmend/deliveries/deliveries.sqlite"
# The machine's own, which its users may run: what runs these tests may lie where only root reads.
PYTHON = ("/usr/bin/python3", "-P", "-m", "mailmend")
PATHS = f"PYTHONPATH={SOURCE / 'src'}:{sysconfig.get_path('purelib')}"


@pytest.fixture(params=roots.SUITES, ids=roots.SUITES.get)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A fresh machine without a syslog daemon."""
    try:
        with booted(request.param, tmp_path) as running:
            yield running
    except CannotLook as reason:
        if request.config.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))


def log(machine: Machine, first: int, count: int) -> None:
    """What Postfix's smtp says of so many bounces, through the same socket."""
    lines = [
        f"4ABCDE{number:04}: to=<u{number}@example.org>, relay=mx.example.org[192.0.2.7]:25, delay=1, "
        "delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.example.org[192.0.2.7] said: 550 5.1.1 no such user)"
        for number in range(first, first + count)
    ]
    done = machine.enter(
        "logger",
        "--priority=mail.info",
        "--tag=postfix/smtp",
        "--id=77",
        text="".join(f"{x}\n" for x in lines),
    )
    assert done.returncode == 0, done.stderr
    machine.enter("journalctl", "--sync")


def journal(machine: Machine, *options: str) -> None:
    done = machine.enter("journalctl", *options)
    assert done.returncode == 0, done.stderr


def taken(machine: Machine) -> dict[str, Any]:
    done = machine.mailmend("--json", "ingest")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)["taken"]
    return told


def standing(machine: Machine) -> dict[str, Any]:
    done = machine.mailmend("--json", "ingest", "--status")
    return json.loads(done.stdout)["store"] if done.returncode == 0 else {}


def until(true: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not (seen := true()) and time.monotonic() < end:
        time.sleep(0.3)
    return seen


def test_each_line_once_while_the_journal_is_rotated_and_thinned_out(machine: Machine) -> None:
    log(machine, 0, 30)
    assert taken(machine)["failed"] == 30
    assert taken(machine)["lines"] == 0
    log(machine, 30, 20)
    journal(machine, "--rotate")
    log(machine, 50, 10)
    assert taken(machine)["failed"] == 30
    # What the cursor names is thrown away; what came after it is there.
    journal(machine, "--rotate")
    journal(machine, "--vacuum-time=1us")
    log(machine, 60, 5)
    assert taken(machine)["failed"] == 5
    assert taken(machine)["lines"] == 0
    assert (standing(machine)["failed"], standing(machine)["unparsed"]) == (65, 0)


def test_who_sent_what_failed_is_read_back_by_whoever_reads_on(machine: Machine) -> None:
    """The queue manager told it before the last that was taken in, and whoever took that in is gone."""
    told = machine.enter(
        "logger",
        "--priority=mail.info",
        "--tag=postfix/qmgr",
        "--id=76",
        text="4ABCDE0001: from=<ann@example.com>, size=900, nrcpt=1 (queue active)\n",
    )
    assert told.returncode == 0, told.stderr
    machine.enter("journalctl", "--sync")
    assert taken(machine)["lines"]
    log(machine, 1, 1)
    assert taken(machine)["failed"] == 1
    asked = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('select sender from failed'))"
    assert machine.enter("/usr/bin/python3", "-c", asked, STORE).stdout == "('ann',)\n"


def test_the_unit_follows_as_a_user_in_group_adm(machine: Machine) -> None:
    made = machine.enter("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", unit.USER)
    assert made.returncode == 0, made.stderr
    can = machine.enter("runuser", "-u", unit.USER, "--", "env", PATHS, *PYTHON, "--version", timeout=30)
    if can.returncode:
        pytest.skip("what is tested lies where only root reads")
    machine.write(f"/etc/systemd/system/{unit.NAME}", unit.text((*PYTHON, "ingest", "--follow")))
    machine.enter("mkdir", f"/etc/systemd/system/{unit.NAME}.d")
    machine.write(
        f"/etc/systemd/system/{unit.NAME}.d/here.conf", f"[Service]\nEnvironment={PATHS}\nRestartSec=1\n"
    )
    machine.enter("systemctl", "daemon-reload")
    log(machine, 0, 20)
    started = machine.enter("systemctl", "enable", "--now", unit.NAME)
    assert started.returncode == 0, started.stderr
    said = lambda: machine.enter("journalctl", "-u", unit.NAME, "--no-pager").stdout  # noqa: E731
    assert until(lambda: standing(machine).get("failed") == 20), said()
    rights = machine.enter("stat", "-c", "%a %U %G", STORE).stdout.split()
    assert rights == ["640", unit.USER, "adm"]

    machine.enter("systemctl", "kill", "--signal=KILL", unit.NAME)
    log(machine, 20, 20)
    assert until(lambda: standing(machine).get("failed") == 40), said()
    machine.power_off()
    machine.boot()
    log(machine, 40, 2)
    # /run's journal ended with the machine, and the cursor names what nobody has any more.
    assert until(lambda: standing(machine).get("failed") == 42), said()
    assert machine.enter("systemctl", "is-active", unit.NAME).stdout.strip() == "active"
