"""On Debian 12 and 13 as they boot, a change sets opendkim and opendmarc, and their units start them anew, and back.

What signatures are worth at a receiver is seen in the lab; here it is the real packages, their units and sockets.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs.forwarding_stage import RECORDS
from mailmend.model import CannotLook
from system.hosts import roots
from system.hosts.machine import RESOLVER, SOURCE, Machine, booted

pytestmark = pytest.mark.full
FILES = ("/etc/opendkim.conf", "/etc/opendmarc.conf")
PACKAGES = ("opendkim", "opendmarc", "dbconfig-no-thanks", "openssl")
SEND = """
import smtplib
with smtplib.SMTP('192.0.2.10', 25, source_address=('192.0.2.10', 0)) as s:
    text = b'Subject: x\\r\\nFrom: <x@sender.example>\\r\\n\\r\\nfrom outside\\r\\n'
    s.sendmail('x@sender.example', ['root@relay.example.org'], text)
"""


@pytest.fixture(params=roots.SUITES, ids=roots.SUITES.values())
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A machine that sends for example.org, with both milters as their packages leave them; nobody asks them."""
    try:
        archives = roots.packages(request.param, *PACKAGES)
        with booted(request.param, tmp_path) as running:
            resolve(running)
            running.enter(
                "postconf", "-e", "myorigin=example.org", "mydestination=relay.example.org, example.org"
            )
            running.enter("systemctl", "reload", "postfix")
            (tmp_path / "root/root").mkdir(exist_ok=True)
            done = running.enter("dpkg", "--install", *(str(archive) for archive in archives))
            assert done.returncode == 0, done.stdout + done.stderr
            for unit in ("opendkim", "opendmarc"):
                until(lambda unit=unit: pid(running, unit))
            yield running
    except CannotLook as reason:
        if request.config.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))


def resolve(machine: Machine, *records: str) -> None:
    """The machine's DNS has *records* too."""
    for unit in ("resolver", "names"):
        machine.enter("systemctl", "stop", unit)
    source = f"--setenv=PYTHONPATH={SOURCE / 'src'}"
    named = machine.enter("systemd-run", "--quiet", "--unit=names", source, *RESOLVER, *RECORDS, *records)
    assert named.returncode == 0, named.stderr


def until(holds: Any, seconds: float = 30) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not so after {seconds} s"
        time.sleep(0.05)


def pid(machine: Machine, unit: str) -> str:
    """The process that the unit holds."""
    found = machine.enter("systemctl", "show", "--property=MainPID", "--value", unit).stdout.strip()
    return "" if found == "0" else found


def settings(machine: Machine) -> dict[str, str]:
    listed = machine.enter("find", "/etc/postfix", *FILES, "-type", "f").stdout.split()
    return {name: machine.read(name) for name in listed if not name.endswith(".tmp")}


def answer(machine: Machine, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = machine.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def delivered(machine: Machine, body: str) -> str:
    """The message in root's mailbox that has *body*, once it is there."""

    def find() -> str:
        mailbox = machine.enter("cat", "/var/mail/root").stdout
        return next((each for each in re.split(r"^From ", mailbox, flags=re.MULTILINE) if body in each), "")

    until(find)
    return find()


def test_own_mail_is_signed_what_comes_in_is_tagged_and_undo_gives_every_byte(machine: Machine) -> None:
    shipped, first = settings(machine), pid(machine, "opendkim")
    told = answer(machine, "fix", "--yes", "--remedy", "dkim-sign", code=4)["error"]
    key = re.match(
        r"publish: (mailmend\._domainkey\.example\.org TXT v=DKIM1; k=rsa; p=[\w+/=]+)", told["next_step"]
    )
    assert key, told
    assert settings(machine) == shipped
    resolve(machine, key[1])
    fixed = answer(machine, "fix", "--yes", "--confirm", "--remedy", "dkim-sign")
    assert (fixed["state"], fixed["proof"]["holds"]) == ("kept", True)
    assert pid(machine, "opendkim") not in ("", first)
    signed = settings(machine)

    written = "From: anna@example.org\nTo: root@relay.example.org\nSubject: x\n\nour own\n"
    machine.enter(
        "sh", "-c", f"printf '%s' '{written}' | sendmail -f anna@example.org root@relay.example.org"
    )
    assert re.search(
        r"^DKIM-Signature:[^\n]*\n?[^\n]*d=example\.org", delivered(machine, "our own"), re.MULTILINE
    )

    judge = pid(machine, "opendmarc")
    tagged = answer(machine, "fix", "--yes", "--confirm", "--remedy", "tag-early")
    assert (tagged["state"], tagged["proof"]["holds"]) == ("kept", True)
    assert pid(machine, "opendmarc") not in ("", judge)
    machine.enter("/usr/bin/python3", "-c", SEND)
    stranger = delivered(machine, "from outside")
    assert re.search(r"^Authentication-Results: relay\.example\.org; dmarc=", stranger, re.MULTILINE)
    assert "d=example.org" not in stranger

    assert answer(machine, "undo")["identical"]
    assert settings(machine) == signed
    assert answer(machine, "undo")["identical"]
    assert settings(machine) == shipped
    for unit in ("opendkim", "opendmarc"):
        assert pid(machine, unit)
        assert machine.enter("test", "-S", f"/run/{unit}/{unit}.sock").returncode == 0


def test_what_is_kept_stays_over_a_power_cut_and_is_undone_after_it(machine: Machine) -> None:
    shipped = settings(machine)
    told = answer(machine, "fix", "--yes", "--remedy", "dkim-sign", code=4)["error"]
    record = told["next_step"].removeprefix("publish: ").partition(",")[0]
    resolve(machine, record)
    answer(machine, "fix", "--yes", "--confirm", "--remedy", "dkim-sign")
    signed = settings(machine)
    machine.enter("sync")
    machine.power_cut()
    machine.boot()
    until(lambda: pid(machine, "opendkim"))
    assert settings(machine) == signed
    resolve(machine, record)
    assert answer(machine, "fix", "--yes", "--remedy", "dkim-sign")["state"] == "in-place"
    assert answer(machine, "undo")["identical"]
    assert settings(machine) == shipped
