"""On Debian 12 and Debian 13 as they boot: Postfix is activated through its unit, and what is said is what runs.

Debian 12's postfix.service runs /bin/true, and postfix@-.service holds the server; Debian 13's is real.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailmend.model import CannotLook
from system.hosts import roots
from system.hosts.machine import MAILMEND, Machine, booted

pytestmark = pytest.mark.full
UNIT = {"bookworm": "postfix@-.service", "trixie": "postfix.service"}
MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
BOTH, IPV4 = {"0.0.0.0:25", "[::]:25"}, {"0.0.0.0:25"}
GUARD = "/var/lib/mailmend/trial"
BOOT_UNIT = "/etc/systemd/system/mailmend-undo.service"


@pytest.fixture(params=roots.SUITES, ids=roots.SUITES.get)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A fresh machine, booted, Postfix running since its boot."""
    try:
        with booted(request.param, tmp_path) as running:
            assert running.unit_of(running.master()) == UNIT[request.param]
            yield running
    except CannotLook as reason:
        if request.config.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))


def answer(machine: Machine, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = machine.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def port_25(machine: Machine) -> set[str]:
    return {socket for socket in machine.sockets() if socket.endswith(":25")}


def until(holds: Any, seconds: float) -> float:
    """How many seconds it took until *holds*; AssertionError where it did not in *seconds*."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not so after {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began


# ---- what must not happen --------------------------------------------------------------------


def test_the_reload_remedy_leaves_master_and_its_sockets_alone(machine: Machine) -> None:
    before = machine.master()
    answer(machine, "fix", "--yes", "--remedy", "ipv4-client")
    assert machine.master() == before
    assert port_25(machine) == BOTH


def test_a_server_that_systemd_takes_for_running_is_not_taken_for_it(machine: Machine) -> None:
    """Debian 12: `systemctl is-active postfix` says active with no master at all."""
    machine.enter("systemctl", "stop", UNIT[machine.suite])
    text = machine.read(MAIN)
    refused = answer(machine, "fix", "--yes", "--remedy", "ipv4-only", code=4)
    assert "not running" in refused["error"]["reason"]
    assert machine.master() == 0
    assert machine.read(MAIN) == text


def test_what_would_not_start_is_never_activated(machine: Machine) -> None:
    before = machine.master()
    machine.write(MASTER, machine.read(MASTER) + "192.0.2.99:2525 inet n - n - - smtpd\n")
    refused = answer(machine, "apply", code=4)
    assert "192.0.2.99:2525" in refused["error"]["reason"]
    assert machine.master() == before
    assert port_25(machine) == BOTH


# ---- the unit --------------------------------------------------------------------------------


def test_the_kludge_is_a_new_master_of_the_same_unit_and_undo_opens_the_port_again(machine: Machine) -> None:
    text, before = machine.read(MAIN), machine.master()
    fixed = answer(machine, "fix", "--yes", "--confirm", "--remedy", "ipv4-only")
    after = machine.master()
    assert after not in (0, before)
    assert machine.unit_of(after) == UNIT[machine.suite]
    assert port_25(machine) == IPV4
    assert fixed["proof"]["holds"]
    assert answer(machine, "undo")["identical"]
    again = machine.master()
    assert again not in (0, before, after)
    assert machine.unit_of(again) == UNIT[machine.suite]
    assert port_25(machine) == BOTH
    assert machine.read(MAIN) == text
    # systemd sees what we saw: its stop ends this master.
    machine.enter("systemctl", "stop", "postfix.service")
    until(lambda: (machine.master(), port_25(machine)) == (0, set()), 10)


def test_set_takes_the_same_way_and_what_cannot_listen_never_gets_there(machine: Machine) -> None:
    before = machine.master()
    refused = answer(machine, "set", "--yes", "--confirm", "inet_interfaces=192.0.2.99", code=4)
    assert "192.0.2.99" in json.dumps(refused)
    assert (machine.master(), port_25(machine)) == (before, BOTH)
    told = answer(machine, "set", "--yes", "--confirm", "inet_protocols=ipv4", "message_size_limit=20480000")
    assert told["proof"]["holds"]
    assert machine.master() not in (0, before)
    assert machine.unit_of(machine.master()) == UNIT[machine.suite]
    assert port_25(machine) == IPV4


def test_the_session_may_end_and_postfix_stays(machine: Machine) -> None:
    """A master in the caller's control group would die with it."""
    scope, session = machine.begin(*MAILMEND, "fix", "--yes", "--confirm", "--remedy", "ipv4-only")
    session.communicate(timeout=60)
    machine.end_session(scope)
    assert session.returncode == 0
    assert port_25(machine) == IPV4
    assert machine.unit_of(machine.master()) == UNIT[machine.suite]


def test_what_another_editor_saved_is_loaded_by_the_unit(machine: Machine) -> None:
    before = machine.master()
    machine.run("postconf", "-e", "smtpd_banner=$myhostname ESMTP")
    assert answer(machine, "apply")["activation"] == "reload"
    assert machine.master() == before
    machine.run("postconf", "-e", "inet_protocols=ipv4")
    assert answer(machine, "apply")["activation"] == "restart"
    assert machine.unit_of(machine.master()) == UNIT[machine.suite]
    assert port_25(machine) == IPV4


def test_a_master_started_by_hand_is_taken_over_by_the_unit(machine: Machine) -> None:
    """Its session would end it; and `systemctl restart` alone would leave the old one running."""
    machine.enter("systemctl", "stop", UNIT[machine.suite])
    # Without it Debian 13 hands `postfix start` on to systemctl.
    by_hand = "INVOCATION_ID=none postfix start; read line"
    scope, session = machine.begin("sh", "-c", by_hand)
    until(lambda: port_25(machine) == BOTH, 10)
    old = machine.master()
    assert machine.unit_of(old) == scope
    answer(machine, "fix", "--yes", "--confirm", "--remedy", "ipv4-only")
    taken_over = machine.master()
    assert taken_over not in (0, old)
    assert machine.unit_of(taken_over) == UNIT[machine.suite]
    machine.end_session(scope)
    session.communicate(timeout=10)
    assert machine.master() == taken_over
    assert port_25(machine) == IPV4


def test_a_unit_of_the_operators_own_that_keeps_postfix_in_the_foreground(machine: Machine) -> None:
    machine.enter("systemctl", "disable", "--now", "postfix.service", UNIT[machine.suite])
    until(lambda: port_25(machine) == set(), 10)
    unit = "[Service]\nExecStart=/usr/sbin/postfix start-fg\n"
    machine.write("/etc/systemd/system/mailserver.service", unit)
    machine.enter("systemctl", "daemon-reload")
    machine.enter("systemctl", "start", "mailserver.service")
    until(lambda: port_25(machine) == BOTH, 20)
    before = machine.master()
    answer(machine, "fix", "--yes", "--remedy", "ipv4-client")
    assert machine.master() == before
    answer(machine, "fix", "--yes", "--confirm", "--remedy", "ipv4-only")
    assert machine.master() not in (0, before)
    assert machine.unit_of(machine.master()) == "mailserver.service"
    assert port_25(machine) == IPV4


def test_a_chroot_with_an_old_resolver_is_in_order_after_a_restart(machine: Machine) -> None:
    inner = "/var/spool/postfix/etc/resolv.conf"
    machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n# moved\n")
    machine.write(inner, "nameserver 192.0.2.53\n")
    machine.enter("touch", "-d", "1 hour ago", inner)
    answer(machine, "fix", "--yes", "--confirm", "--remedy", "ipv4-only")
    assert machine.read(inner) == machine.read("/etc/resolv.conf")


# ---- several instances -----------------------------------------------------------------------


@pytest.fixture
def two(machine: Machine) -> Machine:
    """A second instance, on port 2525, started the way its Debian starts it."""
    for arguments in (("-e", "init"), ("-I", "postfix-out", "-G", "out", "-e", "create")):
        done = machine.run("postmulti", *arguments)
        assert done.returncode == 0, done.stderr
    folder = "/etc/postfix-out"
    machine.run("postconf", "-c", folder, "-e", "master_service_disable=", "myhostname=out.example.org")
    machine.run("postconf", "-c", folder, "-e", "authorized_submit_users=static:anyone", "inet_protocols=all")
    text = machine.read(f"{folder}/master.cf")
    machine.write(f"{folder}/master.cf", text.replace("smtp      inet  n", "2525      inet  n", 1))
    machine.run("postmulti", "-i", "postfix-out", "-e", "enable")
    machine.enter("systemctl", "daemon-reload")
    unit = "postfix@postfix-out.service" if machine.suite == "bookworm" else "postfix@out.service"
    machine.enter("systemctl", "start", unit)
    until(lambda: "0.0.0.0:2525" in machine.sockets(), 60)
    assert machine.unit_of(machine.master("/var/spool/postfix-out")) == unit
    # postmulti wrote the new directory into the first one's main.cf.
    assert answer(machine, "apply")["activation"] == "reload"
    return machine


def test_one_instance_is_activated_and_the_other_never_notices(two: Machine) -> None:
    main, out = two.master(), two.master("/var/spool/postfix-out")
    answer(two, "fix", "--yes", "--remedy", "ipv4-client")
    answer(two, "fix", "--yes", "--confirm", "--remedy", "ipv4-only")
    assert two.master() not in (0, main)
    assert two.master("/var/spool/postfix-out") == out
    assert two.unit_of(two.master()) == UNIT[two.suite]
    assert port_25(two) == IPV4
    assert {"0.0.0.0:2525", "[::]:2525"} <= two.sockets()


def test_the_other_instance_is_changed_by_its_name(two: Machine) -> None:
    main, out = two.master(), two.master("/var/spool/postfix-out")
    unit = two.unit_of(out)
    answer(
        two, "fix", "--config-directory", "/etc/postfix-out", "--yes", "--confirm", "--remedy", "ipv4-only"
    )
    after = two.master("/var/spool/postfix-out")
    assert after not in (0, out)
    assert two.unit_of(after) == unit
    assert two.master() == main
    assert port_25(two) == BOTH
    assert "[::]:2525" not in two.sockets()


# ---- nobody confirms -------------------------------------------------------------------------


def trial(machine: Machine, seconds: int) -> tuple[str, float]:
    """(the text before, when it was told) of a change to the listeners that waits to be confirmed."""
    text = machine.read(MAIN)
    scope, session = machine.begin(
        *MAILMEND, "fix", "--yes", "--remedy", "ipv4-only", "--confirm-within", str(seconds)
    )
    said, _ = session.communicate(timeout=60)
    told = time.monotonic()
    assert session.returncode == 0, said
    machine.end_session(scope)
    assert port_25(machine) == IPV4
    assert machine.read(MAIN) != text
    return text, told


def test_a_confirmed_change_stays_and_nothing_waits_any_more(machine: Machine) -> None:
    text, _ = trial(machine, 60)
    answer(machine, "confirm")
    assert machine.enter("ls", GUARD).returncode
    assert machine.enter("ls", BOOT_UNIT).returncode
    machine.power_off()
    machine.boot()
    assert machine.read(MAIN) != text
    until(lambda: port_25(machine) == IPV4, 10)


def test_the_session_is_gone_and_systemd_takes_the_change_back_in_time(machine: Machine) -> None:
    seconds = 8
    text, told = trial(machine, seconds)
    until(lambda: machine.read(MAIN) == text, seconds + 5)
    assert time.monotonic() - told <= seconds + 5
    until(lambda: port_25(machine) == BOTH, 10)
    assert machine.unit_of(machine.master()) == UNIT[machine.suite]
    (newest, *_rest) = answer(machine, "history")["records"]
    assert newest["state"] == "rolled-back"
    assert machine.enter("ls", BOOT_UNIT).returncode


@pytest.mark.parametrize("how", ["power_off", "power_cut"])
def test_a_reboot_within_the_trial_takes_the_change_back_before_postfix_starts(
    machine: Machine, how: str
) -> None:
    text, _ = trial(machine, 3000)
    getattr(machine, how)()
    machine.boot()
    until(lambda: port_25(machine) == BOTH, 10)
    assert machine.read(MAIN) == text
    assert machine.unit_of(machine.master()) == UNIT[machine.suite]
    # Postfix never ran on what nobody confirmed: its first master of this boot is the one that runs.
    starts = machine.enter("journalctl", "-b", "--no-pager", "-o", "cat", "-g", "daemon started").stdout
    assert starts.count("daemon started") == 1, starts
    assert answer(machine, "status")["interrupted"] is None
    (newest, *_rest) = answer(machine, "history")["records"]
    assert newest["state"] == "rolled-back"


def test_the_program_killed_in_the_middle_is_taken_back_by_the_guard_alone(machine: Machine) -> None:
    """At the start of it nothing was touched yet; later Postfix is down, and only the guard can start it."""
    text = machine.read(MAIN)
    for delay in (0.0, 0.3, 0.6, 0.9):
        scope, session = machine.begin(*MAILMEND, "fix", "--yes", "--remedy", "ipv4-only")
        until(lambda: machine.enter("test", "-e", f"{GUARD}/id").returncode == 0, 30)
        time.sleep(delay)
        machine.end_session(scope)
        session.communicate(timeout=10)
        # Where it does not stand guard yet, nothing was touched yet.
        until(
            lambda: not machine.enter("systemctl", "list-units", "--no-legend", "mailmend-guard*").stdout, 10
        )
        assert machine.read(MAIN) == text
        assert port_25(machine) == BOTH
        assert machine.unit_of(machine.master()) == UNIT[machine.suite]
    assert answer(machine, "status")["interrupted"] is None
    until(lambda: machine.enter("test", "-e", GUARD).returncode != 0, 10)
