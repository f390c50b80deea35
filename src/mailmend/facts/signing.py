"""What opendkim is set to sign with, where Postfix reaches it, and whether its key is published (RFC 6376)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from mailmend.facts.looking import answer
from mailmend.facts.settings import value
from mailmend.model import Probe
from mailmend.parse import opendkim
from mailmend.parse.listing import words
from mailmend.questions import Bindable, File, Records, Stat

PROGRAM = "/usr/sbin/opendkim"
SETTINGS = "/etc/opendkim.conf"
# The key that mailmend makes where opendkim has none; the record stands beside it, as opendkim-genkey(8) has it.
SELECTOR = "mailmend"
KEY = f"/etc/dkimkeys/{SELECTOR}.private"
PORT = 8891
_ALTERING = ("removeoldsignatures", "replaceheaders", "replacerules", "removearall", "removearfrom")


@dataclass(frozen=True, slots=True)
class Signer:
    """opendkim's settings. *tables*: which key signs for whom stands in tables, which are not read here.

    *socket* as written there. *internal*: the clients whose mail it signs besides those who logged in. *alters*: it
    is set to take out or write anew what others signed.
    """

    domains: tuple[str, ...]
    subdomains: bool
    selector: str
    key: str
    socket: str
    internal: tuple[str, ...]
    tables: bool
    alters: bool

    def signs(self, domain: str) -> bool:
        """Whether mail whose author is of *domain* is signed."""
        return bool(self.stands_for(domain))

    def stands_for(self, domain: str) -> str:
        """The domain that signs for authors of *domain*: itself or one above it; "" for none."""
        above = [parent for parent in self.domains if self.subdomains and domain.endswith(f".{parent}")]
        return domain if domain in self.domains else max(above, key=len, default="")


def signer(probe: Probe) -> Signer:
    """As it is set; everything empty where nothing is. Unknown where that cannot be read."""
    read = opendkim.settings(answer(probe, File(SETTINGS)).text)
    return Signer(
        opendkim.words(read.get("domain", "")),
        read.get("subdomains", "").lower() in ("yes", "true", "1"),
        read.get("selector", ""),
        read.get("keyfile", ""),
        read.get("socket", ""),
        opendkim.words(read.get("internalhosts", "127.0.0.1")),
        "keytable" in read or "signingtable" in read,
        any(name in read for name in _ALTERING),
    )


def milter(socket: str, probe: Probe) -> str:
    """opendkim's socket as Postfix names it (postconf(5) smtpd_milters); "" where smtpd(8) cannot reach it.

    A path is relative to the queue directory, so that it means the same within a chroot and without.
    """
    kind, _, place = socket.partition(":")
    if kind == "inet":
        port, _, host = place.partition("@")
        inside = host.strip("[]") in ("", "localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104
        return f"inet:127.0.0.1:{port}" if inside and port.isdigit() else ""
    path = place if kind in ("local", "unix") else socket
    queue = value(probe, "queue_directory")
    return f"unix:{path.removeprefix(f'{queue}/')}" if path.startswith(f"{queue}/") else ""


def named(milter: str, value: str) -> bool:
    """Whether the list *value* (smtpd_milters) has this one, in braces with options or without."""
    same = {milter, milter.replace("127.0.0.1", "localhost")}
    return any(same & set(words(word.strip("{} \t"))[:1]) for word in words(value))


def leaves_alone(listed: str, probe: Probe) -> bool:
    """Whether the milter *listed* is opendkim as it is set here, which only adds fields to what others signed."""
    if not answer(probe, Stat(PROGRAM)).exists:
        return False
    found = signer(probe)
    place = milter(found.socket, probe)
    return bool(place) and named(place, listed) and not found.alters


def listens(milter: str, probe: Probe) -> bool:
    """Whether there is somebody at the socket that *milter* names."""
    kind, _, place = milter.partition(":")
    if kind == "inet":
        host, _, port = place.rpartition(":")
        # A socket that can be bound is nobody's.
        return bool(answer(probe, Bindable(host, int(port))))
    return answer(probe, Stat(f"{value(probe, 'queue_directory')}/{place}")).exists


def record_of(key: str, probe: Probe) -> str:
    """The TXT record that belongs to *key*, by the file beside it; "" where there is none."""
    beside = answer(probe, File(str(PurePosixPath(key).with_suffix(".txt"))))
    return opendkim.record(beside.text) if beside.exists else ""


def published(domain: str, selector: str, record: str, probe: Probe) -> str:
    """The key record in DNS, where it has the public key of *record* (any key, where that is ""); else ""."""
    wanted = opendkim.tags(record).get("p", "")
    for text in answer(probe, Records(f"{selector}._domainkey.{domain}", "TXT")).records:
        there = opendkim.tags(text).get("p", "")
        if there and there == (wanted or there):
            return text
    return ""
