"""The private network: names that change while it runs, a resolver in four moods, commands inside the relay."""

from __future__ import annotations

import time

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab
ASK = "import socket, sys; print(socket.getfqdn(sys.argv[1]))"


@pytest.fixture
def world(lab: Lab) -> Lab:
    lab.reset()
    return lab


def reverse(lab: Lab, ip: str) -> str:
    return lab.relay.run(["python3", "-c", ASK, ip]).stdout.strip()


def test_a_record_that_is_published_is_seen_at_once_and_withdrawn_again(world: Lab) -> None:
    assert reverse(world, "2001:db8:1::10") == "2001:db8:1::10"
    world.dns.publish("2001:db8:1::10 PTR relay.example.org.")
    assert reverse(world, "2001:db8:1::10") == "relay.example.org"
    world.dns.withdraw("2001:db8:1::10", "PTR")
    assert reverse(world, "2001:db8:1::10") == "2001:db8:1::10"


def test_nonsense_is_no_record(world: Lab) -> None:
    with pytest.raises(Exception, match=r"no DNS record: example\.org A relay"):
        world.dns.publish("example.org A relay")


def test_a_lying_resolver_names_another_host(world: Lab) -> None:
    world.dns.mode("lying")
    assert reverse(world, "192.0.2.10") == "host.liar.example"


def test_a_failing_resolver_defers_mail_and_loses_none(world: Lab) -> None:
    world.relay.start()
    world.dns.mode("servfail")
    (outcome,) = world.outcomes(world.send(count=1)).values()
    assert outcome.status == "deferred"
    assert "try again" in outcome.text


def test_the_relay_is_a_server_with_default_paths_and_no_ways_out(world: Lab) -> None:
    run = world.relay.run
    assert run(["hostname", "-f"]).stdout == "relay.example.org\n"
    assert (
        run(["postconf", "-h", "config_directory", "queue_directory"]).stdout
        == "/etc/postfix\n/var/spool/postfix\n"
    )
    assert run(["postfix", "check"]).returncode == 0
    assert "host" not in [line.split()[2] for line in run(["mount"]).stdout.splitlines()]
    assert run(["ls", "/.host"]).stdout == ""


def test_a_command_has_real_streams_and_an_exit_status(world: Lab) -> None:
    done = world.relay.run(["sh", "-c", "cat; echo aside >&2; exit 7"], input="said\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "said\n", "aside\n")


def test_a_command_that_hangs_is_ended(world: Lab) -> None:
    with pytest.raises(TimeoutError):
        world.relay.run(["sh", "-c", "sleep 600 & sleep 600"], timeout=0.3)
    time.sleep(0.2)
    assert "600" not in world.relay.run(["sh", "-c", "cat /proc/[0-9]*/cmdline"]).stdout


def test_mailmend_runs_inside_and_ends_with_its_own_status(world: Lab) -> None:
    assert world.relay.mailmend("--version").returncode == 0
    assert world.relay.mailmend("--no-such-option").returncode == 2


def test_a_reset_leaves_nothing_of_the_last_story(world: Lab) -> None:
    world.relay.reset(main={"myhostname": "mx.example.org"}, files={"junk": "x"}, master_extra="# mine\n")
    world.relay.start()
    world.outcomes(world.send(count=3))
    world.relay.write("/var/lib/mailmend/state", "x")
    world.relay.reset()
    assert world.relay.log() == ""
    listing = world.relay.run(["find", "/etc/postfix/junk", "/var/lib/mailmend/state"]).stdout
    assert listing == ""
    assert world.relay.run(["postqueue", "-c", "/etc/postfix", "-j"]).stdout == ""
    assert "mx.example.org" not in world.relay.read("/etc/postfix/main.cf")
    assert "# mine" not in world.relay.read("/etc/postfix/master.cf")
