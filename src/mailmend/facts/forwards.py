"""Every address that this host sends on to somebody elsewhere, as the effective configuration has it.

Tables that Postfix can list are read whole (postmap(1) -s); of others (patterns, LDAP, SQL, sockets) it is asked for
the recipients that are known: accounts, what the tables of recipients list, and whom the log has mail for. What could
not be read is named, never left out silently. Mail that a transport hands to a receiver as it came is forwarded, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailmend.facts import mx, sieve, srs
from mailmend.facts.domains import address_class, is_own, origin, own_domains
from mailmend.facts.looking import answer
from mailmend.facts.route import unaliased
from mailmend.facts.settings import lookup, pattern_table, tables, value
from mailmend.model import CannotLook, Probe
from mailmend.parse.listing import words
from mailmend.questions import Addressed, File, MapEntries, MapLookup

# Types that postmap -s lists; proxymap(8) passes no listing on, so the table behind it is read.
_LISTED = ("hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash", "inline")
_ASKED = ("virtual_alias_maps", "recipient_canonical_maps", "canonical_maps", "alias_maps", "transport_maps")
_NO_ALIAS = ("@", "YP_LAST_MODIFIED", "YP_MASTER_NAME")
_TARGET = re.compile(r'"(?:[^"\\]|\\.)*"[^,\s]*|[^,\s"]+')
_LEVELS, _USERS, _KNOWN = 50, 1000, 2000
_FIRST_USER = 1000  # login.defs(5): UID_MIN of the distributions


@dataclass(frozen=True, slots=True)
class Forward:
    """Mail for *address* goes to *target*, elsewhere. *by*: the setting or file that says so, first to last.

    *address* is as it stands there: an address, `@domain`, or a local part; *loop*: it comes back to where it was.
    *nexthop*: the recipient stays, and mail for him is handed on to that; "" where it goes to another address.
    """

    address: str
    target: str
    by: tuple[str, ...]
    loop: bool = False
    nexthop: str = ""


@dataclass(frozen=True, slots=True)
class Forwards:
    """*unread*: (where, why) of what could not be looked at. *asked*: tables that were only asked for *known*
    recipients. *relayed*: domains of `relay_domains`, whose mail is handed on to another server, as *found* has it
    where that is a receiver's.
    """

    found: tuple[Forward, ...]
    unread: tuple[tuple[str, str], ...] = ()
    asked: tuple[str, ...] = ()
    known: int = 0
    relayed: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What each address becomes, before it is followed: `steps` by the address in lower case."""

    probe: Probe
    origin: str
    steps: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    own: dict[str, bool] = field(default_factory=dict)

    def put(self, address: str, targets: Iterable[str], by: str) -> None:
        """The first that names an address decides, as in Postfix's own search."""
        kept = tuple(targets)
        if kept:
            self.steps.setdefault(address.lower(), (kept, by))

    def is_own(self, domain: str) -> bool:
        if domain not in self.own:
            self.own[domain] = is_own(domain, self.probe)
        return self.own[domain]


def forwards(probe: Probe) -> Forwards:
    """All of them, in the order of their addresses. Raises CannotLook where not even the settings can be read."""
    reading = _Reading(probe, origin(probe))
    users = _users(reading)
    known = _known(reading, users)
    for setting in ("virtual_alias_maps", "recipient_canonical_maps", "canonical_maps"):
        _read_maps(setting, reading, known)
    _read_maps("alias_maps", reading, [name for name, _ in users], local=True)
    if ".forward" in value(probe, "forward_path"):
        _read_homes(users, reading)
    accounts = [(f"{name}@{reading.origin}", home) for name, home in users]
    for address, targets, path in sieve.redirected(accounts, known, probe, reading.unread):
        reading.put(address, targets, path)
    followed = tuple(_followed(reading))
    return Forwards(
        (*followed, *_handed_on(reading, known)),
        tuple(dict.fromkeys(reading.unread)),
        tuple(dict.fromkeys(reading.asked)),
        len(known),
        tuple(
            w for w in words(value(probe, "relay_domains")) if _is_domain(w) and not _listed_as_ours(w, probe)
        ),
    )


