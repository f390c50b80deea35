"""On Debian 12 and 13 as they boot, postsrsd 1.x and 2.x are told their domain, started anew by their unit, and back.

What forwards are worth at a receiver is seen in the lab; here it is the real package, its unit, its sockets and the
chroot of Debian's Postfix.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs.forwarding_stage import RECORDS
from mailmend.model import CannotLook
from system.hosts import roots
from system.hosts.machine import RESOLVER, SOURCE, Machine, booted

pytestmark = pytest.mark.full
# The suite that boots, the package as apt names it, the suite that it may come from besides.
HOSTS = {
    "Debian 12": ("bookworm", "postsrsd", ""),
    "Debian 13": ("trixie", "postsrsd", ""),
    "Debian 13, postsrsd 2": ("trixie", "postsrsd/sid", "sid"),
}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # of SRS time stamps
ALIASES = (
    "virtual_alias_domains=example.org",
    "virtual_alias_maps=inline:{user@example.org=someone@gmail.com}",
)
SEND = """
import smtplib, sys
with smtplib.SMTP('192.0.2.10', 25, source_address=('192.0.2.10', 0)) as s:
    s.sendmail(sys.argv[1], [sys.argv[2]], b'Subject: x\\r\\nFrom: <' + sys.argv[1].encode() + b'>\\r\\n\\r\\nx\\r\\n')
"""
ASK = """
import smtplib, sys
with smtplib.SMTP('192.0.2.10', 25, source_address=('192.0.2.10', 0)) as s:
    s.ehlo(); s.mail(''); print(s.rcpt(sys.argv[1])[0])
"""


NEWER = ("trixie", "postsrsd/sid")


@pytest.fixture(params=HOSTS.values(), ids=HOSTS)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A machine that forwards, with postsrsd as its package leaves it, and the records published."""
    suite, package, also = request.param
    try:
        archives = roots.packages(suite, package, also=also)
        with booted(suite, tmp_path) as running:
            running.enter("systemctl", "stop", "resolver")
            source = f"--setenv=PYTHONPATH={SOURCE / 'src'}"
            named = running.enter("systemd-run", "--quiet", "--unit=names", source, *RESOLVER, *RECORDS)
            assert named.returncode == 0, named.stderr
            running.enter("postconf", "-e", *ALIASES)
            running.enter("systemctl", "reload", "postfix")
            (tmp_path / "root/root").mkdir(exist_ok=True)
            install(running, archives)
            yield running
    except CannotLook as reason:
        if request.config.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))


def install(machine: Machine, archives: tuple[Path, ...]) -> None:
    """Returns once the daemon runs, which its package starts."""
    done = machine.enter("dpkg", "--install", *(str(archive) for archive in archives))
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: bool(pid(machine)))


def until(holds: Any, seconds: float = 30) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not so after {seconds} s"
        time.sleep(0.05)


def pid(machine: Machine) -> str:
    """The process that the unit holds."""
    found = machine.enter("systemctl", "show", "--property=MainPID", "--value", "postsrsd").stdout.strip()
    return "" if found == "0" else found


def settings(machine: Machine) -> dict[str, str]:
    """What the remedy may write, and what lies beside it."""
    listed = machine.enter(
        "find", "/etc/postfix", "/etc/default", "/etc/postsrsd.conf", "-type", "f", "-newermt", "2000-01-01"
    ).stdout.split()
    return {name: machine.read(name) for name in listed if not name.endswith(".tmp")}


