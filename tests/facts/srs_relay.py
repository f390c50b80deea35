"""A relay of the lab that forwards with real postsrsd, set up by facts/srs.py."""

from __future__ import annotations

from typing import Any

from mailmend.facts import srs

DOMAIN = "srs.example.org"
OWN = ("example.org", "relay.example.org", "localhost.example.org", "localhost")
FORWARDS = {
    "user@example.org": "someone@gmail.com",
    "both@example.org": "someone@gmail.com, root@relay.example.org",
}
RECORDS = (
    f"{DOMAIN} MX 10 relay.example.org.",
    f"{DOMAIN} TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all",
)


def settings(relay: Any, main: dict[str, str], *, paced: bool = False) -> dict[str, Any]:
    """Arguments for RelayHost.reset: *main* with SRS beside it."""
    made = srs.scoped(DOMAIN, OWN, "/etc/postfix", paced=paced)
    kept = {
        "virtual_alias_maps": "texthash:/etc/postfix/forwards",
        "virtual_alias_domains": "example.org",
    } | main
    added = {name: f"{value}, {kept[name]}" if kept.get(name) else value for name, value in made.settings}
    return {
        "main": {**kept, **added},
        "master_extra": "".join(text for _name, text in made.services),
        "files": dict(made.tables),
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
    arguments = settings(lab.relay, main or {}, paced=paced)
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


def postsrsd(relay: Any, excluded: str = "") -> None:
    relay.install("postsrsd")
    defaults = relay.read("/etc/default/postsrsd")
    more = f"SRS_DOMAIN={DOMAIN}\nSRS_EXCLUDE_DOMAINS={excluded}\n"
    relay.write("/etc/default/postsrsd", defaults + more)
    relay.start_daemon("postsrsd", 10001, 10002)


def _dotforward(relay: Any) -> None:
    """An account `dot` whose .forward names somebody elsewhere."""
    account = "dot:x:4711:4711::/home/dot:/usr/sbin/nologin"
    if account not in relay.read("/etc/passwd"):
        relay.write("/etc/passwd", f"{relay.read('/etc/passwd')}{account}\n")
    relay.run(["mkdir", "-p", "/home/dot"])
    relay.write("/home/dot/.forward", "someone@gmail.com\n")
    relay.run(["chown", "-R", "4711", "/home/dot"])
