"""The lab's relay forwards mail of every kind of sender to the stand-in for Gmail, with a cure or none.

Every kind has a domain of its own at the receiver: pace is kept by destination, so none waits for another.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mailmend
from mailmend.facts import srs
from mailmend.lab import Attempt, Lab
from mailmend.lab.senders import Kind, kinds

CURES = ("none", "srs", "srs+pace", "ipv4-for-receiver", "all")
FAMILIES = ("ipv4", "ipv6")
DOMAIN = "srs.example.org"
OWN = ("example.org", "relay.example.org", "localhost.example.org", "localhost")
RECORDS = (
    f"{DOMAIN} MX 10 relay.example.org.",
    f"{DOMAIN} TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all",
)
# The relay's own name for its IPv6 address, which the lab begins without.
NAMED = ("2001:db8:1::10 PTR relay.example.org.",)
_FILTER = "/^[^ ]+\\.google\\.com\\. [^ ]+ IN AAAA / IGNORE\n"
# The receiver takes one message in 0.9 s; Postfix counts whole seconds, so two are at least one.
AT_ONCE, _SECONDS, _DELAY = 1, 0.9, "2s"


def begin(
    lab: Lab,
    cure: str,
    family: str,
    *,
    records: tuple[str, ...] = NAMED,
    main: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    """The relay with *cure*, trying *family* first; *records*, *main* and *files* are there besides."""
    settings = {"smtp_address_preference": family, **(main or {})}
    if cure in ("ipv4-for-receiver", "all"):
        settings["smtp_dns_reply_filter"] = "regexp:/etc/postfix/ipv4_only"
    if cure in ("srs+pace", "all"):
        settings["srs-paced_destination_rate_delay"] = _DELAY
    written = {
        "ipv4_only": _FILTER,
        "forwards": "".join(f"{to(kind)} someone@{at(kind)}\n" for kind in kinds()),
        **(files or {}),
    }
    if cure in ("none", "ipv4-for-receiver"):
        lab.reset(main={"virtual_alias_maps": "texthash:/etc/postfix/forwards", **settings}, files=written)
    else:
        made = rewriting(settings, paced=cure in ("srs+pace", "all"))
        lab.reset(**{**made, "files": {**made["files"], **written}})
        lab.dns.publish(*RECORDS)
        start_postsrsd(lab.relay)
    lab.relay.start()
    lab.receiver.world("strict")
    lab.dns.publish(*records, *(f"{at(kind)} MX 5 gmail-smtp-in.l.google.com." for kind in kinds()))


def rewriting(main: Mapping[str, str], *, paced: bool = False) -> dict[str, Any]:
    """What RelayHost.reset takes for *main* with SRS beside it, as facts/srs.py sets it up."""
    made = srs.scoped(DOMAIN, OWN, "/etc/postfix", paced=paced)
    kept = {
        "virtual_alias_maps": "texthash:/etc/postfix/forwards",
        "virtual_alias_domains": "example.org",
        **main,
    }
    added = {name: f"{value}, {kept[name]}" if kept.get(name) else value for name, value in made.settings}
    return {
        "main": {**kept, **added},
        "master_extra": "".join(text for _name, text in made.services),
        "files": dict(made.tables),
    }


def start_postsrsd(relay: Any, excluded: str = "") -> None:
    """The distribution's, for our SRS domain; *excluded* is for SRS_EXCLUDE_DOMAINS."""
    relay.install("postsrsd")
    defaults = relay.read("/etc/default/postsrsd")
    more = f"SRS_DOMAIN={DOMAIN}\nSRS_EXCLUDE_DOMAINS={excluded}\n"
    relay.write("/etc/default/postsrsd", defaults + more)
    relay.start_daemon("postsrsd", 10001, 10002)


def to(kind: Kind) -> str:
    return f"{kind.name}@example.org"


def at(kind: Kind) -> str:
    return f"at-{kind.name}.example"


def measured(lab: Lab) -> dict[str, Any]:
    """What mailmend measures in the relay, of each kind by its name, before any mail is sent (foretelling.py)."""
    asked = [
        {
            "name": kind.name,
            "recipient": f"someone@{at(kind)}",
            "allowed": AT_ONCE if kind.count > 1 else None,
            "sender": {
                "envelope": kind.envelope,
                "author": kind.author,
                "signer": "" if kind.broken else kind.signer,
                "signed": bool(kind.signer),
                "at_once": kind.count,
            },
        }
        for kind in kinds()
    ]
    source = {"PYTHONPATH": str(Path(mailmend.__file__).parents[1])}
    argv = [sys.executable, "-P", "-m", "mailmend.jobs.foretelling"]
    done = lab.relay.run(argv, input=json.dumps(asked), env=source)
    if done.returncode:
        raise RuntimeError(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def outcomes(lab: Lab) -> dict[str, list[Attempt]]:
    """What became of every kind's mail: the single ones first, then those that come many at once."""
    sent: dict[str, list[str]] = {}
    for kind in sorted(kinds(), key=lambda kind: kind.count):
        if kind.count > 1:
            # The receiver counts from now on, and the single ones are through.
            lab.outcomes([trace for traces in sent.values() for trace in traces])
            lab.receiver.allow(AT_ONCE, _SECONDS)
        sent[kind.name] = lab.send(
            to=to(kind), count=kind.count, sender=kind.envelope, author=kind.author, signer=kind.signer,
            broken=kind.broken,
        )  # fmt: skip
    every = lab.outcomes([trace for traces in sent.values() for trace in traces], timeout=60)
    return {name: [every[trace] for trace in traces] for name, traces in sent.items()}
