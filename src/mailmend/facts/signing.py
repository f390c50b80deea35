"""What opendkim is set to sign with, where Postfix reaches it, and whether its key is published (RFC 6376)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import PurePosixPath

from mailmend.facts.looking import answer
from mailmend.facts.settings import value
from mailmend.model import Change, Probe
from mailmend.parse import milter_conf, opendkim
from mailmend.parse.listing import words
from mailmend.questions import Bindable, File, Records, Stat

PROGRAM = "/usr/sbin/opendkim"
SETTINGS = milter_conf.OPENDKIM
# The key that mailmend makes where opendkim has none; the record stands beside it, as opendkim-genkey(8) has it.
SELECTOR = "mailmend"
KEY = f"/etc/dkimkeys/{SELECTOR}.private"
PORT = 8891
# opendkim.conf(5) InternalHosts, as it is compiled in where nobody wrote one.
LOOPBACK = ("127.0.0.1", "::1")
_ALTERING = ("removeoldsignatures", "replaceheaders", "replacerules", "removearall", "removearfrom")


@dataclass(frozen=True, slots=True)
class Signer:
    """opendkim's settings. *tables*: which key signs for whom stands in tables, which are not read here.

    *listed*: the file or database in which the domains stand, "" where they are written out; it is not read. *socket*
    as written there. *internal*: the clients whose mail it signs besides those who logged in; *internal_file*: where
    they stand, "" where they are written out. *alters*: it is set to take out or write anew what others signed.
    *only_verifies*: its mode has no `s`.
    """

    domains: tuple[str, ...]
    subdomains: bool
    selector: str
    key: str
    socket: str
    internal: tuple[str, ...]
    tables: bool
    alters: bool
    listed: str = ""
    internal_file: str = ""
    only_verifies: bool = False

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
    domain, hosts = read.get("domain", ""), read.get("internalhosts", ",".join(LOOPBACK))
    internal, file = opendkim.words(hosts), "" if opendkim.words(hosts) else hosts.rpartition(":")[2]
    if file.startswith("/"):
        kept = answer(probe, File(file)).text.splitlines()
        internal = tuple(word.lower() for line in kept for word in line.partition("#")[0].split())
    return Signer(
        opendkim.words(domain),
        read.get("subdomains", "").lower() in ("yes", "true", "1"),
        read.get("selector", ""),
        read.get("keyfile", ""),
        read.get("socket", ""),
        internal,
        "keytable" in read or "signingtable" in read,
        any(name in read for name in _ALTERING),
        "" if opendkim.words(domain) else domain,
        file,
        "s" not in read.get("mode", "sv").lower(),
    )


def written_with(path: str, lines: Iterable[str], probe: Probe) -> Iterator[Change]:
    """The file *path*, settings of a milter, with *lines*; nothing where there are none. Unknown: it cannot be read.

    The milter is started anew by whoever writes it (system/beside.py).
    """
    if wanted := tuple(lines):
        text = answer(probe, File(path)).text
        yield Change("file", path, text, milter_conf.assign(text, wanted), "reload")


def rspamd(domains: Iterable[str], probe: Probe) -> str:
    """The file by which rspamd signs for one of *domains*, where Postfix asks it at all; "" where none is there.

    Its module dkim_signing needs a key at its own place, or settings (rspamd.com/doc/modules/dkim_signing.html).
    """
    asked = " ".join(value(probe, name) for name in ("smtpd_milters", "non_smtpd_milters")).lower()
    if "rspamd" not in asked and not re.search(r":11332\b", asked):
        return ""
    for folder in ("override.d", "local.d"):
        path = f"/etc/rspamd/{folder}/dkim_signing.conf"
        seen = answer(probe, File(path))
        if seen.exists:
            off = re.search(r"^\s*enabled\s*=\s*\"?(?:false|no|off)\b", seen.text, re.MULTILINE)
            return "" if off else path
    keys = (f"/var/lib/rspamd/dkim/{domain}.dkim.key" for domain in domains)
    return next((key for key in keys if answer(probe, Stat(key)).exists), "")


def covered(network: str, listed: Iterable[str]) -> bool:
    """Whether all of *network* is of one of *listed*, addresses and networks; names among them say nothing of it."""
    wanted = ip_network(network, strict=False)
    for each in listed:
        try:
            other = ip_network(each.strip("[]"), strict=False)
        except ValueError:
            continue
        if wanted.version == other.version and wanted.subnet_of(other):  # type: ignore[arg-type]
            return True
    return False


def milter(socket: str, probe: Probe) -> str:
    """opendkim's socket as Postfix names it (postconf(5) smtpd_milters); "" where smtpd(8) cannot reach it.

    A path is relative to the queue directory, so that it means the same within a chroot and without. One outside of
    it is reached only by daemons without a chroot: that they do is believed where it is named in main.cf already.
    """
    kind, _, place = socket.partition(":")
    if kind == "inet":
        port, _, host = place.partition("@")
        inside = host.strip("[]") in ("", "localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104
        return f"inet:127.0.0.1:{port}" if inside and port.isdigit() else ""
    path = place if kind in ("local", "unix") else socket
    queue = value(probe, "queue_directory")
    if path.startswith(f"{queue}/"):
        return f"unix:{path.removeprefix(f'{queue}/')}"
    there = path.startswith("/") and named(f"unix:{path}", value(probe, "smtpd_milters"))
    return f"unix:{path}" if there else ""


def named(milter: str, value: str) -> bool:
    """Whether the list *value* (smtpd_milters) has this one, in braces with options or without, however it is written
    (postconf(5) smtpd_milters): a path may be below the queue directory or from the root of the chroot or the host."""
    kind, _, place = milter.partition(":")
    for word in words(value):
        how, _, where = next(iter(words(word.strip("{} \t"))), "").partition(":")
        if kind == "inet":
            host, _, port = where.rpartition(":")
            if how == kind and place == f"{'127.0.0.1' if host == 'localhost' else host.strip('[]')}:{port}":
                return True
        elif how in ("unix", "local") and f"/{where}".endswith(f"/{place.lstrip('/')}"):
            return True
    return False


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
    path = place if place.startswith("/") else f"{value(probe, 'queue_directory')}/{place}"
    return answer(probe, Stat(path)).exists


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
