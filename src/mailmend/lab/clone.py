"""A host's own mail configuration -> what the lab runs in its place, and what of it is not the same there.

Paths, settings and tables stay as they are. What differs: secrets are thrown away before anything is handed
on, programs around Postfix get stand-ins, and what the lab's Postfix cannot open is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mailmend.lab import clone_services, clone_tables
from mailmend.lab.clone_copy import Source
from mailmend.lab.clone_services import Hop, StandIn
from mailmend.lab.clone_tables import Table
from mailmend.lab.clone_values import Part, Value
from mailmend.model import CannotLook
from mailmend.parse import maincf, mastercf, postsrsd
from mailmend.rehearsal import LeftOut

HOME = "/etc/postfix-rehearsal"
AUTHORITY = f"{HOME}/authority.pem"
# Where Postfix was installed is the lab's own affair.
_LOCATIONS = (
    "command_directory", "daemon_directory", "meta_directory", "shlib_directory", "sendmail_path",
    "mailq_path", "newaliases_path", "html_directory", "manpage_directory", "readme_directory",
    "sample_directory", "mail_owner", "setgid_group", "debugger_command",
)  # fmt: skip
_LOGS = ("maillog_file", "maillog_file_prefixes", "maillog_file_compressor", "maillog_file_permissions")
_COMMANDS = ("mailbox_command", "mailbox_command_maps")
_CERTIFICATE = re.compile(r"(?:smtpd|smtp|lmtp|tlsproxy_client)_tls_\w*cert_file")
_SECRET_KEY = re.compile(r"(?:smtpd|smtp|lmtp|tlsproxy_client)_tls_(?:\w*key_file|chain_files)")
_TRUST = re.compile(r"(?:smtp|lmtp|tlsproxy_client)_tls_CA(?:file|path)")
_CERTIFICATES = LeftOut(
    "the certificates of receivers and relayhosts",
    "the stand-ins have those of a throw-away authority, which the lab trusts",
)
_OWN_AUTH = "private/rehearsal-auth"
_NO_FILE = re.compile(r".*(?:_directory|_path|_command|_socket|_program|_CApath|_CAfile|random_source)$")


@dataclass(frozen=True, slots=True)
class Compiled:
    """An index to make: postalias(1) or postmap(1) on `type:path`."""

    program: str
    table: str


@dataclass(frozen=True, slots=True)
class Clone:
    """What the lab lays out: *files* by path with their text, *keys* and *certificates* by path (throw-away),
    *indexes* to make, *stand_ins* inside the relay, *hops* outside it. *directories* must exist, *texts* are
    those of the tables, *secret* the names of password tables. *rewriter*: how postsrsd is set, where it is asked."""

    parts: tuple[Part, ...]
    files: Mapping[str, str]
    keys: tuple[str, ...]
    certificates: tuple[str, ...]
    indexes: tuple[Compiled, ...]
    stand_ins: tuple[StandIn, ...]
    hops: tuple[Hop, ...]
    directories: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    texts: Mapping[str, str]
    secret: tuple[str, ...] = ()
    rewriter: postsrsd.Settings | None = None


def clone(
    source: Source,
    usable: frozenset[str],
    edits: Mapping[str, str | None] = MappingProxyType({}),
    before: Clone | None = None,
    *,
    rewrites: bool = False,
) -> Clone:
    """*source* as it would be after *edits* (path -> text, None: taken away); *usable*: the lab's table types.

    *rewrites*: the lab has postsrsd 1.x, which then runs there where the host's is asked.

    With *before*, the clone without the edits: a server that only they ask, and that the host does not have,
    gets no stand-in, because that it is missing is what is rehearsed.
    CannotLook where main.cf or master.cf of an instance cannot be read.
    """
    after = source.with_edits(edits)
    originals = tuple(after.parts())
    values = [v for part in originals for v in part.values()]
    secrets = clone_tables.secrets((v.name, v.raw) for v in values)
    named = [t for v in values for t in clone_tables.named(v.name, v.expanded, secret=v.name in secrets)]
    # A table that two settings name is secret, or of aliases, where one of them says so.
    tables = {t.name: t for t in sorted(named, key=lambda t: (t.secret, t.aliases))}
    texts, left = _texts(after, tables)
    lists = _lists(after, originals, set(tables))
    routes = [t for name, t in texts.items() if tables[name].setting.endswith("transport_maps")]
    relays = [t for name, t in texts.items() if tables[name].setting.endswith("relayhost_maps")]
    rewriter, served = _rewriter(after, values) if rewrites else (None, frozenset[str]())
    if rewriter:
        left.append(
            LeftOut("postsrsd of this host", "the lab's own took its place, with a secret of its own")
        )
    parts = []
    for part in originals:
        adapted, noted = _adapted(part, routes, usable, secrets, served)
        parts.append(adapted)
        left += noted
    found = [*clone_services.stand_ins(parts, after.served)]
    found += [s for part in originals for s in clone_services.in_tables(routes, part, after.served)]
    servers, noted = _there(found, before)
    left += noted
    hops = tuple(dict.fromkeys(h for part in originals for h in clone_services.hops(part, routes, relays)))
    keys, certificates = _credentials(after, originals)
    files = {**lists, **texts}
    for part in parts:
        files |= {f"{part.directory}/main.cf": part.main, f"{part.directory}/master.cf": part.master}
    left += _hops_left(hops, keys + certificates)
    return Clone(
        tuple(parts), files, keys, certificates, _indexes(tables.values(), texts, usable), servers,
        hops, _directories(originals), tuple(dict.fromkeys(left)), texts,
        tuple(name for name in texts if tables[name].secret), rewriter,
    )  # fmt: skip


def _rewriter(source: Source, values: Iterable[Value]) -> tuple[postsrsd.Settings | None, frozenset[str]]:
    """How postsrsd 1.x is set and the tables by which it is asked; nothing where it is not asked or does not run."""
    text = source.list(postsrsd.DEFAULTS)
    if text is None:
        return None, frozenset()
    found = postsrsd.settings(postsrsd.DEFAULTS, text)
    ends = [end.removeprefix("inet:") for end in (found.forward, found.reverse)]
    served = frozenset(f"tcp:{end}" for end in ends)
    asked = any(table in value.expanded for value in values for table in served)
    return (found, served) if asked and all(map(source.served, ends)) else (None, frozenset())


def _there(found: list[StandIn], before: Clone | None) -> tuple[tuple[StandIn, ...], list[LeftOut]]:
    """The stand-ins to have, each once, and what is to be said of every server."""
    known = {s.name for s in before.stand_ins} if before else set()
    servers: dict[str, StandIn] = {}
    left = []
    for server in found:
        if server.name in servers:
            continue
        if before and not server.there and server.name not in known and not server.name.endswith(_OWN_AUTH):
            left.append(
                LeftOut(f"{server.kind} {server.name}", "this host has none there, so the lab has none")
            )
            continue
        servers[server.name] = server
        left.append(_server_left(server))
    return tuple(servers.values()), left


def _adapted(
    part: Part,
    routes: Iterable[str],
    usable: frozenset[str],
    secrets: frozenset[str],
    served: frozenset[str],
) -> tuple[Part, list[LeftOut]]:
    """The two files as the lab's Postfix reads them: nothing that works there as well is touched."""
    main, master = maincf.parse(part.main), mastercf.parse(part.master)
    left: list[LeftOut] = []
    dropped = (*_LOCATIONS, *_LOGS, *_COMMANDS)
    for name in dropped:
        if (command := main.get(name)) is None:
            continue
        main = main.remove(name)
        if name in _COMMANDS and command:
            left.append(
                LeftOut(f"{name} = {command}", "a program of the host; in the lab mail ends in a mailbox")
            )
    for value in part.values():
        if value.service is None and value.name in dropped:
            continue
        new, noted = _value(value, usable, value.name in secrets, served)
        left += noted
        if new == value.raw:
            continue
        new = re.sub(r"\s+", " ", new)
        if value.service is None:
            main = main.assign(value.name, new)
        else:
            master = master.assign_override(value.service, value.name, new)
    login = any(v.name == "smtpd_sasl_auth_enable" and v.expanded == "yes" for v in part.values())
    if login and part.value("smtpd_sasl_type") != "dovecot":
        left.append(
            LeftOut("Cyrus SASL for clients that log in", "a stand-in that knows nobody took its place")
        )
        main = main.assign("smtpd_sasl_type", "dovecot").assign("smtpd_sasl_path", _OWN_AUTH)
    master, noted = _programs(master, part, routes)
    return replace(part, main=str(main), master=str(master)), left + noted


