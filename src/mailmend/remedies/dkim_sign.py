"""Own mail leaves with a DKIM signature of its author's domain, made by the distribution's opendkim (RFC 6376).

Nothing is changed before the key's record is seen in DNS; then the signer is set and started anew, and Postfix asks
it. A milter that is down is gone past. What strangers wrote is not signed, and their own signatures are left as they
are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailmend.facts import judging, signing
from mailmend.facts.case import Case, written
from mailmend.facts.domains import address_class, own_domains
from mailmend.facts.forwarding import filters
from mailmend.facts.senders import senders
from mailmend.facts.services import overrides, services
from mailmend.facts.settings import program, value
from mailmend.facts.signing import Signer
from mailmend.facts.versions import version
from mailmend.model import CannotLook, Change, Effect, Expectation, Objection, Probe, Proposal, Scope
from mailmend.parse.listing import words
from mailmend.questions import Stat

ID = "dkim-sign"
HEALS = ("dkim-unsigned", "bulk-auth-required")
EFFECT: Effect = "cures"
# It needs a package, a key and a record first: it is begun by an operator who asks for it, and by nobody else.
BY_NAME = True
_AFTER_SIGNING = ("smtp_generic_maps", "smtp_header_checks", "smtp_mime_header_checks", "smtp_body_checks")
_SMTPD_MILTERS = re.compile(r"\$[({]?smtpd_milters\b")
_AGAIN = "then run mailmend fix --remedy dkim-sign again"


def propose(case: Case, probe: Probe) -> Proposal:
    """The signer as the last milter of what comes over SMTP and of what is handed in here; nothing where it is one.

    What could not be looked at stops this remedy, and no other that is weighed beside it.
    """
    try:
        return _proposal(probe)
    except CannotLook as gap:
        objection = Objection(f"what signs here could not be looked up: {gap.reason}", gap.next_step)
        return Proposal(ID, EFFECT, (), objections=(objection,))


def _proposal(probe: Probe) -> Proposal:
    domains = authors(probe)
    objections = tuple(_objections(domains, probe))
    if any(o.blocking and not o.overridable for o in objections):
        return Proposal(ID, EFFECT, (), objections=objections)
    signer = signing.signer(probe)
    lines = _missing(domains, signer, probe)
    milter = signing.milter(signer.socket, probe) or f"inet:127.0.0.1:{signing.PORT}"
    key, selector = signer.key or signing.KEY, signer.selector or signing.SELECTOR
    record = signing.record_of(key, probe)
    return Proposal(
        ID,
        EFFECT,
        (*signing.written_with(signing.SETTINGS, lines, probe), *_changes(milter, probe)),
        (
            Expectation(
                "running", "milter", milter, None, "Postfix reaches the signer at the start of a session"
            ),
            *(_published(domain, selector, record, probe) for domain in domains),
        ),
        (
            *([f"opendkim is started anew, as {signing.SETTINGS} says then"] if lines else []),
            f"mail whose author is of {', '.join(domains)} is signed; while opendkim is down it leaves unsigned "
            "(default_action=accept), and nothing waits",
            f"the key {key} stays when this is undone, and so should its record for a week: mail on its way "
            "is verified with it",
        ),
        objections,
    )


def authors(probe: Probe) -> tuple[str, ...]:
    """This host's domains that send; of one below another of its domains that other, which may sign for it."""
    listed = [name for name in own_domains(probe) if address_class(name, probe)[0] != "default"]
    lifted = (
        min((p for p in (*listed, name) if f".{name}".endswith(f".{p}")), key=len) for name in _sending(probe)
    )
    return tuple(dict.fromkeys(lifted))


def _sending(probe: Probe) -> tuple[str, ...]:
    found = senders(Scope(), probe)
    return tuple(name for name in found.own if name not in found.srs)


def _published(domain: str, selector: str, record: str, probe: Probe) -> Expectation:
    seen = signing.published(domain, selector, record, probe)
    name = f"{selector}._domainkey.{domain}"
    return Expectation("dns", "record-seen", f"{name} TXT", seen, f"the key of {domain} is published")


def _changes(milter: str, probe: Probe) -> Iterator[Change]:
    """Behind the milters that are there: a signature is of what all others made of the message."""
    ours = f"{{ {milter}, default_action=accept }}"
    for name in ("smtpd_milters", "non_smtpd_milters"):
        before = written(probe, name)
        if not signing.named(milter, value(probe, name)) and not _SMTPD_MILTERS.search(before or ""):
            yield Change("setting", name, before, _last(ours, before), "reload")
    for entry in services(probe):
        own = overrides(probe, entry.id).get("smtpd_milters", "").strip()
        # An empty one says that this listener asks no milter: what comes there was looked at before.
        if (
            program(entry.command) == "smtpd"
            and own
            and not _SMTPD_MILTERS.search(own)
            and not signing.named(milter, own)
        ):
            yield Change("override", f"{entry.id}/smtpd_milters", own, _last(ours, own), "reload")


def _last(ours: str, before: str | None) -> str:
    return f"{before.strip()}, {ours}" if before and before.strip() else ours