def answer(machine: Machine, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = machine.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def asked(machine: Machine, key: str, way: str) -> str:
    """What the daemon says, asked as Postfix asks it, from where Postfix's daemons are."""
    two = machine.enter("test", "-e", "/etc/postsrsd.conf").returncode == 0
    table = f"socketmap:unix:srs:{way}" if two else f"tcp:127.0.0.1:{10001 if way == 'forward' else 10002}"
    ask = f"cd /var/spool/postfix && exec postmap -q '{key}' {table}"
    return machine.enter("sh", "-c", ask).stdout.strip()


def reply(machine: Machine, recipient: str) -> str:
    """The reply to RCPT TO of a bounce from outside."""
    return machine.enter("/usr/bin/python3", "-c", ASK, recipient).stdout.strip()


def journal(machine: Machine) -> str:
    machine.enter("journalctl", "--sync")
    return machine.enter("journalctl", "--no-pager", "-o", "cat").stdout


def signed_on(machine: Machine, day: int) -> str:
    """An address as postsrsd makes it on *day* (days since 1970); 2.x writes `-_` for `+/`."""
    secret = machine.read("/etc/postsrsd.secret").strip().encode()
    stamp = ALPHABET[(day >> 5) & 31] + ALPHABET[day & 31]
    digest = hmac.new(secret, (stamp + "sender.example" + "alice").lower().encode(), sha1).digest()
    code = base64.b64encode(digest)[:4].decode()
    if machine.enter("test", "-e", "/etc/postsrsd.conf").returncode == 0:
        code = code.replace("+", "-").replace("/", "_")
    return f"SRS0={code}={stamp}=sender.example=alice@srs.example.org"


def test_forwards_leave_rewritten_bounces_come_back_and_undo_gives_every_byte(machine: Machine) -> None:
    before, old = settings(machine), pid(machine)
    assert asked(machine, "alice@sender.example", "forward").endswith("=alice@example.org")
    fixed = answer(machine, "fix", "--yes", "--confirm", "--remedy", "srs")
    assert (fixed["state"], fixed["proof"]["holds"]) == ("kept", True)
    assert pid(machine) not in ("", old)
    ours = asked(machine, "alice@sender.example", "forward")
    assert ours.endswith("=sender.example=alice@srs.example.org")
    assert answer(machine, "fix", "--yes", "--remedy", "srs")["state"] == "in-place"

    # What a stranger sends to an alias goes round, and leaves rewritten; what is for a mailbox here does not.
    machine.enter("/usr/bin/python3", "-c", SEND, "alice@sender.example", "user@example.org")
    until(lambda: re.search(r"from=<SRS0=[^>]*=sender\.example=alice@srs\.example\.org>", journal(machine)))
    machine.enter("/usr/bin/python3", "-c", SEND, "bob@sender.example", "root@relay.example.org")
    until(lambda: re.search(r"to=<root@relay\.example\.org>.*status=sent", journal(machine)))
    machine.enter("/usr/bin/python3", "-c", SEND, "anna@example.org", "user@example.org")
    until(lambda: re.search(r"from=<anna@example\.org>", journal(machine)))

    # A bounce is let in for what it rewrote, in any letters; for what it did not, or too long ago, it is not.
    today = int(time.time() // 86400)
    assert ours in (signed_on(machine, today), signed_on(machine, today + 1))
    assert asked(machine, ours, "reverse") == "alice@sender.example"
    assert [reply(machine, address) for address in (ours, ours.lower())] == ["250"] * 2
    assert reply(machine, signed_on(machine, today - 15)) == "250"
    refused = [
        signed_on(machine, today - 30),
        signed_on(machine, today + 5),
        ours.replace("=alice@", "=mallory@"),
        ours.replace("=sender.example=", "=victim.example="),
        "SRS0=x@srs.example.org",
        "anybody@srs.example.org",
    ]
    assert [reply(machine, address) for address in refused] == ["550"] * len(refused)
    assert not re.search(r"from=<SRS0[^>]*=(?:bob|anna)@", journal(machine))

    new = pid(machine)
    assert answer(machine, "undo")["identical"]
    assert settings(machine) == before
    assert pid(machine) not in ("", new)
    assert asked(machine, "alice@sender.example", "forward").endswith("=alice@example.org")
    assert reply(machine, ours) in ("454", "554")


def test_without_the_daemon_forwards_wait_and_nothing_else_does(machine: Machine) -> None:
    answer(machine, "fix", "--yes", "--confirm", "--remedy", "srs")
    machine.enter("systemctl", "stop", "postsrsd")
    machine.enter("/usr/bin/python3", "-c", SEND, "bob@sender.example", "root@relay.example.org")
    until(lambda: re.search(r"to=<root@relay\.example\.org>.*status=sent", journal(machine)))
    machine.enter("/usr/bin/python3", "-c", SEND, "alice@sender.example", "user@example.org")
    until(
        lambda: re.search(r"to=<someone@gmail\.com>.*relay=127\.0\.0\.1.*status=deferred", journal(machine))
    )
    refused = answer(machine, "fix", "--yes", "--remedy", "srs", code=4)
    assert "postsrsd does not run" in refused["error"]["reason"]


def test_what_nobody_confirmed_is_taken_back_before_the_daemon_starts_at_the_next_boot(
    machine: Machine,
) -> None:
    before = settings(machine)
    assert answer(machine, "fix", "--yes", "--remedy", "srs")["state"] == "trial"
    unit = machine.read("/etc/systemd/system/mailmend-undo.service")
    assert "postsrsd.service" in next(line for line in unit.split("\n") if line.startswith("Before="))
    machine.enter("sync")
    machine.power_cut()
    machine.boot()
    machine.mailmend("status")
    assert settings(machine) == before
    until(lambda: asked(machine, "alice@sender.example", "forward").endswith("=alice@example.org"))


@pytest.mark.parametrize("machine", [HOSTS["Debian 13"]], ids=["Debian 13"], indirect=True)
def test_after_an_upgrade_to_2_the_remedy_asks_the_new_one(machine: Machine) -> None:
    before = settings(machine)
    answer(machine, "fix", "--yes", "--confirm", "--remedy", "srs")
    ours = asked(machine, "alice@sender.example", "forward")
    first = settings(machine)
    install(machine, roots.packages(*NEWER, also="sid"))
    again = answer(machine, "fix", "--yes", "--confirm", "--remedy", "srs")
    assert (again["state"], again["proof"]["holds"]) == ("kept", True)
    assert [reply(machine, address) for address in (ours, ours.replace("=alice@", "=eve@"))] == ["250", "550"]
    machine.enter("/usr/bin/python3", "-c", SEND, "alice@sender.example", "user@example.org")
    until(lambda: re.search(r"from=<SRS0=[^>]*=sender\.example=alice@srs\.example\.org>", journal(machine)))
    assert answer(machine, "undo")["identical"]
    new = machine.read("/etc/postsrsd.conf")
    assert settings(machine) == first | {"/etc/postsrsd.conf": new}
    assert answer(machine, "undo")["identical"]
    assert settings(machine) == before | {"/etc/postsrsd.conf": new}
