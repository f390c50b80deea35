"""The console as its units run it: a user who may nothing answers, root's helper is reached, and both come back."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from mailmend.model import CannotLook
from mailmend.ui.helper import units
from system.hosts import roots
from system.hosts.machine import SOURCE, Machine, booted

pytestmark = pytest.mark.full
# An installation that everybody may read, as one has it on a server: a Python of its own, and what mailmend needs.
PYTHON, INSTALLED = "/opt/python", "/opt/mailmend"
MAILMEND = (f"{INSTALLED}/bin/python", "-P", "-m", "mailmend")
PORT = 8825
EXPOSED = {units.WEB: 2.0, units.SERVICE: 4.5}  # of `systemd-analyze security`: 0 is closed, 10 open
# A browser: each page that is asked for, with the cookie of a login by a code.
VISIT = dedent(
    f"""
    import http.client, json, sys, urllib.parse
    def ask(method, path, body="", cookie=""):
        connection = http.client.HTTPConnection("127.0.0.1", {PORT}, timeout=60)
        headers = {{"Host": "127.0.0.1:{PORT}", "Origin": "http://127.0.0.1:{PORT}", "Cookie": cookie}}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    """
)
LOG_IN = dedent(
    """
    code, *paths = sys.argv[1:]
    status, headers, _ = ask("POST", "/login", urllib.parse.urlencode({"code": code}))
    cookie = (headers["Set-Cookie"] or "").partition(";")[0]
    print(json.dumps([status, cookie, *(ask("GET", path, cookie=cookie)[::2] for path in paths)]))
    """
)


@pytest.fixture(params=roots.SUITES, ids=roots.SUITES.get)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A fresh machine on which somebody did what the head of the printed unit says."""
    try:
        with booted(request.param, tmp_path, f"{sys.base_prefix}:{PYTHON}") as running:
            install(running)
            printed = running.run(*MAILMEND, "--json", "web", "--print-unit")
            assert printed.returncode == 0, printed.stderr
            for name, text in json.loads(printed.stdout)["units"].items():
                running.write(f"/etc/systemd/system/{name}", text)
            head = [line[2:].strip() for line in units.web_unit(MAILMEND).splitlines() if line[:3] == "#  "]
            assert [words.split()[0] for words in head] == ["useradd", "systemctl", "systemctl"]
            for words in head:
                done = running.enter(*words.split())
                assert done.returncode == 0, f"{words}: {done.stderr}"
            yield running
    except CannotLook as reason:
        if request.config.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))


def install(machine: Machine) -> None:
    machine.write("/etc/ld.so.conf.d/python.conf", f"{PYTHON}/lib\n")
    machine.enter("ldconfig")
    python = f"{PYTHON}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    made = machine.enter(python, "-m", "venv", "--without-pip", INSTALLED)
    assert made.returncode == 0, made.stderr
    libraries = Path(f"{INSTALLED}/lib/{Path(python).name}/site-packages")
    packages = Path(sys.prefix, "lib", Path(python).name, "site-packages")
    machine.write(str(libraries / "mailmend.pth"), f"{SOURCE}/src\n{packages}\n")


def until(holds: Callable[[], bool], machine: Machine, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        told = machine.enter("journalctl", "-u", units.WEB, "-u", units.SERVICE, "--no-pager").stdout
        assert time.monotonic() < end, told[-3000:]
        time.sleep(0.2)


def visited(machine: Machine, story: str, *words: str) -> Any:
    done = machine.enter(sys.executable, "-P", "-c", VISIT + story, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def logged_in(machine: Machine, *paths: str) -> Any:
    """[status of the login, its cookie, and of each of *paths* the status and the text]."""
    told = machine.run(*MAILMEND, "--json", "web", "--code")
    assert told.returncode == 0, told.stderr
    return visited(machine, LOG_IN, json.loads(told.stdout)["code"], *paths)


def main_pid(machine: Machine) -> int:
    return int(machine.enter("systemctl", "show", "--property=MainPID", "--value", units.WEB).stdout)


def listens(machine: Machine) -> bool:
    return f"127.0.0.1:{PORT}" in machine.sockets()


def test_the_page_answers_without_rights_and_the_helper_acts_for_it(machine: Machine) -> None:
    until(lambda: listens(machine), machine)
    status, page = visited(
        machine, 'status, _, text = ask("GET", "/login"); print(json.dumps([status, text]))'
    )
    assert status == 200
    assert "mailmend web --code" in page
    process = machine.read(f"/proc/{main_pid(machine)}/status")
    assert re.search(r"^Uid:\s+(\d+)", process, re.MULTILINE)[1] != "0"  # type: ignore[index]
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in process

    status, _, (standing, told), (settings, values) = logged_in(
        machine, "/now/standing", "/settings/inet_protocols"
    )
    assert (status, standing, settings) == (303, 200, 200)
    assert "running</span> since" in told
    # What only root sees, and so only the helper: the sockets with the process that holds them.
    assert "[::]:25" in told
    assert str(machine.master()) in told
    assert "See what that changes" in values
    assert machine.enter("systemctl", "is-active", units.SERVICE).stdout.strip() == "active"


def test_it_comes_back_after_a_restart_a_fault_and_a_reboot(machine: Machine) -> None:
    until(lambda: listens(machine), machine)
    _, cookie, (status, _) = logged_in(machine, "/now/standing")
    assert status == 200
    first = main_pid(machine)
    assert machine.enter("systemctl", "restart", units.WEB).returncode == 0
    until(lambda: listens(machine) and main_pid(machine) not in (0, first), machine)
    # Who was logged in is not any more, and may be again.
    story = 'print(json.dumps(ask("GET", "/now/standing", cookie=sys.argv[1])[0]))'
    assert visited(machine, story, cookie) in (303, 401, 403)
    assert logged_in(machine, "/now/standing")[2][0] == 200

    first = main_pid(machine)
    machine.enter("kill", "-KILL", str(first))
    until(lambda: listens(machine) and main_pid(machine) not in (0, first), machine)
    # The helper alone is stopped: the next who asks starts it, and sessions are asked for anew.
    machine.enter("systemctl", "stop", units.SERVICE)
    assert logged_in(machine, "/now/standing")[2][0] == 200

    machine.power_off()
    machine.boot()
    until(lambda: listens(machine), machine)
    assert logged_in(machine, "/now/standing")[2][0] == 200


def test_systemd_finds_what_runs_closed(machine: Machine) -> None:
    for name, most in EXPOSED.items():
        said = machine.enter("systemd-analyze", "security", "--no-pager", name).stdout
        found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said)
        assert found, said[-500:]
        assert float(found[1]) <= most, said