def _objections(domains: tuple[str, ...], probe: Probe) -> Iterator[Objection]:
    known = version(probe)
    if known and known < (3, 0):
        yield Objection(
            f"Postfix {value(probe, 'mail_version')} has one milter_default_action for all milters (3.0 has one each)",
            "set smtpd_milters, non_smtpd_milters and milter_default_action by hand",
        )
    if not domains:
        yield Objection("no domain of this host sends mail", "name one in myorigin")
    if by := signing.rspamd(domains, probe):
        yield Objection(
            f"rspamd signs here already, by {by}: a second signer is not needed",
            "mailmend check --message FILE, with a message that left, shows whether its signature holds",
        )
        return
    if not _there(signing.PROGRAM, probe):
        yield Objection("opendkim is not installed", "apt-get install opendkim")
        return
    if not _there(signing.SETTINGS, probe):
        yield Objection(
            f"opendkim is here, and its {signing.SETTINGS} is not", "apt-get install --reinstall opendkim"
        )
        return
    signer = signing.signer(probe)
    if signer.tables:
        yield Objection(
            f"{signing.SETTINGS} has tables of keys (KeyTable, SigningTable), which are not read here",
            "add opendkim's socket yourself: mailmend set smtpd_milters=... non_smtpd_milters=...",
        )
        return
    if signer.listed:
        yield Objection(
            f"the domains it signs for stand in {signer.listed}, which is not read here",
            f"look that {', '.join(domains)} is among them, and add opendkim's socket yourself: "
            "mailmend set smtpd_milters=... non_smtpd_milters=...",
        )
        return
    yield from _prepared(domains, signer, probe)
    yield from _altered_later(probe)


def _there(path: str, probe: Probe) -> bool:
    seen = probe.ask(Stat(path)).answer
    return seen is not None and seen.exists


def _prepared(domains: tuple[str, ...], signer: Signer, probe: Probe) -> Iterator[Objection]:
    """Key, record, a daemon that runs or can be started: what is missing first."""
    key, selector = signer.key or signing.KEY, signer.selector or signing.SELECTOR
    if not _there(key, probe):
        yield Objection(f"opendkim has no key ({key})", "mailmend fix --remedy dkim-sign, as root, makes one")
        return
    record = signing.record_of(key, probe)
    unseen = [d for d in domains if not signing.published(d, selector, record, probe)]
    for domain in unseen:
        name = f"{selector}._domainkey.{domain}"
        yield Objection(
            f"the key for {domain} is not published",
            f"publish: {name} TXT {record}" if record else f"publish the record of {key} at {name}, as TXT",
        )
    if unseen:
        return
    added = _unlisted(signer, probe)
    if added and signer.internal_file:
        yield Objection(
            f"{signer.internal_file} lacks clients that send in this host's name: theirs would stay unsigned",
            f"write into it a line each: {' | '.join(added)} and run systemctl restart opendkim, {_AGAIN}",
        )
        return
    place = signing.milter(signer.socket, probe)
    if not place and signing.listens(f"inet:127.0.0.1:{signing.PORT}", probe):
        yield Objection(
            f"somebody else listens on port {signing.PORT}, where opendkim would",
            f"give opendkim another in {signing.SETTINGS}: Socket inet:PORT@localhost",
        )
    elif not _missing(domains, signer, probe) and not signing.listens(place, probe):
        yield Objection(
            f"opendkim does not run (nobody listens on {signer.socket})", "systemctl restart opendkim"
        )


def _missing(domains: tuple[str, ...], signer: Signer, probe: Probe) -> tuple[str, ...]:
    """The lines that opendkim.conf(5) lacks."""
    lines = []
    if not all(signer.signs(domain) for domain in (*domains, *_sending(probe))):
        lines.append(f"Domain {','.join(dict.fromkeys((*signer.domains, *domains)))}")
    lines += [] if signer.selector else [f"Selector {signing.SELECTOR}"]
    lines += [] if signer.key else [f"KeyFile {signing.KEY}"]
    if not signing.milter(signer.socket, probe):
        lines.append(f"Socket inet:{signing.PORT}@localhost")
    if lines and not signer.subdomains:
        lines.append("SubDomains yes")
    if signer.only_verifies:
        lines.append("Mode sv")
    added = _unlisted(signer, probe)
    if added and not signer.internal_file:
        lines.append(f"InternalHosts {','.join((*signer.internal, *added))}")
    return tuple(lines)


def _unlisted(signer: Signer, probe: Probe) -> tuple[str, ...]:
    """Clients that may send in our name, and whose mail the signer would take for strangers'."""
    every = judging.clients(probe)
    if signer.internal_file:  # loopback is only in it where somebody wrote it there
        every = (*signing.LOOPBACK[:1], *every)
    return tuple(network for network in every if not signing.covered(network, signer.internal))


def _altered_later(probe: Probe) -> Iterator[Objection]:
    """What the smtp client or a filter changes after the signature breaks it."""
    for name in _AFTER_SIGNING:
        if value(probe, name):
            yield Objection(
                f"{name} may change mail after it is signed, which breaks the signature",
                f"take it out (mailmend set -X {name}), or make sure that it leaves own mail alone",
                overridable=True,
            )
    if "8bitmime" in words(value(probe, "smtp_discard_ehlo_keywords").lower()):
        yield Objection(
            "smtp_discard_ehlo_keywords has 8bitmime: mail with 8 bits is converted after it is signed",
            "take 8bitmime out of smtp_discard_ehlo_keywords",
            overridable=True,
        )
    for name in filters(probe):
        yield Objection(f"{name} gets mail after it is signed: it must not change it", blocking=False)
