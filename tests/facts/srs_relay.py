"""A relay of the lab that forwards with real postsrsd, by an alias, a .forward and a table of its own."""

from __future__ import annotations

from typing import Any

from mailmend.jobs.forwarding_stage import DOMAIN, OWN, RECORDS, rewriting
from mailmend.jobs.forwarding_stage import start_postsrsd as postsrsd

__all__ = ["DOMAIN", "FORWARDS", "OWN", "RECORDS", "postsrsd", "start"]

FORWARDS = {
    "user@example.org": "someone@gmail.com",
    "both@example.org": "someone@gmail.com, root@relay.example.org",
}


def start(
    lab: Any,
    main: dict[str, str] | None = None,
    *,
    paced: bool = False,
    excluded: str = "",
    signer: str = "",
    files: dict[str, str] | None = None,
) -> Any:
    """The lab anew, with postsrsd and Postfix running; returns the relay.

    *excluded* is for SRS_EXCLUDE_DOMAINS; *signer* is opendkim's configuration where it is to run too; *files*
    may have a table `forwards` of its own.
    """
    arguments = rewriting(main or {}, paced=paced)
    forwards = "".join(f"{name} {to}\n" for name, to in FORWARDS.items())
    arguments["files"] |= {"forwards": forwards, **(files or {})}
    lab.reset(**arguments)
    lab.dns.publish(*RECORDS)
    relay = lab.relay
    relay.write("/etc/aliases", "postmaster: root\nalias: someone@gmail.com\n")
    relay.run(["postalias", "/etc/aliases"])
    _dotforward(relay)
    postsrsd(relay, excluded)
    if signer:
        relay.install("opendkim")
        relay.write("/etc/opendkim.conf", signer)
        relay.run(["openssl", "genrsa", "-out", "/etc/opendkim.key", "2048"])
        relay.start_daemon("opendkim", 8891)
    relay.start()
    return relay


def _dotforward(relay: Any) -> None:
    """An account `dot` whose .forward names somebody elsewhere."""
    account = "dot:x:4711:4711::/home/dot:/usr/sbin/nologin"
    if account not in relay.read("/etc/passwd"):
        relay.write("/etc/passwd", f"{relay.read('/etc/passwd')}{account}\n")
    relay.run(["mkdir", "-p", "/home/dot"])
    relay.write("/home/dot/.forward", "someone@gmail.com\n")
    relay.run(["chown", "-R", "4711", "/home/dot"])
