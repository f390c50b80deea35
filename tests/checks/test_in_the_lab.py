"""The checks on real Postfix: what they say of a live host, and of one whose resolver is dead."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab


def checked(lab: Lab, code: int | None = None) -> dict[str, set[str]]:
    done = lab.relay.mailmend("check", "--json")
    assert done.stdout, done.stderr
    assert done.returncode == (done.returncode if code is None else code)
    document: dict[str, Any] = json.loads(done.stdout)
    out: dict[str, set[str]] = {}
    for found in document["findings"]:
        out.setdefault(found["standing"], set()).add(f"{found['cause']} {found['subject']}")
    return out


def test_a_forwarder_without_ptr_over_ipv6(lab: Lab) -> None:
    lab.reset()
    lab.relay.start()
    lab.outcomes(lab.send(to="user@example.org", count=12))
    began = time.monotonic()
    told = checked(lab)
    assert time.monotonic() - began < 2
    assert {
        "ptr-missing 2001:db8:1::10",
        "forwarded-not-rewritten sender_canonical_maps",
        "ipv6-ptr-or-auth 2001:db8:1::10",
    } <= told["measured"]
    assert {"ptr-missing 192.0.2.10", "listener-missing [::]:25", "saved-not-loaded main.cf"} <= told[
        "cleared"
    ]
    assert "unknown" not in told


def test_a_dead_resolver_measures_nothing_that_needs_it(lab: Lab) -> None:
    lab.reset()
    lab.relay.start()
    lab.dns.mode("dead")
    try:
        began = time.monotonic()
        told = checked(lab)
        assert time.monotonic() - began < 10
    finally:
        lab.dns.mode("ok")
    assert {"ptr-missing 192.0.2.10", "ptr-missing 2001:db8:1::10"} <= told["unknown"]
    assert not {
        line for line in told.get("measured", ()) if line.startswith(("ptr", "fcrdns", "spf", "helo"))
    }


def test_the_kludge_saved_and_only_reloaded(lab: Lab) -> None:
    lab.reset()
    lab.relay.start()
    text = lab.relay.read("/etc/postfix/main.cf")
    lab.relay.write("/etc/postfix/main.cf", text + "\ninet_protocols = ipv4\n")
    told = checked(lab)
    assert {"saved-not-loaded main.cf", "loaded-not-restarted inet_protocols"} <= told["measured"]
    lab.relay.reload()
    told = checked(lab)
    assert "saved-not-loaded main.cf" in told["cleared"]
    assert {"loaded-not-restarted inet_protocols", "listener-left-open [::]:25"} <= told["measured"]
    lab.relay.stop()
    assert "postfix-not-running postfix" in checked(lab)["measured"]


def test_a_name_that_only_etc_hosts_knows_asks_for_no_restart(lab: Lab) -> None:
    lab.reset(main={"inet_interfaces": "localhost, inside"})
    hosts = lab.relay.read("/etc/hosts")
    lab.relay.write("/etc/hosts", hosts + "\n192.0.2.10 inside\n")
    try:
        lab.relay.start()
        told = checked(lab)
        assert "loaded-not-restarted inet_protocols" in told["cleared"]
        assert "listener-missing 192.0.2.10:25" in told["cleared"]
        master = lab.relay.read("/var/spool/postfix/pid/master.pid")
        for _ in range(2):
            done = lab.relay.mailmend("--json", "apply")
            assert json.loads(done.stdout)["activation"] == "none", done.stdout + done.stderr
        assert lab.relay.read("/var/spool/postfix/pid/master.pid") == master
    finally:
        lab.relay.write("/etc/hosts", hosts)


# A milter alone may sign, so that nothing about DKIM is measured.
QUIET = {"smtpd_milters": "inet:127.0.0.1:8891", "inet_protocols": "ipv4"}


def test_nothing_wrong_and_nothing_seen_is_not_clean(lab: Lab) -> None:
    lab.reset(main=QUIET)
    lab.relay.start()
    lab.dns.mode("dead")
    try:
        told = checked(lab, code=3)
    finally:
        lab.dns.mode("ok")
    assert "measured" not in told
    assert {"ptr-missing 192.0.2.10", "dkim-unsigned smtpd_milters"} <= told["unknown"]


def test_a_stopped_postfix_is_a_problem_and_all_else_is_looked_at(lab: Lab) -> None:
    lab.reset(main=QUIET)
    told = checked(lab, code=1)
    assert "postfix-not-running postfix" in told["measured"]
    assert "ptr-missing 192.0.2.10" in told["cleared"]
    assert not {line for standing in told.values() for line in standing if line.startswith("listener")}


def test_a_log_that_is_gone_clears_nothing(lab: Lab) -> None:
    lab.reset(main=QUIET)
    lab.relay.start()
    lab.relay.run(["mv", "/var/log/mail.log", "/var/log/gone"])
    try:
        told = checked(lab)
    finally:
        lab.relay.run(["mv", "/var/log/gone", "/var/log/mail.log"])
    assert {"ipv6-ptr-or-auth log", "forwarded-not-rewritten sender_canonical_maps"} <= told["unknown"]
    assert "ptr-missing 192.0.2.10" in told["cleared"]


TALK = """
import socket
stream = socket.create_connection(("192.0.2.10", 25), 5).makefile("rw", newline="\\r\\n")

