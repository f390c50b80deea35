"""A change that could cut its operator off is on trial: kept when he says so, else taken back, whoever is alive."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab

MAIN = "/etc/postfix/main.cf"
STATE = "/var/lib/mailmend"
SECONDS = 5
IPV4_ONLY = ("fix", "--remedy", "ipv4-only", "--yes")
ON_TRIAL = (*IPV4_ONLY, "--confirm-within", str(SECONDS))
# What the product promises: taken back within 5 s of its deadline; a restart and its proof are part of that.
LATEST = SECONDS + 5


@pytest.fixture
def host(lab: Lab) -> Lab:
    lab.reset()
    lab.relay.start()
    return lab


def mailmend(lab: Lab, *words: str) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", *words)
    return json.loads(done.stdout) | {"exit": done.returncode, "stderr": done.stderr}


def shell(lab: Lab, text: str) -> str:
    return lab.relay.run(["sh", "-c", text]).stdout


def ipv6_listens(lab: Lab) -> bool:
    return "[::]:25" in shell(lab, "ss -lnt")


def state(lab: Lab, number: int = 0) -> str:
    return mailmend(lab, "history")["records"][number]["state"]


def waited(condition: Callable[[], bool], seconds: float) -> float | None:
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            return None
        time.sleep(0.1)
    return time.monotonic() - started


def leftovers(lab: Lab) -> list[str]:
    return shell(
        lab, f"ls -d {STATE}/trial /etc/postfix/*mailmend* /etc/postfix/*.tmp; pgrep -f [u]ndo.sh"
    ).split()


# ---- what must not be taken back ---------------------------------------------------------------


def test_a_change_that_cuts_nobody_off_is_kept_at_once_and_nothing_waits(host: Lab) -> None:
    kept = mailmend(host, "fix", "--remedy", "ipv4-for-receiver", "--yes")
    assert (kept["exit"], kept["state"]) == (0, "kept")
    assert waited(lambda: not leftovers(host), 5) is not None
    saved = host.relay.read(MAIN)
    time.sleep(1)
    assert host.relay.read(MAIN) == saved


@pytest.mark.slow
def test_confirmed_in_time_it_stays_after_its_deadline(host: Lab) -> None:
    tried = mailmend(host, *ON_TRIAL)
    assert (tried["exit"], tried["state"]) == (0, "trial")
    assert mailmend(host, "confirm")["record"]["state"] == "kept"
    assert waited(lambda: not leftovers(host), 2) is not None
    time.sleep(SECONDS + 1)
    assert not ipv6_listens(host)
    assert state(host) == "kept"


def test_approved_with_confirm_it_never_waits(host: Lab) -> None:
    kept = mailmend(host, *IPV4_ONLY, "--confirm")
    assert (kept["exit"], kept["state"]) == (0, "kept")
    assert waited(lambda: not leftovers(host), 2) is not None


def test_nothing_to_confirm_says_so(host: Lab) -> None:
    refused = mailmend(host, "confirm")
    assert refused["exit"] == 4
    assert "no change waits for a confirmation" in json.dumps(refused)


def test_no_other_change_is_begun_meanwhile(host: Lab) -> None:
    mailmend(host, *IPV4_ONLY)
    refused = mailmend(host, "fix", "--remedy", "ipv4-for-receiver", "--yes")
    assert refused["exit"] == 4
    assert "mailmend confirm keeps it" in json.dumps(refused)
    assert mailmend(host, "undo")["identical"]
    assert waited(lambda: not leftovers(host), 2) is not None


# ---- taken back --------------------------------------------------------------------------------


def test_unconfirmed_it_is_taken_back_within_five_seconds_of_its_deadline(host: Lab) -> None:
    before = host.relay.read(MAIN)
    mailmend(host, *ON_TRIAL)
    assert not ipv6_listens(host)
    assert waited(lambda: ipv6_listens(host), LATEST) is not None
    assert waited(lambda: not leftovers(host), 5) is not None
    assert host.relay.read(MAIN) == before
    assert state(host) == "rolled-back"
    late = mailmend(host, "confirm")
    assert late["exit"] == 4
    assert "not confirmed in time" in json.dumps(late)


def test_a_session_that_is_killed_while_postfix_restarts_is_cleaned_up_after(host: Lab) -> None:
    before = host.relay.read(MAIN)
    command = f"{sys.executable} -P -m mailmend {' '.join(IPV4_ONLY)}"
    # `setsid` is the login; everything in it dies at once, as with a closed connection.
    shell(host, f"setsid {command} >/dev/null 2>&1 & echo $! >/tmp/session")
    changed = waited(lambda: host.relay.read(MAIN) != before, 10)
    assert changed is not None
    shell(host, "kill -KILL -$(cat /tmp/session)")
    assert waited(lambda: state(host) == "rolled-back", 10) is not None
    assert host.relay.read(MAIN) == before
    assert ipv6_listens(host)
    assert waited(lambda: not leftovers(host), 5) is not None


@pytest.mark.slow
def test_a_program_that_was_stopped_half_way_is_ended_and_cleaned_up_after(host: Lab) -> None:
    """SIGSTOP, a debugger, a machine asleep: it holds the lock, and would for ever."""
    before = host.relay.read(MAIN)
    command = f"{sys.executable} -P -m mailmend {' '.join(IPV4_ONLY)}"
    shell(host, f"{command} >/dev/null 2>&1 & echo $! >/root/stopped")
    assert waited(lambda: host.relay.read(MAIN) != before, 10) is not None
    shell(host, "kill -STOP $(cat /root/stopped)")
    refused = mailmend(host, *IPV4_ONLY)
    assert refused["exit"] == 4
    assert f"process {host.relay.read('/root/stopped').strip()})" in json.dumps(refused)
    # The guard of the change waits three minutes; here is another one that waits a second.
    impatient = dedent(
        """
        import sys
        from mailmend.jobs.recover import guard
        guard(sys.argv[1], patience=1.0)
        """
    )
    (record,) = shell(host, f"ls {STATE}/history").split()
    done = host.relay.run([sys.executable, "-P", "-c", impatient, record.removesuffix(".json")])
    assert done.returncode == 0, done.stderr
    # Whichever of them is given the lock.
    assert waited(lambda: state(host) == "rolled-back", 10) is not None
    assert host.relay.read(MAIN) == before
    assert ipv6_listens(host)
    assert waited(lambda: not leftovers(host), 5) is not None


def test_over_a_reboot_the_old_files_are_there_before_postfix_starts(host: Lab) -> None:
    before = host.relay.read(MAIN)
    mailmend(host, *IPV4_ONLY)
    _lose_power(host)
    assert host.relay.read(MAIN) != before
    shell(host, f"sh {STATE}/trial/undo.sh boot")
    assert host.relay.read(MAIN) == before
    host.relay.start()
    assert ipv6_listens(host)
    told = host.relay.mailmend("history")
    assert "not confirmed in time" in told.stderr
    assert "not confirmed, taken back" in told.stdout
    assert not leftovers(host)


def test_where_nothing_ran_at_boot_the_next_command_goes_back(host: Lab) -> None:
    before = host.relay.read(MAIN)
    mailmend(host, *IPV4_ONLY)
    _lose_power(host)
    host.relay.start()
    assert not ipv6_listens(host)
    assert "not confirmed in time" in host.relay.mailmend("status").stderr
    assert host.relay.read(MAIN) == before
    assert ipv6_listens(host)


def test_where_python_is_broken_sh_alone_goes_back(host: Lab) -> None:
    before = host.relay.read(MAIN)
    mailmend(host, *IPV4_ONLY)
    done = host.relay.run(["sh", f"{STATE}/trial/undo.sh"])
    assert done.returncode == 0, done.stderr + host.relay.log()[-1500:]
    assert host.relay.read(MAIN) == before
    assert ipv6_listens(host)


@pytest.mark.slow
def test_somebody_elses_edit_meanwhile_is_a_conflict_that_he_decides(host: Lab) -> None:
    tried = mailmend(host, *ON_TRIAL)
    edited = host.relay.read(MAIN) + "# mine\n"
    host.relay.write(MAIN, edited)
    time.sleep(SECONDS + 1.5)
    assert host.relay.read(MAIN) == edited
    told = host.relay.mailmend("status")
    assert "CONFLICT" in told.stderr
    assert f"mailmend undo {tried['change']['id']}" in told.stderr
    refused = host.relay.run(["sh", f"{STATE}/trial/undo.sh"])
    assert refused.returncode == 4
    assert host.relay.read(MAIN) == edited
    shown = host.relay.mailmend("history", tried["change"]["id"]).stdout
    assert "Changed by others since" in shown
    assert "+# mine" in shown
    undone = mailmend(host, "undo", tried["change"]["id"])
    assert undone["exit"] == 0
    assert "# mine" in host.relay.read(MAIN)
    assert ipv6_listens(host)
    assert waited(lambda: not leftovers(host), 5) is not None


def _lose_power(lab: Lab) -> None:
    """Every process is gone, and the next boot has another name."""
    shell(lab, "pkill -KILL -f [u]ndo.sh; pkill -KILL -f 'mailmend recove[r]'")
    lab.relay.stop()
    changed = dedent(
        f"""
        import json, pathlib
        for path in pathlib.Path("{STATE}/history").glob("*.json"):
            record = json.loads(path.read_text())
            if record["confirm_by"]:
                record["confirm_by"]["boot"] = "another"
                path.write_text(json.dumps(record, indent=1))
        """
    )
    assert lab.relay.run([sys.executable, "-c", changed]).returncode == 0


@pytest.mark.slow
def test_code_of_the_person_behind_sudo_is_trusted_outside_too(host: Lab) -> None:
    """A clone of one's own, `sudo ./mailmend`: the process outside has to know what sudo told."""
    before = host.relay.read(MAIN)
    package = shell(host, f"{sys.executable} -P -c 'import mailmend; print(mailmend.__path__[0])'").strip()
    shell(host, f"chown 4711 {package}/places.py")
    try:
        command = f"SUDO_UID=4711 {sys.executable} -P -m mailmend {' '.join(ON_TRIAL)}"
        shell(host, f"{command} >/root/tried 2>&1")
        assert "is on trial" in host.relay.read("/root/tried")
        assert waited(lambda: host.relay.read(MAIN) == before, LATEST) is not None
        assert waited(lambda: ipv6_listens(host), 5) is not None
    finally:
        shell(host, f"chown 0 {package}/places.py")


