"""Our routes are those that Postfix's own trivial-rewrite(8) answers with, asked over its socket."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab

# Runs beside the server: for each (sender, recipient) the server's answer and ours.
_ASK = """
import json, socket, sys
from mailmend.facts.route import route
from mailmend.system.live import live
from mailmend.system.probe import Remembering

def theirs(sender, recipient):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect("/var/spool/postfix/private/rewrite")
        ask = ("request", "resolve", "sender", sender, "address", recipient)
        link.sendall(b"".join(word.encode() + b"\\0" for word in ask) + b"\\0")
        got = b""
        while b"recipient\\0" not in got or not got.endswith(b"\\0\\0"):
            got += link.recv(4096)
    words = got.decode().split("\\0")
    return [words[words.index(name) + 1] for name in ("transport", "nexthop")]

probe = Remembering(live())
out = []
for sender, recipient in json.loads(sys.argv[1]):
    ours = route(recipient, probe, sender)
    out.append([theirs(sender, recipient), [ours.service.removesuffix("/unix"), ours.nexthop]])
print(json.dumps(out))
"""

RECIPIENTS = (
    "a@gmail.com", "vip@gmail.com", "a@mapped.example", "a@sub.mapped.example", "a@dotted.example",
    "a@sub.dotted.example", "a@hop.example", "a@nothing.example", "a@empty.example", "a@customer.example",
    "a@sub.customer.example", "a@boxes.example", "root@localhost", "nobody@alias.example", "x@relay.example.org",
    "a@far.example", "other@far.example",
)  # fmt: skip
SENDERS = ("info@example.org", "boss@example.org", "x@away.example", "")

TABLES = {
    "transport": (
        "vip@gmail.com smtp:[vip.example.net]\nmapped.example relay:\n.dotted.example smtp:[dot.example.net]\n"
        "hop.example :[hop.example.net]\nnothing.example :\nempty.example smtp:\n"
        "sub.customer.example smtp:[c.example]\n"
    ),
    "by_sender": "@example.org [out.example.org]\nboss@example.org [boss.example.org]:587\n",
    "by_sender_transport": "@away.example relay:[away.example.net]\nboss@example.org relay:\n",
}
MAIN = {
    "mydestination": "$myhostname, localhost",
    "virtual_alias_domains": "alias.example",
    "virtual_mailbox_domains": "boxes.example",
    "relay_domains": "customer.example",
}
CONFIGURATIONS: dict[str, dict[str, str]] = {
    "plain": {},
    "transport-maps": {"transport_maps": "texthash:/etc/postfix/transport"},
    "relayhost": {"relayhost": "[smart.example.net]:587"},
    "relayhost-and-transport-maps": {
        "relayhost": "[smart.example.net]:587",
        "transport_maps": "texthash:/etc/postfix/transport",
    },
    "parents-without-dots": {
        "transport_maps": "texthash:/etc/postfix/transport",
        "parent_domain_matches_subdomains": "transport_maps",
    },
    "by-sender": {
        "relayhost": "[smart.example.net]",
        "sender_dependent_relayhost_maps": "texthash:/etc/postfix/by_sender",
        "sender_dependent_default_transport_maps": "texthash:/etc/postfix/by_sender_transport",
    },
    "transports-with-nexthop": {
        "relayhost": "[smart.example.net]",
        "default_transport": "smtp:[gate.example.net]",
        "relay_transport": "relay:[inner.example.net]",
        "virtual_transport": "lmtp:unix:private/dovecot",
    },
    "everything-by-sender": {
        "default_transport": "smtp:[gate.example.net]",
        "transport_maps": "texthash:/etc/postfix/transport",
        "sender_dependent_relayhost_maps": "texthash:/etc/postfix/by_sender",
        "sender_dependent_default_transport_maps": "texthash:/etc/postfix/by_sender_transport",
    },
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_route_is_the_servers_own(lab: Lab, name: str) -> None:
    files = {f"/etc/postfix/{table}": text for table, text in TABLES.items()}
    lab.relay.reset(main=MAIN | CONFIGURATIONS[name], files=files)
    lab.relay.start()
    asked = [[sender, recipient] for sender in SENDERS for recipient in RECIPIENTS]
    done = lab.relay.run([sys.executable, "-c", _ASK, json.dumps(asked)], timeout=60)
    answers: list[Any] = json.loads(done.stdout) if done.stdout else [done.stderr]
    wrong = [
        (pair, theirs, ours) for pair, (theirs, ours) in zip(asked, answers, strict=True) if theirs != ours
    ]
    assert not wrong
