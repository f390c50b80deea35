"""Every lookup table that mail passes and main.cf names can be opened (DATABASE_README).

`postfix check` and start pass a table that is not there; then all mail is deferred.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.facts.looking import answer
from mailmend.facts.settings import tables, value
from mailmend.model import Probe
from mailmend.questions import MapLookup, MapTypes

# Settings that name tables which mail on its way out passes; a missing one defers all of it.
SETTINGS = (
    "transport_maps", "virtual_alias_maps", "virtual_alias_domains", "virtual_mailbox_domains",
    "virtual_mailbox_maps", "canonical_maps", "sender_canonical_maps", "recipient_canonical_maps", "alias_maps",
    "relocated_maps", "relay_domains", "relay_recipient_maps", "local_recipient_maps",
    "sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps", "smtp_generic_maps",
    "smtp_dns_reply_filter", "smtp_reply_filter", "smtp_delivery_status_filter", "smtp_tls_policy_maps",
    "header_checks", "body_checks", "smtp_header_checks", "smtp_body_checks",
    "sender_bcc_maps", "recipient_bcc_maps",
)  # fmt: skip
# Table types that live in a file of this host (DATABASE_README); the others are not opened.
_IN_FILES = ("hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash", "regexp", "pcre", "cidr")
_NOBODY = "192.0.2.250"
_MISSING = ("No such file", "unsupported dictionary type")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a table that *setting* names; *missing* False: it could not be looked at."""

    setting: str
    says: str
    missing: bool


@dataclass(frozen=True, slots=True)
class Named:
    """How many tables were looked at, and what is wrong with some."""

    count: int
    troubles: tuple[Trouble, ...]


def named(probe: Probe) -> Named:
    """All tables of SETTINGS. Raises CannotLook where the settings cannot be read."""
    types = answer(probe, MapTypes())
    found = [(name, table) for name in SETTINGS for table in tables(value(probe, name))]
    troubles = [_trouble(name, table, types, probe) for name, table in found]
    return Named(len(found), tuple(t for t in troubles if t))


def _trouble(name: str, table: str, types: tuple[str, ...], probe: Probe) -> Trouble | None:
    """A table is opened by asking it for an address of nobody: its content is never read, as it may be secret."""
    kind, _, path = table.removeprefix("proxy:").partition(":")
    if kind not in types:
        return Trouble(name, f"{name} names {table}, but this Postfix has no {kind} tables", True)
    if kind not in _IN_FILES or not path.startswith("/"):
        return None
    error = probe.ask(MapLookup(f"{kind}:{path}", _NOBODY)).error
    if not error:
        return None
    if any(sign in error for sign in _MISSING):
        return Trouble(name, f"{name} names {table}: {error}", True)
    return Trouble(name, f"{table} of {name} could not be opened: {error}", False)
