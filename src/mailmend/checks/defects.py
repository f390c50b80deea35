"""This Postfix and its configuration are free of the defects and traps known to lose or stop mail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from mailmend.facts.destinations import affected
from mailmend.facts.looking import Seen, answer, each
from mailmend.facts.named_tables import named
from mailmend.facts.route import routes
from mailmend.facts.settings import services, smtp_services, value
from mailmend.facts.source import families
from mailmend.facts.tls_policy import policy
from mailmend.facts.versions import SINCE, dane_crash_fixed, version
from mailmend.model import CannotLook, Finding, Probe, Scope, Standing, family_of
from mailmend.parse.listing import words
from mailmend.questions import File, RecentDeliveries, Setting

CAUSES = (
    "dane-crash",
    "chroot-resolver-stale",
    "ipv6-literal",
    "inline-comment",
    "map-missing",
    "setting-unknown",
)

# Settings in whose values a `#` never means itself; Postfix takes it as part of the value.
_NO_HASH = (
    "inet_protocols", "inet_interfaces", "mydestination", "mynetworks", "myhostname", "mydomain", "myorigin",
    "relayhost", "relay_domains", "virtual_alias_domains", "smtp_address_preference", "smtp_bind_address",
    "smtp_bind_address6", "smtp_tls_security_level", "smtp_helo_name", "transport_maps", "virtual_alias_maps",
    "message_size_limit", "smtp_dns_reply_filter", "recipient_delimiter", "compatibility_level",
)  # fmt: skip


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """One or more findings per known defect; a defect that cannot be looked for is unknown."""
    yield from each(probe, ("main.cf",), "dane-crash", partial(_dane, scope=scope))
    for cause, look in _LOOKS.items():
        yield from each(probe, ("main.cf",), cause, look)


def _dane(subject: str, seen: Seen, *, scope: Scope) -> Iterable[Finding]:
    """DANE by the general level of a client, or by a policy for one of the affected domains."""
    known = version(seen)
    name = "smtp_tls_security_level"
    uses = {s: name for s in smtp_services(seen) if value(seen, name, s).lower().startswith("dane")}
    try:
        uses |= dict.fromkeys(_dane_by_policy(scope, seen), "smtp_tls_policy_maps")
    except CannotLook:
        if not uses:
            raise
    text = ".".join(map(str, known))
    if not uses or dane_crash_fixed(known):
        why = "the fix is in" if uses else "no client uses DANE towards the mail looked at"
        yield _finding("dane-crash", name, "cleared", f"Postfix {text}: {why}", seen)
        return
    for setting in dict.fromkeys(uses.values()):
        clients = ", ".join(client for client, by in uses.items() if by == setting)
        says = (
            f"Postfix {text} with DANE ({clients}): a malformed TLSA record can crash the smtp client "
            "(fixed in 3.8.18, 3.9.12, 3.10.11, 3.11.4)"
        )
        yield _finding("dane-crash", setting, "measured", says, seen)


def _dane_by_policy(scope: Scope, seen: Seen) -> Iterator[str]:
    """The clients, with the affected domain, for which smtp_tls_policy_maps asks for DANE."""
    if not any(value(seen, "smtp_tls_policy_maps", service) for service in smtp_services(seen)):
        return
    if not scope.recipients:
        answer(seen, RecentDeliveries())  # whose mail goes out is not known without it
    for recipient in affected(scope, seen):
        for way in routes(recipient, seen):
            if way.smtp and policy(way, seen).startswith("dane"):
                yield f"{way.service} towards {way.domain}"


def _chroot(subject: str, seen: Seen) -> Iterable[Finding]:
    """A chrooted client reads the copy below the queue directory, which `postfix start` does not renew."""
    clients = [s for s in services(seen) if s.id in smtp_services(seen) and s.chroot == "y"]
    if not clients:
        return
    path = f"{value(seen, 'queue_directory')}/etc/resolv.conf"
    copy, real = answer(seen, File(path)), answer(seen, File("/etc/resolv.conf"))
    names = ", ".join(s.id for s in clients)
    if not copy.exists:
        says = f"{names} runs chrooted and {path} is missing: every name look-up fails (4.4.3)"
        yield _finding("chroot-resolver-stale", path, "measured", says, seen)
    elif _resolvers(copy.text) != _resolvers(real.text):
        says = (
            f"{names} runs chrooted and {path} names {', '.join(_resolvers(copy.text)) or 'no resolver'}, "
            f"/etc/resolv.conf {', '.join(_resolvers(real.text)) or 'none'}"
        )
        yield _finding("chroot-resolver-stale", path, "measured", says, seen)
    else:
        says = f"{path} names the same resolvers as /etc/resolv.conf"
        yield _finding("chroot-resolver-stale", path, "cleared", says, seen)


def _literals(subject: str, seen: Seen) -> Iterable[Finding]:
    """An IPv6 address where inet_protocols leaves no IPv6 stops start, and every client of that service."""
    words_ = [w.strip("[]") for w in words(value(seen, "inet_interfaces"))]
    literals = [w for w in words_ if family_of(w) == "ipv6"]
    names = [
        s.name
        for s in services(seen)
        if s.type == "inet" and family_of(s.name.rpartition(":")[0].strip("[]")) == "ipv6"
    ]
    if "ipv6" not in families(None, seen):
        for text in literals:
            says = f"inet_interfaces names {text} while inet_protocols has no IPv6: Postfix will not start"
            yield _finding("ipv6-literal", "inet_interfaces", "measured", says, seen)
        for text in names:
            says = f"master.cf listens on {text} while inet_protocols has no IPv6: Postfix will not start"
            yield _finding("ipv6-literal", text, "measured", says, seen)
        if literals or names:
            return
    for service in smtp_services(seen):
        if literals and "ipv6" not in families(service, seen):
            says = (
                f"{service} has no IPv6 while inet_interfaces names {literals[0]}: each client dies at start"
            )
            yield _finding("ipv6-literal", f"{service}/inet_protocols", "measured", says, seen)
            return
    yield _finding(
        "ipv6-literal", "inet_interfaces", "cleared", "no IPv6 address stands where none may", seen
    )


def _comments(subject: str, seen: Seen) -> Iterable[Finding]:
    found = False
    for name in _NO_HASH:
        written = answer(seen, Setting(name)).written or ""
        if " #" in written or "\t#" in written:
            found = True
            says = f"main.cf has `{name} = {written}`: Postfix takes the comment as part of the value"
            yield _finding("inline-comment", name, "measured", says, seen)
    if not found:
        yield _finding("inline-comment", "main.cf", "cleared", "no value carries a comment inside", seen)


def _maps(subject: str, seen: Seen) -> Iterable[Finding]:
    """`postfix check` and start pass a table that is not there; then all mail is deferred."""
    found = named(seen)
    for trouble in found.troubles:
        standing: Standing = "measured" if trouble.missing else "unknown"
        yield _finding("map-missing", trouble.setting, standing, trouble.says, seen)
    if not found.troubles:
        yield _finding("map-missing", "main.cf", "cleared", f"all {found.count} tables named are there", seen)


def _settings(subject: str, seen: Seen) -> Iterable[Finding]:
    for name, since in SINCE.items():
        setting = answer(seen, Setting(name))
        if setting.written is not None and setting.value is None:
            says = (
                f"main.cf sets {name}, which this Postfix {value(seen, 'mail_version')} does not know "
                f"(it came with {'.'.join(map(str, since))}): the line does nothing"
            )
            yield _finding("setting-unknown", name, "measured", says, seen)


def _resolvers(text: str) -> tuple[str, ...]:
    fields = [line.split() for line in text.splitlines()]
    return tuple(f[1] for f in fields if len(f) > 1 and f[0] == "nameserver")


def _finding(cause: str, subject: str, standing: Standing, says: str, seen: Seen) -> Finding:
    return Finding(cause, subject, standing, says, seen.evidence)


_LOOKS: dict[str, Callable[[str, Seen], Iterable[Finding]]] = {
    "chroot-resolver-stale": _chroot,
    "ipv6-literal": _literals,
    "inline-comment": _comments,
    "map-missing": _maps,
    "setting-unknown": _settings,
}