def said():
    while (line := stream.readline())[3:4] == "-":
        pass
    return line[:3]

said()
for command in ("EHLO x.example", "MAIL FROM:<a@stranger.example>", "RCPT TO:<b@foreign.example>"):
    stream.write(command + "\\r\\n")
    stream.flush()
    reply = said()
print(reply)
"""
OURS = "127.0.0.0/8 [::1]/128"


@pytest.mark.parametrize(
    ("main", "reply", "told"),
    [
        ({"mynetworks": OURS}, "454", "cleared mynetworks"),
        (
            {"mynetworks": "0.0.0.0/0", "smtpd_relay_restrictions": "reject_unauth_destination"},
            "554",
            "cleared mynetworks",
        ),
        ({"mynetworks": "0.0.0.0/0"}, "250", "measured mynetworks"),
        (
            {
                "mynetworks": OURS,
                "smtpd_relay_restrictions": "check_client_access static:OK, reject_unauth_destination",
            },
            "250",
            "measured smtpd_relay_restrictions",
        ),
        (
            {
                "mynetworks": OURS,
                "smtpd_relay_restrictions": "open, reject_unauth_destination",
                "smtpd_restriction_classes": "open",
                "open": "permit",
            },
            "250",
            "measured smtpd_relay_restrictions",
        ),
        ({"mynetworks": OURS, "smtpd_relay_restrictions": "permit"}, "", "measured smtpd_relay_restrictions"),
    ],
    ids=[
        "only-ours",
        "wide-networks-without-a-right",
        "wide-networks",
        "a-table-says-OK",
        "a-class-permits",
        "permit-alone-and-smtpd-dies",
    ],
)
def test_an_open_relay_is_told_as_postfix_treats_a_stranger(
    lab: Lab, main: dict[str, str], reply: str, told: str
) -> None:
    lab.reset(main=main)
    lab.relay.start()
    found = checked(lab)
    standing, _, subject = told.partition(" ")
    assert f"open-relay {subject}" in found[standing], found
    if reply:
        assert lab.relay.run([sys.executable, "-c", TALK], timeout=20).stdout.strip() == reply
    else:
        lab.relay.run(
            [sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.10', 25), 5)"]
        )
        assert "specify at least one working instance of" in wait_for(lab, "fatal: in parameter")


def wait_for(lab: Lab, words: str) -> str:
    """The log's first line with *words*, for which up to 5 s are waited."""
    for _ in range(50):
        for line in lab.relay.log().splitlines():
            if words in line:
                return line
        time.sleep(0.1)
    return ""
