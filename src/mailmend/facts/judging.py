"""What opendmarc is set to, and whether it hears what opendkim verified (RFC 9989, RFC 8601).

It is chosen because it judges SPF and DKIM together: a policy service that knows SPF alone would refuse the forwards
of others, which fail SPF and are signed. It is in Debian 12 and 13 and Ubuntu 24.04.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network, ip_network

from mailmend.facts import signing
from mailmend.facts.looking import answer
from mailmend.facts.settings import lookup, value
from mailmend.model import Probe
from mailmend.parse import milter_conf, opendkim
from mailmend.parse.listing import words
from mailmend.questions import File, Stat

PROGRAM = "/usr/sbin/opendmarc"
SETTINGS = milter_conf.OPENDMARC
IGNORED = "/etc/opendmarc/ignore.hosts"
PORT = 8893
_YES = ("yes", "true", "1")


@dataclass(frozen=True, slots=True)
class Judge:
    """opendmarc's settings: *socket* as written there, *name* under which it writes its results, *trusted* those whose
    results it takes. *own_spf*: it looks SPF up itself. *refuses* by itself. *ignored*: clients that it does not judge,
    by the file *ignore_hosts*, "" where none is named.
    """

    socket: str
    name: str
    trusted: tuple[str, ...]
    own_spf: bool
    refuses: bool
    ignores_users: bool
    ignore_hosts: str
    ignored: tuple[str, ...]


def judge(probe: Probe) -> Judge:
    """As it is set. Unknown where that cannot be read."""
    read = opendkim.settings(answer(probe, File(SETTINGS)).text)
    path = read.get("ignorehosts", "")
    kept = answer(probe, File(path if path.startswith("/") else IGNORED))
    return Judge(
        read.get("socket", ""),
        read.get("authservid", "").lower(),
        opendkim.words(read.get("trustedauthservids", "")),
        read.get("spfselfvalidate", "").lower() in _YES,
        read.get("rejectfailures", "").lower() in _YES,
        read.get("ignoreauthenticatedclients", "").lower() in _YES,
        path,
        tuple(kept.text.split()) if kept.exists else (),
    )


def is_judge(listed: str, probe: Probe) -> bool:
    """Whether the milter *listed* is opendmarc as it is set here, which only adds fields to what others signed."""
    if not answer(probe, Stat(PROGRAM)).exists:
        return False
    place = signing.milter(judge(probe).socket, probe)
    return bool(place) and signing.named(place, listed)


def refused(probe: Probe) -> bool:
    """Whether what opendmarc found forged, and its author wants rejected, is refused: by itself, or by Postfix for what
    it says (milter_header_checks)."""
    found = judge(probe)
    said = f"Authentication-Results: {found.name}; dmarc=fail (p=reject dis=none) header.from=sender.example"
    action = lookup(probe, value(probe, "milter_header_checks"), said, whole=True)
    return found.refuses or action.partition(" ")[0].upper() == "REJECT"


@dataclass(frozen=True, slots=True)
class Verifier:
    """opendkim as it looks at what comes in. *asked* about what comes over SMTP; *verifies*: its mode has a `v`; *name*
    under which it writes its results, "" where nobody gave it one; *with_id*: each message's id stands behind it, by
    which opendmarc 1.4.2 takes them for somebody else's, and no signature counts."""

    asked: bool
    verifies: bool
    name: str
    with_id: bool


def verifier(probe: Probe) -> Verifier:
    """As it is set. Unknown where that cannot be read."""
    read = opendkim.settings(answer(probe, File(signing.SETTINGS)).text)
    place = signing.milter(read.get("socket", ""), probe)
    asked = bool(place) and signing.named(place, value(probe, "smtpd_milters"))
    return Verifier(
        asked,
        "v" in read.get("mode", "sv").lower(),
        read.get("authservid", "").lower(),
        read.get("authservidwithjobid", "").lower() in _YES,
    )


def clients(probe: Probe) -> tuple[str, ...]:
    """Networks that may relay here, besides loopback: what their people send is this host's own mail."""
    found = []
    for word in words(value(probe, "mynetworks")):
        try:
            network = ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue
        if (
            isinstance(network, IPv6Network)
            and network.network_address.ipv4_mapped
            and network.prefixlen >= 96
        ):
            network = ip_network(f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}")
        if not network.is_loopback:
            found.append(str(network))
    return tuple(dict.fromkeys(found))
