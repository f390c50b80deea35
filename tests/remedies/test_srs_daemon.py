"""The daemon that rewrites is told its domain and started anew; whatever goes wrong, it is as it was before."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from facts import srs_relay
from mailmend.facts import srs
from mailmend.lab import Lab

pytestmark = pytest.mark.lab
DEFAULTS = "/etc/default/postsrsd"
SCRIPT = "/var/lib/mailmend/trial/undo.sh"


@pytest.fixture
def host(lab: Lab) -> Iterator[Lab]:
    """A relay that forwards, over IPv4, with postsrsd as its installation leaves it, and the records published."""
    lab.reset(main={"inet_protocols": "ipv4"})
    lab.receiver.world("strict")
    lab.dns.publish(*srs_relay.RECORDS)
    lab.relay.install("postsrsd")
    lab.relay.start_daemon("postsrsd", 10001, 10002)
    lab.relay.start()
    yield lab
    lab.reset()


def files(lab: Lab) -> dict[str, str]:
    """Every file that the remedy may write, and what lies beside them."""
    places = ["/etc/postfix", "/etc/default"]
    names = lab.relay.run(["find", *places, "-type", "f", "!", "-name", "*.tmp"]).stdout.split()
    return {name: lab.relay.read(name) for name in names}


def leftovers(lab: Lab) -> str:
    """What a change leaves beside its files until it is over."""
    return lab.relay.run(["find", "/etc/postfix", "/etc/default", "-name", "*.mailmend-*"]).stdout


def rewrites_into(lab: Lab) -> str:
    """The domain that the running daemon gives to strangers."""
    said = lab.relay.run(["postmap", "-q", "alice@sender.example", srs.FORWARD])
    return said.stdout.strip().rpartition("@")[2]


def pids(lab: Lab) -> set[str]:
    return set(lab.relay.run(["pidof", "postsrsd"]).stdout.split())


def fix(lab: Lab, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", "fix", "--remedy", "srs", "--yes", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def until(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def edit(lab: Lab, change: Callable[[str], str]) -> None:
    lab.relay.write(DEFAULTS, change(lab.relay.read(DEFAULTS)))


# ---- what must not happen -----------------------------------------------------------------


def test_a_daemon_that_was_started_by_hand_is_not_taken_away_from_whoever_did(host: Lab) -> None:
    host.relay.run(["rm", "/run/postsrsd.pid"])
    before, running = files(host), pids(host)
    told = fix(host, code=4)["error"]
    assert told["reason"].startswith("postsrsd has to be started anew, and was started by hand (process ")
    assert told["next_step"].endswith("/etc/init.d/postsrsd start")
    assert (files(host), pids(host)) == (before, running)


def test_a_domain_that_the_operator_chose_for_it_is_not_taken_away(host: Lab) -> None:
    host.dns.publish(
        "fwd.example.org MX 10 relay.example.org.", "fwd.example.org TXT v=spf1 ip4:192.0.2.10 -all"
    )
    edit(host, lambda text: f"{text}SRS_DOMAIN=fwd.example.org\n")
    host.relay.stop_daemon("postsrsd")
    host.relay.start_daemon("postsrsd", 10001, 10002)
    before, running = host.relay.read(DEFAULTS), pids(host)
    fix(host, "--confirm")
    assert (host.relay.read(DEFAULTS), pids(host)) == (before, running)
    host.outcomes(host.send(count=1))
    assert host.receiver.received()[-1].mail_from.endswith("=sender.example=alice@fwd.example.org")
    assert fix(host)["state"] == "in-place"


def test_no_other_line_of_its_settings_is_touched(host: Lab) -> None:
    before = host.relay.read(DEFAULTS).split("\n")
    fix(host, "--confirm")
    after = host.relay.read(DEFAULTS).split("\n")
    assert [line for line in after if line not in before] == ["SRS_DOMAIN=srs.example.org"]
    assert [line for line in before if line not in after] == []


# ---- what goes wrong is taken back ----------------------------------------------------------


def test_where_the_proof_fails_the_daemon_goes_back_too(host: Lab) -> None:
    """It is told to leave the very sender that the proof asks about as he is."""
    edit(host, lambda text: f"{text}SRS_EXCLUDE_DOMAINS=sender.example\n")
    before, running = files(host), pids(host)
    done = host.relay.mailmend("--json", "fix", "--remedy", "srs", "--yes")
    assert done.returncode == 4, done.stdout
    assert files(host) == before
    assert not pids(host) & running
    said = host.relay.run(["postmap", "-q", "alice@other.example", srs.FORWARD]).stdout
    assert said.strip().endswith("=other.example=alice@example.org")


def test_a_daemon_that_does_not_come_back_has_postfix_as_it_was(host: Lab) -> None:
    """It ends of what it reads at its next start: that is said, and Postfix runs on its old files."""
    before = files(host)
    host.relay.run(["rm", "/etc/postsrsd.secret"])
    done = host.relay.mailmend("--json", "fix", "--remedy", "srs", "--yes")
    assert done.returncode == 4, done.stdout
    assert "postsrsd did not start anew" in done.stdout
    assert files(host) == before
    assert "127.0.0.1:10029" not in host.relay.listeners_ss()
    (local,) = host.outcomes(host.send(to="postmaster@relay.example.org", count=1)).values()
    assert local.text == "delivered to mailbox"


def test_sh_alone_takes_the_daemon_back(host: Lab) -> None:
    before = files(host)
    assert fix(host)["state"] == "trial"
    assert rewrites_into(host) == "srs.example.org"
    host.relay.run(["sh", SCRIPT])
    assert rewrites_into(host) == "example.org"
    until(lambda: not leftovers(host))
    assert files(host) == before


@pytest.mark.slow  # nobody confirms for five seconds
def test_a_change_that_nobody_confirms_is_taken_back_from_the_daemon_too(host: Lab) -> None:
    before = files(host)
    fix(host, "--confirm-within", "5")
    until(lambda: rewrites_into(host) == "example.org")
    until(lambda: not leftovers(host))
    assert files(host) == before


def killed(host: Lab, after: float, guard: str) -> None:
    """The change, killed *after* seconds from its first touch; *guard* is what is done to its guard then."""
    before = files(host)
    command = f"{sys.executable} -P -m mailmend fix --remedy srs --yes --confirm"
    host.relay.run(
        [
            "sh",
            "-c",
            f"setsid {command} >/dev/null 2>&1 & pid=$!;"
            " for i in $(seq 500); do [ -e /var/lib/mailmend/trial ] && break; sleep 0.02; done;"
            f" sleep {after:.3f}; kill -KILL -$pid; {guard}; wait",
        ]
    )
    story = f"killed after {after} s, {guard}"
    host.relay.mailmend("status")
    until(lambda: not leftovers(host) and '"intent"' not in host.relay.mailmend("--json", "history").stdout)
    told = json.loads(host.relay.mailmend("--json", "history").stdout)["records"]
    kept = any(record["state"] == "kept" for record in told)
    assert (files(host) == before) is not kept, story
    assert rewrites_into(host) == ("srs.example.org" if kept else "example.org"), story


_ALIVE, _DEAD = ":", "pkill -KILL -f '[u]ndo.sh guard'; pkill -KILL -f 'mailmend recove[r]'"


def test_killed_while_it_is_being_proven_files_and_daemon_agree(host: Lab) -> None:
    killed(host, 0.5, _DEAD)


@pytest.mark.slow
@pytest.mark.parametrize("guard", [_ALIVE, _DEAD], ids=["guarded", "alone"])
@pytest.mark.parametrize("after", [n / 10 for n in range(16)])
def test_killed_at_any_moment_files_and_daemon_agree(host: Lab, after: float, guard: str) -> None:
    killed(host, after, guard)


# ---- undone ---------------------------------------------------------------------------------


def test_undone_it_rewrites_as_before_and_what_others_wrote_meanwhile_stays(host: Lab) -> None:
    before = host.relay.read(DEFAULTS)
    fix(host, "--confirm")
    assert rewrites_into(host) == "srs.example.org"
    edit(host, lambda text: f"# ours\n{text}")
    undone = host.relay.mailmend("--json", "undo")
    assert undone.returncode == 0, undone.stdout
    assert host.relay.read(DEFAULTS) == f"# ours\n{before}"
    assert rewrites_into(host) == "example.org"


def test_a_domain_that_others_set_since_is_a_conflict(host: Lab) -> None:
    fix(host, "--confirm")
    edit(host, lambda text: text.replace("SRS_DOMAIN=srs.example.org", "SRS_DOMAIN=fwd.example.org"))
    after = files(host)
    undone = host.relay.mailmend("--json", "undo")
    assert undone.returncode == 4
    assert f"CONFLICT: {DEFAULTS} was changed since" in undone.stdout
    assert files(host) == after
