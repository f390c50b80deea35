"""A relay that forwards to Gmail, mail of every kind of sender through it, and what the audit tells of each."""

from __future__ import annotations

import json
import time
from typing import Any

from mailmend.lab import Attempt, Lab
from mailmend.lab.senders import Kind, kinds

VERIFIER = """\
Mode v
Socket inet:8891@127.0.0.1
UserID root
Syslog yes
SyslogSuccess yes
LogResults yes
LogWhy yes
Nameservers 192.0.2.1
"""
PTR6 = "2001:db8:1::10 PTR relay.example.org."
MILTER = {"smtpd_milters": "inet:127.0.0.1:8891"}
AUTHORS = {"header_checks": "regexp:{{/^From:/ INFO}}"}
FORWARDS = {"virtual_alias_maps": "texthash:/etc/postfix/forwards"}
Key = tuple[str, str | None, tuple[str, ...] | None, bool | None]


def begin(
    lab: Lab, main: dict[str, str], *, verifier: bool = True, records: tuple[str, ...] = (PTR6,)
) -> None:
    lab.reset(main={**FORWARDS, **main}, files={"forwards": "u@example.org someone@gmail.com\n"})
    if verifier:
        run_verifier(lab)
    lab.relay.start()
    lab.receiver.world("strict")
    lab.dns.publish(*records)


def run_verifier(lab: Lab) -> None:
    lab.relay.install("opendkim")
    lab.relay.write("/etc/opendkim.conf", VERIFIER)
    lab.relay.start_daemon("opendkim", 8891)


def every_kind(lab: Lab) -> dict[str, list[Attempt]]:
    """Mail of every kind of sender, and what became of it."""
    sent = {
        kind.name: lab.send(
            to="u@example.org", count=kind.count, sender=kind.envelope, author=kind.author, signer=kind.signer,
            broken=kind.broken,
        )
        for kind in kinds()
    }  # fmt: skip
    every = lab.outcomes([trace for traces in sent.values() for trace in traces], timeout=60)
    return {name: [every[trace] for trace in traces] for name, traces in sent.items()}


def senders(lab: Lab, *words: str) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", "check", "forwarding", "--senders", *words)
    assert done.returncode in (0, 1, 3), done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def rows(told: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    return {
        (
            row["sender"],
            None if row["author_assumed"] else row["author"],
            None if row["verified"] is None else tuple(row["verified"]),
            row["signed"],
        ): row
        for row in told["senders"]
    }


def domain(address: str) -> str:
    return address.rpartition("@")[2]


def known_as(kind: Kind) -> Key:
    """What verifier and header_checks let this host know of such mail."""
    verified = (kind.signer,) if kind.signer and not kind.broken else ()
    return domain(kind.envelope), domain(kind.author), verified, bool(kind.signer)


def reload(lab: Lab) -> None:
    """What became of mail before this was under another configuration, and is no evidence any more."""
    time.sleep(1.1)
    lab.relay.run(["postfix", "reload"])
    lab.relay.wait_log(r"postfix/master\[\d+\]: reload -- version")
    time.sleep(1.1)