def _value(
    value: Value, usable: frozenset[str], secret: bool, served: frozenset[str]
) -> tuple[str, list[LeftOut]]:
    name = value.name
    if _TRUST.fullmatch(name) and value.expanded:
        return ("" if name.endswith("path") else AUTHORITY), [_CERTIFICATES]
    if name == "tls_server_sni_maps" and value.expanded:
        return "", [
            LeftOut(f"{name} = {value.expanded}", "it holds private keys, which never leave the host")
        ]
    new, noted = clone_tables.translated(name, value.raw, usable, secret=secret, served=served)
    return new, list(noted)


def _programs(
    master: mastercf.MasterCf, part: Part, routes: Iterable[str]
) -> tuple[mastercf.MasterCf, list[LeftOut]]:
    """pipe(8) hands mail to a stand-in that takes it; the sockets of spawn(8) are a stand-in's.

    Only those that a setting or a route (*routes*: texts of transport tables) names are worth a word.
    """
    left = []
    texts = [*(v.expanded for v in part.values()), *routes]
    for service in master.services():
        program = service.command.split()[:1]
        if program not in (["pipe"], ["spawn"]):
            continue
        if any(re.search(rf"(?<![\w.-]){re.escape(service.name)}(?![\w.-])", text) for text in texts):
            arguments = service.command.partition("argv=")[2].split()[:1]
            what = f"{service.id} ({arguments[0] if arguments else program[0]})"
            left.append(LeftOut(what, "a program of the host; in the lab a stand-in takes what it is given"))
        master = master.remove_service(service.id)
        if program == ["pipe"]:
            fields = [service.name, service.type, "-", "-", "n", "-", service.process_limit, "discard"]
            master = master.add_service(" ".join(fields))
    return master, left