def _handed_on(reading: _Reading, known: Iterable[str]) -> Iterator[Forward]:
    """What is accepted here as ours, and goes to a receiver by its transport, the recipient as he is.

    A server of one's own behind this one (relay_domains, a mailbox host) is no receiver: it takes mail as it comes.
    """
    # mydomain alone makes no domain ours: mail for it may be somebody else's, sent by people here.
    asked = [
        f"@{name}"
        for name in own_domains(reading.probe)
        if address_class(name, reading.probe)[0] != "default"
    ]
    for table in tables(value(reading.probe, "transport_maps")):
        try:
            if _is_listed(table):
                entries = answer(reading.probe, MapEntries(table.removeprefix("proxy:"))).found
                asked += [key.lower() for key, _ in entries if key.partition("@")[0] and "@" in key]
            else:
                reading.asked.append(f"transport_maps: {table}")
                asked += known
        except CannotLook as gap:
            reading.unread.append((f"transport_maps: {table}", gap.reason))
            return
    whole: set[str] = set()
    for address in dict.fromkeys(asked):
        domain = address.rpartition("@")[2]
        if domain in whole or address in reading.steps:
            continue
        try:
            if address_class(domain, reading.probe)[0] == "default":
                continue
            way = unaliased(address.removeprefix("@"), reading.probe)
            if not way.leaves or mx.receiver(way.nexthop, reading.probe) is None:
                continue
        except CannotLook as gap:
            reading.unread.append((f"the way of {address}", gap.reason))
            continue
        if address.startswith("@"):
            whole.add(domain)
        yield Forward(address, address, way.decided[-1:], nexthop=way.nexthop)


def _is_listed(table: str) -> bool:
    return table.removeprefix("proxy:").partition(":")[0] in _LISTED


def _is_domain(word: str) -> bool:
    return "." in word and ":" not in word and word[0] not in "/![$"


def _listed_as_ours(domain: str, probe: Probe) -> bool:
    """relay_domains = $mydestination is Postfix's default before compatibility level 2: no domain is relayed by it."""
    return domain in words(value(probe, "mydestination"))


def _read_maps(setting: str, reading: _Reading, known: Iterable[str], *, local: bool = False) -> None:
    for table in tables(value(reading.probe, setting)):
        if f"/{srs.RETURNING}" in table:
            continue  # ours, and it knows rewritten addresses alone
        where = f"{setting}: {table}"
        try:
            if _is_listed(table):
                entries = answer(reading.probe, MapEntries(table.removeprefix("proxy:")))
                for key, text in entries.found:
                    _put(key, text, where, reading, local=local)
                if entries.more:
                    reading.unread.append(
                        (where, f"it has more than the {len(entries.found):,} that were read")
                    )
            else:
                reading.asked.append(where)
                _ask(table, where, reading, known, local=local)
        except CannotLook as gap:
            reading.unread.append((where, gap.reason))


def _ask(table: str, where: str, reading: _Reading, known: Iterable[str], *, local: bool) -> None:
    for address in known:
        if local and pattern_table(table):
            found = answer(reading.probe, MapLookup(table, address))
        else:
            found = lookup(reading.probe, table, address, whole=True)
        if found:
            _put(address, found, where, reading, local=local)


def _put(key: str, text: str, where: str, reading: _Reading, *, local: bool) -> None:
    if key in _NO_ALIAS or (local and (key.startswith("owner-") or key.endswith("-request"))):
        return
    address = f"{key}@{reading.origin}" if local or "@" not in key else key
    part = address.rpartition("@")[0]
    reading.put(address, _targets(text, part, where, reading), where)


def _targets(
    text: str, local: str, where: str, reading: _Reading, within: tuple[str, ...] = ()
) -> Iterator[str]:
    """The addresses that a value names; commands and files end the way, an included list goes on, *within* others."""
    for match in _TARGET.finditer(text):
        target = match[0].strip('"').removeprefix("\\")
        if target.startswith(":include:"):
            path = target.removeprefix(":include:")
            if path not in within and len(within) < _LEVELS:
                yield from _included(path, local, where, reading, within)
        elif target.startswith("@"):
            yield f"{local}{target}"
        elif target[:1] not in ("|", "/", ":", ""):
            yield target if "@" in target else f"{target}@{reading.origin}"