def test_what_sh_put_back_before_it_died_is_activated_by_the_next_command(host: Lab) -> None:
    before = host.relay.read(MAIN)
    mailmend(host, *IPV4_ONLY)
    script = f"{STATE}/trial/undo.sh"
    # Killed between the files and Postfix: the last line is what activates.
    shell(
        host, f"pkill -KILL -f 'mailmend recove[r]'; pkill -KILL -f '[u]ndo.sh guard'; sed '$d' {script} | sh"
    )
    assert host.relay.read(MAIN) == before
    assert not ipv6_listens(host)
    shell(host, f'sed -i \'s/"boot": "/&another/\' {STATE}/history/*.json')
    host.relay.mailmend("status")
    assert ipv6_listens(host)


def test_what_was_interrupted_cannot_be_confirmed(host: Lab) -> None:
    tried = mailmend(host, *IPV4_ONLY)["change"]["id"]
    shell(host, "pkill -KILL -f 'mailmend recove[r]'; pkill -KILL -f '[u]ndo.sh guard'")
    shell(host, f'sed -i \'s/^ "state": "trial"/ "state": "intent"/\' {STATE}/history/{tried}.json')
    refused = mailmend(host, "confirm", tried)
    assert refused["exit"] == 4
    assert "interrupted" in json.dumps(refused)
    assert "was interrupted" in host.relay.mailmend("status").stderr
    assert ipv6_listens(host)