def _texts(source: Source, tables: Mapping[str, Table]) -> tuple[dict[str, str], list[LeftOut]]:
    """The texts of all tables; passwords are gone from them."""
    texts: dict[str, str] = {}
    left: list[LeftOut] = []
    for name, table in tables.items():
        try:
            text = source.table(table.type, name)
        except CannotLook as failure:
            left.append(LeftOut(f"{table.type}:{name}", failure.reason))
            continue
        if text is None:
            continue  # not there on the host either: what comes of it is part of the rehearsal
        if table.secret:
            left.append(
                LeftOut(f"the passwords in {name}", "a throw-away name and password stood in for each")
            )
            text = clone_tables.without_passwords(text, table.type)
        elif source.stale(table.type, name):
            left.append(LeftOut(f"the index of {name}", "it is older than its text; the lab read the text"))
        texts[name] = text
    return texts, left


def _lists(source: Source, parts: tuple[Part, ...], known: set[str]) -> dict[str, str]:
    """Plain files that a value names: `mynetworks = /etc/postfix/networks`, `myorigin = /etc/mailname`."""
    found: dict[str, str] = {}
    for part in parts:
        for value in part.values():
            if any(kind.fullmatch(value.name) for kind in (_NO_FILE, _SECRET_KEY, _CERTIFICATE)):
                continue
            for word in re.split(r"[\s,{}]+", value.expanded):
                if not word.startswith("/") or word in known or word in found:
                    continue
                text = source.list(word)
                if text is not None and "PRIVATE KEY" not in text:
                    found[word] = text
    return found


def _credentials(source: Source, parts: tuple[Part, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The private keys and certificates that are there: none of them is read."""
    keys, certificates = dict[str, None](), dict[str, None]()
    for part in parts:
        for value in part.values():
            kind = keys if _SECRET_KEY.fullmatch(value.name) else certificates
            if kind is keys or _CERTIFICATE.fullmatch(value.name):
                words = re.split(r"[\s,]+", value.expanded)
                kind |= {w: None for w in words if w.startswith("/") and source.exists(w)}
    return tuple(keys), tuple(name for name in certificates if name not in keys)


def _indexes(
    tables: Iterable[Table], texts: Mapping[str, str], usable: frozenset[str]
) -> tuple[Compiled, ...]:
    found: dict[Compiled, None] = {}
    for table in tables:
        if table.type in clone_tables.INDEXED and table.name in texts:
            kind = table.type if table.type in usable else "hash" if "hash" in usable else "lmdb"
            found[Compiled("postalias" if table.aliases else "postmap", f"{kind}:{table.name}")] = None
    return tuple(found)


def _directories(parts: tuple[Part, ...]) -> tuple[str, ...]:
    names = ("virtual_mailbox_base", "mail_spool_directory")
    return tuple(dict.fromkeys(v for part in parts for n in names if (v := part.value(n)).startswith("/")))


_SAYS = {
    "milter": "a stand-in accepted every message and changed none; a signature it would add is missing",
    "policy": "a stand-in answered DUNNO",
    "auth": "a stand-in knows nobody; clients that log in were not rehearsed",
    "lmtp": "a stand-in took the mail",
    "filter": "a stand-in handed the mail back unchanged",
}


def _server_left(server: StandIn) -> LeftOut:
    why = _SAYS[server.kind]
    if server.kind == "filter" and not server.onward:
        why = "a stand-in took the mail; where the filter hands it back is not known"
    if not server.there:
        why += " (on this host nothing is there now)"
    return LeftOut(f"{server.kind} {server.name}", why)


def _hops_left(hops: tuple[Hop, ...], credentials: tuple[str, ...]) -> list[LeftOut]:
    left = [LeftOut(f"{h.host}:{h.port}", "a stand-in took the mail that is handed to it") for h in hops]
    if credentials:
        left.append(LeftOut("private keys and certificates", "a throw-away pair stood in for them"))
    return left
