"""A copied configuration -> the ways that mail takes through it, each with a test mail of its own recipient.

The recipients are the host's own: its first domain, a mailbox and a forward out of its tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailmend.lab import clone_services, clone_tables
from mailmend.lab.clone_mail import MANY, Mail
from mailmend.lab.clone_values import Part
from mailmend.parse import logical

GMAIL, SIX, ORDINARY = "someone@gmail.com", "x@v6only.example", "friend@elsewhere.example"
STRANGER = "alice@sender.example"
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Forward:
    """*key* is expanded to *target*, an address somewhere else."""

    key: str
    target: str


def sender(part: Part, files: Mapping[str, str]) -> str:
    """Who mail of the host itself is from: its postmaster (postconf(5), myorigin)."""
    origin = part.value("myorigin") or part.value("myhostname")
    if origin.startswith("/"):
        origin = (files.get(origin, "").split() or [""])[0]
    domain = origin or part.value("mydomain") or "localhost.localdomain"
    return f"postmaster@{domain}"


def ways(
    parts: tuple[Part, ...], texts: Mapping[str, str], files: Mapping[str, str], googles: frozenset[str]
) -> tuple[Mail, ...]:
    """The test mails, by what the instances are configured for. *googles* are domains whose MX is Google's.

    *texts* are those of the tables, *files* the lists that values name.
    """
    own = sender(parts[0], files)
    found = [
        Mail("gmail", "mail of this host to Gmail", GMAIL, own, "host", MANY),
        Mail("ipv6-only", "mail of this host to a receiver with IPv6 alone", SIX, own, "host", 1),
        Mail("ordinary", "mail of this host to an ordinary receiver", ORDINARY, own, "host", 3),
    ]
    door = next((p for p in parts if _takes_strangers(p)), None)
    if door is None:
        return tuple(found)
    local = next(_domains(door, "mydestination", files), None)
    if local:
        found.append(
            Mail(
                "local", "a stranger's mail to a local mailbox", f"postmaster@{local}", STRANGER, "outside", 1
            )
        )
    if mailbox := next(_mailboxes(door, texts), None):
        found.append(
            Mail("mailbox", "a stranger's mail to a virtual mailbox", mailbox, STRANGER, "outside", 1)
        )
    relayed = next((d for d in _domains(door, "relay_domains", files) if d != local), None)
    if relayed:
        found.append(
            Mail("relay", f"a stranger's mail for {relayed}", f"postmaster@{relayed}", STRANGER, "outside", 1)
        )
    kinds: set[bool] = set()
    for forward in forwards(door, texts, local):
        google = forward.target.rpartition("@")[2].lower() in googles
        if google not in kinds:
            kinds.add(google)
            says = (
                f"a stranger's mail, forwarded to {'Gmail' if google else forward.target.rpartition('@')[2]}"
            )
            count = MANY if google else 3
            way = "forward-gmail" if google else "forward"
            found.append(Mail(way, says, forward.key, STRANGER, "outside", count))
    return tuple(found)


def forwards(part: Part, texts: Mapping[str, str], local: str | None) -> Iterator[Forward]:
    """The aliases whose first address lies in another domain, in the order of the tables."""
    ours = {d.lower() for name in _OURS for d in _DOMAIN.findall(part.value(name))}
    for setting in ("virtual_alias_maps", "alias_maps"):
        for table in _tables(part, setting):
            for key, value in entries(texts.get(table, ""), aliases=setting == "alias_maps"):
                target = next(iter(_ADDRESS.findall(value)), "")
                if not target or target.rpartition("@")[2].lower() in ours | {local or ""}:
                    continue
                if setting == "alias_maps" or "@" not in key:
                    if not local:
                        continue
                    yield Forward(f"{key}@{local}", target)
                else:
                    yield Forward(f"anybody{key}" if key.startswith("@") else key, target)


_OURS = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "myhostname", "mydomain")


def entries(text: str, *, aliases: bool) -> Iterator[tuple[str, str]]:
    """(key, value) of a table's text (postmap(1)), or of aliases(5)."""
    for line in logical.lines(text):
        if aliases:
            key, colon, value = line.text.partition(":")
            if colon and not key.startswith("/"):
                yield key.strip().strip('"'), value.strip()
        elif len(words := line.text.split(None, 1)) == 2 and not words[0].startswith("/"):
            yield words[0], words[1].strip()


def _tables(part: Part, setting: str) -> list[str]:
    """The tables of *setting* whose texts list their keys."""
    patterns = ("regexp", "pcre", "cidr")
    return [t.name for t in clone_tables.named(setting, part.value(setting)) if t.type not in patterns]


def _mailboxes(part: Part, texts: Mapping[str, str]) -> Iterator[str]:
    for table in _tables(part, "virtual_mailbox_maps"):
        for key, _ in entries(texts.get(table, ""), aliases=False):
            if "@" in key:
                yield f"anybody{key}" if key.startswith("@") else key


def _domains(part: Part, setting: str, files: Mapping[str, str]) -> Iterator[str]:
    for word in re.split(r"[\s,]+", part.value(setting)):
        text = files.get(word, "") if word.startswith("/") else word
        for name in text.split():
            if _DOMAIN.fullmatch(name) and not name.startswith("localhost"):
                yield name


def _takes_strangers(part: Part) -> bool:
    """Whether an inet service at port 25 listens beyond the loopback."""
    hosts = [host for host, port in clone_services.listeners(part) if port == 25]
    everywhere = part.value("inet_interfaces") not in ("loopback-only", "localhost", "127.0.0.1")
    return any(everywhere if not host else host not in ("localhost", "127.0.0.1", "::1") for host in hosts)
