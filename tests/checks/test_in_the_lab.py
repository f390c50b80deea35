"""The checks on real Postfix: what they say of a live host, and of one whose resolver is dead."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab


def checked(lab: Lab, *names: str) -> dict[str, set[str]]:
    done = lab.relay.mailmend("check", "--json", *names)
    assert done.stdout, done.stderr
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
