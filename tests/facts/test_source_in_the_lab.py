"""The source address that we tell is the one that a receiver sees, whatever setting decides it."""

from __future__ import annotations

import json
import sys

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab

_TELL = """
import json
from mailmend.facts.source import used
from mailmend.model import Scope
from mailmend.system.live import live
from mailmend.system.probe import Remembering

found = used(Scope(recipients=("friend@elsewhere.example",)), Remembering(live()))
print(json.dumps({s.family: [s.ip, s.decided] for s in found}))
"""

FIRST4, FIRST6, OTHER6 = "192.0.2.10", "2001:db8:1::10", "2001:db8:1::25"


@pytest.mark.parametrize(
    ("main", "overrides", "told"),
    [
        ({}, (), {"ipv4": [FIRST4, "kernel"], "ipv6": [FIRST6, "kernel"]}),
        (
            {"smtp_bind_address6": OTHER6},
            (),
            {"ipv4": [FIRST4, "kernel"], "ipv6": [OTHER6, "smtp_bind_address6"]},
        ),
        (
            {"smtp_bind_address6": FIRST6},
            (f"smtp/unix/smtp_bind_address6={OTHER6}",),
            {"ipv4": [FIRST4, "kernel"], "ipv6": [OTHER6, "smtp_bind_address6"]},
        ),
        (
            {"inet_interfaces": f"127.0.0.1, {FIRST4}, {OTHER6}"},
            (),
            {"ipv4": [FIRST4, "kernel"], "ipv6": [OTHER6, "inet_interfaces"]},
        ),
        (
            {"smtp_bind_address6": "2001:db8:1::99"},
            (),
            {"ipv4": [FIRST4, "kernel"], "ipv6": [FIRST6, "kernel"]},
        ),
        ({"inet_protocols": "ipv4"}, (), {"ipv4": [FIRST4, "kernel"]}),
        ({}, ("smtp/unix/inet_protocols=ipv6",), {"ipv6": [FIRST6, "kernel"]}),
    ],
    ids=[
        "kernel",
        "bound-in-main.cf",
        "bound-by-the-service",
        "single-address-of-inet_interfaces",
        "bound-to-an-address-elsewhere",
        "ipv4-only",
        "client-with-ipv6-only",
    ],
)
def test_the_receiver_sees_what_we_tell(
    lab: Lab, main: dict[str, str], overrides: tuple[str, ...], told: dict[str, list[str]]
) -> None:
    lab.reset(main=main)
    for override in overrides:
        assert lab.relay.run(["postconf", "-P", override]).returncode == 0
    lab.relay.start()
    done = lab.relay.run([sys.executable, "-c", _TELL], timeout=30)
    assert json.loads(done.stdout or "null") == told, done.stderr
    for family, (ip, _) in told.items():
        lab.relay.run(["postconf", "-e", f"smtp_address_preference={family}"])
        lab.relay.run(["touch", "-d", "1 minute ago", "/etc/postfix/main.cf"])
        lab.relay.reload()
        (trace,) = lab.send(to="else@example.org", count=1)
        lab.outcomes([trace])
        assert [r.peer for r in lab.elsewhere.received() if r.trace == trace] == [ip]
