"""What SRS makes of forwards is rehearsed with a postsrsd of the lab's own, and comes true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from facts import srs_relay
from mailmend.lab import Lab
from worlds import whole_host

pytestmark = [pytest.mark.lab, pytest.mark.slow]  # two rehearsals and a fix


@pytest.fixture
def host(lab: Lab) -> Iterator[Lab]:
    """A relay that forwards, with postsrsd as its installation leaves it, and the records published."""
    lab.reset(main={"inet_protocols": "ipv4"})
    if why := whole_host.lab_inside(lab):
        pytest.skip(f"no lab inside a lab here: {why}")
    lab.receiver.world("strict")
    lab.dns.publish(*srs_relay.RECORDS)
    lab.relay.install("postsrsd")
    lab.relay.start_daemon("postsrsd", 10001, 10002)
    lab.relay.start()
    yield lab
    lab.reset()


def rehearsed(lab: Lab, *words: str) -> tuple[dict[str, Any], set[str]]:
    """The passages by their way, and what of the host was not the same."""
    done = lab.relay.mailmend("--json", "rehearse", *words, timeout=150)
    told = json.loads(done.stdout)
    return {p["id"]: p for p in told["passages"]}, {each["what"] for each in told["left_out"]}


def fates(passage: dict[str, Any], when: str) -> set[str]:
    return {fate["status"] for fate in passage[when]}


def test_the_copy_rewrites_as_the_change_says_and_so_does_the_host_then(host: Lab) -> None:
    ways, left = rehearsed(host, "--remedy", "srs")
    strict = ways["forward-gmail-strict"]
    assert (fates(strict, "before"), fates(strict, "after")) == ({"bounced"}, {"sent"})
    assert fates(ways["local"], "after") == {"sent"}
    assert "postsrsd of this host" in left
    assert not any("tcp:127.0.0.1" in what for what in left)
    fixed = host.relay.mailmend("fix", "--remedy", "srs", "--yes", "--confirm")
    assert fixed.returncode == 0, fixed.stdout
    assert {o.status for o in host.outcomes(host.send(count=3)).values()} == {"sent"}
    # One that does not run on the host does not run in the copy.
    host.relay.stop_daemon("postsrsd")
    ways, left = rehearsed(host, "message_size_limit=20480000")
    assert fates(ways["forward-gmail"], "before") == {"deferred"}
    assert "tcp:127.0.0.1:10001" in left