def _included(path: str, local: str, where: str, reading: _Reading, within: tuple[str, ...]) -> Iterator[str]:
    """Its lines have the syntax of an alias's value (aliases(5)), and may include others."""
    try:
        seen = answer(reading.probe, File(path))
    except CannotLook as gap:
        reading.unread.append((f"{where}: {path}", gap.reason))
        return
    if not seen.exists:
        reading.unread.append((f"{where}: {path}", "it is not there: local(8) keeps such mail waiting"))
    lines = (line for line in seen.text.splitlines() if not line.lstrip().startswith("#"))
    yield from _targets("\n".join(lines), local, where, reading, (*within, path))


def _users(reading: _Reading) -> list[tuple[str, str]]:
    """Accounts of people, and root, with their homes (passwd(5))."""
    try:
        text = answer(reading.probe, File("/etc/passwd")).text
    except CannotLook as gap:
        reading.unread.append(("/etc/passwd", gap.reason))
        return []
    found = []
    for line in text.splitlines():
        fields = line.split(":")
        person = (
            len(fields) == 7 and fields[2].isdigit() and (fields[2] == "0" or int(fields[2]) >= _FIRST_USER)
        )
        if person and fields[0] != "nobody":
            found.append((fields[0], fields[5]))
    return found[:_USERS]


def _known(reading: _Reading, users: list[tuple[str, str]]) -> list[str]:
    """Recipients that somebody has named: accounts, what the tables of recipients list, and whom the log has mail for.

    The log is read only where a table cannot be listed.
    """
    known = dict.fromkeys(f"{name}@{reading.origin}" for name, _ in users)
    for setting in ("relay_recipient_maps", "virtual_mailbox_maps"):
        for table in tables(value(reading.probe, setting)):
            if not _is_listed(table):
                continue
            try:
                entries = answer(reading.probe, MapEntries(table.removeprefix("proxy:"))).found
            except CannotLook as gap:
                reading.unread.append((f"{setting}: {table}", gap.reason))
                continue
            known.update(dict.fromkeys(key for key, _ in entries if key.partition("@")[0] and "@" in key))
    if any(not _is_listed(table) for name in _ASKED for table in tables(value(reading.probe, name))):
        try:
            named = answer(reading.probe, Addressed(most=_KNOWN))
        except CannotLook as gap:
            reading.unread.append(("recipients in the log", gap.reason))
        else:
            whole = (name if "@" in name else f"{name}@{reading.origin}" for name in named)
            known.update(dict.fromkeys(name for name in whole if reading.is_own(name.rpartition("@")[2])))
    return list(known)[:_KNOWN]


def _read_homes(users: list[tuple[str, str]], reading: _Reading) -> None:
    """.forward (aliases(5))."""
    for name, home in users:
        path = f"{home}/.forward"
        try:
            seen = answer(reading.probe, File(path))
        except CannotLook as gap:
            reading.unread.append((path, gap.reason))
            continue
        if seen.exists:
            reading.put(f"{name}@{reading.origin}", _targets(seen.text, name, path, reading), path)


def _followed(reading: _Reading) -> Iterator[Forward]:
    """Each address to where it leaves this host, or comes back to itself."""
    for address in sorted(reading.steps):
        yield from _ends(address, address, (), frozenset(), reading)


def _ends(
    first: str, address: str, by: tuple[str, ...], seen: frozenset[str], reading: _Reading
) -> Iterator[Forward]:
    targets, where = reading.steps[address]
    by = by if where in by else (*by, where)
    for target in targets:
        name = target.lower()
        domain = name.rpartition("@")[2]
        if name == address:
            continue  # virtual(5), aliases(5): it is delivered here as well
        if name in seen or name == first or len(seen) > _LEVELS:
            yield Forward(first, target, by, loop=True)
        elif name in reading.steps:
            yield from _ends(first, name, by, seen | {address}, reading)
        elif f"@{domain}" in reading.steps:
            yield from _ends(first, f"@{domain}", by, seen | {address}, reading)
        elif not reading.is_own(domain):
            yield Forward(first, target, by)
