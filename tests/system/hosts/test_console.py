"""Where systemd runs, the console's helper is asked through its socket unit, hardened, and still restarts Postfix."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from mailmend.model import CannotLook
from mailmend.ui.helper import units
from system.hosts import roots
from system.hosts.machine import MAILMEND, Machine, booted

pytestmark = pytest.mark.full
MAIN = "/etc/postfix/main.cf"
# What runs these tests may lie where only root reads: it is loaded before the rights go.
AS_PAGE = dedent(
    f"""
    import json, os, pwd, sys
    from mailmend.model import MailmendError
    from mailmend.ui.helper import client, verbs
    page = pwd.getpwnam("{units.USER}")
    root = client.connect()
    code = root.login_code()
    os.setgroups([]), os.setgid(page.pw_gid), os.setuid(page.pw_uid)
    helper = client.connect()
    grant = helper.begin_session(code, "::1")
    """
)


@pytest.fixture(params=roots.SUITES, ids=roots.SUITES.get)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A fresh machine with the helper's units."""
    try:
        with booted(request.param, tmp_path) as running:
            made = running.enter("useradd", "--system", "--shell", "/usr/sbin/nologin", units.USER)
            assert made.returncode == 0, made.stderr
            texts = units.texts(MAILMEND)
            for name in (units.SOCKET, units.SERVICE):
                running.write(f"/etc/systemd/system/{name}", texts[name])
            running.enter("systemctl", "daemon-reload")
            started = running.enter("systemctl", "enable", "--now", units.SOCKET)
            assert started.returncode == 0, started.stderr
            yield running
    except CannotLook as reason:
        if request.config.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))


def page(machine: Machine, story: str) -> Any:
    done = machine.run(sys.executable, "-P", "-c", AS_PAGE + dedent(story))
    journal = machine.enter("journalctl", "-u", units.SERVICE, "--no-pager").stdout
    assert done.returncode == 0, done.stderr + journal
    return json.loads(done.stdout)


def test_a_change_is_applied_proven_and_taken_back_through_the_socket(machine: Machine) -> None:
    before = machine.read(MAIN)
    assert machine.enter("systemctl", "is-active", units.SERVICE).stdout.strip() == "inactive"
    mode = machine.enter("stat", "-c", "%a %U %G", "/run/mailmend/helper.sock").stdout.split()
    assert mode == ["660", "root", units.USER]
    state, holds, identical = page(
        machine,
        """
        shown = helper.propose_set(grant, {"inet_protocols": "ipv4"})
        done = helper.apply(grant, shown["digest"])
        helper.confirm(grant, done["change"]["id"])
        back = helper.propose_undo(grant, done["change"]["id"])
        undone = helper.undo(grant, back["digest"])
        print(json.dumps([done["state"], done["proof"]["holds"], undone["identical"]]))
        """,
    )
    assert (state, holds, identical) == ("trial", True, True)
    assert machine.read(MAIN) == before
    assert machine.unit_of(machine.master()) != units.SERVICE


def test_a_password_is_held_against_pam_within_the_bounds_of_the_unit(machine: Machine) -> None:
    machine.enter("groupadd", "postmasters")
    machine.enter("useradd", "--groups", "postmasters", "anna")
    told = machine.enter("sh", "-c", "echo 'anna:Blaue Möwe 7' | chpasswd")
    assert told.returncode == 0, told.stderr
    texts = units.texts(MAILMEND, group="postmasters")
    machine.write(f"/etc/systemd/system/{units.SERVICE}", texts[units.SERVICE])
    machine.enter("systemctl", "daemon-reload")
    answers = page(
        machine,
        """
        answers = []
        for password in ("wrong", "Blaue Möwe 7"):
            try:
                answers.append(len(helper.begin_session_as("anna", password, "::1")))
            except MailmendError as refused:
                answers.append(refused.reason)
        print(json.dumps(answers))
        """,
    )
    assert answers == ["that name and password do not open this console", 43]


def test_the_helper_is_stopped_and_the_change_goes_on(machine: Machine) -> None:
    page(
        machine,
        """
        import threading
        shown = helper.propose_set(grant, {"inet_protocols": "ipv4"})
        begun = threading.Event()
        def heard(line):
            if line.says.startswith("making sure"):
                begun.set()
        threading.Thread(target=lambda: helper.apply(grant, shown["digest"], heard), daemon=True).start()
        assert begun.wait(60)
        print("true", flush=True)
        os._exit(0)
        """,
    )
    machine.enter("systemctl", "stop", units.SERVICE)
    end = time.monotonic() + 60
    while machine.sockets() & {"[::]:25"} and time.monotonic() < end:
        time.sleep(0.1)
    told: list[dict[str, Any]] = []
    while not told and time.monotonic() < end:
        told = page(machine, 'print(json.dumps(helper.status(grant)["last"]))')
    assert told[0]["ended"] == "done"
    assert told[0]["document"]["state"] == "trial"
