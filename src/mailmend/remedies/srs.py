"""Forwarded mail leaves under an envelope of this host, rewritten by postsrsd; what is not forwarded leaves as it is.

The daemon is the distribution's: mailmend names what is to be installed, set and published, in that order, and
changes Postfix once all of it is seen. So no mail waits for a daemon or leaves under a domain that nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailmend.facts import srs
from mailmend.facts.case import Case, written
from mailmend.facts.domains import own_domains
from mailmend.facts.forwarding import envelope_rewriter
from mailmend.facts.looking import answer
from mailmend.facts.settings import lookup, value
from mailmend.facts.source import used
from mailmend.facts.spf import check_host
from mailmend.facts.versions import version
from mailmend.model import CannotLook, Change, Effect, Expectation, Objection, Probe, Proposal, Scope
from mailmend.parse.listing import words
from mailmend.questions import Bindable, File, MapTypes, Records, Services, Stat

ID = "srs"
HEALS = ("forwarded-not-rewritten", "spf-fail", "unauthenticated")
EFFECT: Effect = "cures"
_PROGRAM = "/usr/sbin/postsrsd"
_SETTINGS = "/etc/default/postsrsd"
_LISTS = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")
# Tables whose text stands beside them, or is them (DATABASE_README).
_TEXTS = ("hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash")


def propose(case: Case, probe: Probe) -> Proposal:
    """Three settings, three services of master.cf and two tables; nothing where they are there already.

    What could not be looked at stops this remedy, and no other that is weighed beside it.
    """
    try:
        return _proposal(case, probe)
    except CannotLook as gap:
        objection = Objection(f"what SRS needs could not be looked up: {gap.reason}", gap.next_step)
        return Proposal(ID, EFFECT, (), objections=(objection,))


def _proposal(case: Case, probe: Probe) -> Proposal:
    domain = f"srs.{value(probe, 'mydomain').lower()}"
    folder = value(probe, "config_directory")
    own, unlisted = _own(probe)
    made = srs.scoped(domain, own, folder)
    changes = [*_settings(made, probe), *_services(made, probe), *_tables(made, folder, probe)]
    return Proposal(
        ID,
        EFFECT,
        tuple(changes),
        (
            Expectation(
                "running", "greeting", f"127.0.0.1:{srs.PORT}", "220", "the listener that rewrites answers"
            ),
            *(
                Expectation(
                    "client", "rewritten", recipient, domain, f"mail forwarded to {recipient} is rewritten"
                )
                for recipient in case.recipients
            ),
        ),
        (
            f"forwarded mail goes once more through this Postfix and leaves as ...@{domain}; while postsrsd is down "
            "it waits, all other mail does not",
            "it repairs SPF, not DMARC: mail of p=reject domains that carries no signature of theirs stays refused",
        ),
        tuple(_objections(case, domain, unlisted, probe)),
    )


def _settings(made: srs.Scoped, probe: Probe) -> Iterator[Change]:
    """Ours first, what stands there behind it."""
    for name, ours in made.settings:
        before = written(probe, name)
        if ours in words(before or ""):
            continue
        # By default the domains are those that virtual_alias_maps has as keys.
        there = before or ("$virtual_alias_maps" if name == "virtual_alias_domains" else "")
        yield Change("setting", name, before, f"{ours}, {there.strip()}" if there.strip() else ours, "reload")


def _services(made: srs.Scoped, probe: Probe) -> Iterator[Change]:
    there = {entry.id for entry in answer(probe, Services())}
    for name, text in made.services:
        if name not in there:
            yield Change("service", name, None, text, "reload")


def _tables(made: srs.Scoped, folder: str, probe: Probe) -> Iterator[Change]:
    for name, text in made.tables:
        path = f"{folder}/{name}"
        seen = probe.ask(File(path)).answer
        before = seen.text if seen and seen.exists else None
        if before != text:
            yield Change("file", path, before, text, "reload")


def _own(probe: Probe) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """This host's domains, and the tables whose domains cannot be listed."""
    names = dict.fromkeys((value(probe, "myhostname").lower(), *own_domains(probe)))
    unlisted = []
    for parameter in _LISTS:
        for word in words(value(probe, parameter)):
            kind, colon, path = word.removeprefix("proxy:").partition(":")
            if word.startswith("/"):
                kind, colon, path = "texthash", ":", word
            if not colon or word.startswith("["):
                continue
            text = probe.ask(File(path)).answer if kind in _TEXTS else None
            if text is None or not text.exists:
                unlisted.append(word)
                continue
            lines = text.text.splitlines()
            keys = (line.split()[0].lower() for line in lines if line.strip() and line[0] not in "# \t")
            names |= dict.fromkeys(key for key in keys if "@" not in key and "." in key)
    relayed = [f".{n}" for n in words(value(probe, "relay_domains")) if ":" not in n and n[0] not in "/!.["]
    return tuple(name for name in (*names, *relayed) if "." in name), tuple(unlisted)


def _objections(case: Case, domain: str, unlisted: tuple[str, ...], probe: Probe) -> Iterator[Objection]:
    known = version(probe)
    types = probe.ask(MapTypes()).answer
    if known and known < (3, 0):
        yield Objection(f"Postfix {value(probe, 'mail_version')} has no pipemap (it came with 3.0)")
    elif types is not None and not {"regexp", "pipemap", "tcp"} <= set(types):
        yield Objection("this Postfix lacks one of the tables regexp, pipemap and tcp", "postconf -m")
    for table in unlisted:
        yield Objection(
            f"some domains of this host stand in {table}, which cannot be listed: what they send would be rewritten",
            "name them in a table of text (texthash) there",
        )
    by = envelope_rewriter(probe)
    if by and srs.LEAVING not in by:
        yield Objection(
            f"{by} rewrites envelopes already, those of mail for this host's own mailboxes too",
            "take it out first: mailmend set -X and its name",
        )
    yield from _daemon(domain, probe)
    yield from _records(case, domain, probe)
    yield from _bypassed(case, probe)


def _daemon(domain: str, probe: Probe) -> Iterator[Objection]:
    """Installed, running, rewriting into the domain: what is missing first."""
    program = probe.ask(Stat(_PROGRAM)).answer
    if program is None or not program.exists:
        yield Objection("postsrsd is not installed", "apt-get install postsrsd")
    elif probe.ask(Bindable("127.0.0.1", 10001)).answer == "":
        yield Objection(
            "postsrsd does not run (nothing listens on 127.0.0.1:10001)", "systemctl start postsrsd"
        )
    else:
        into = _domain(answer(probe, File(_SETTINGS)).text) or value(probe, "mydomain").lower()
        if into != domain:
            yield Objection(
                f"postsrsd rewrites into {into}, not into {domain}, which no other mail uses",
                f"set SRS_DOMAIN={domain} in {_SETTINGS}, then systemctl restart postsrsd",
            )


def _domain(settings: str) -> str:
    """SRS_DOMAIN as the shell that starts postsrsd reads it: the last one, "" where it is left to mydomain."""
    found = re.findall(r"^[ \t]*SRS_DOMAIN=[\"']?([A-Za-z0-9.-]*)", settings, re.MULTILINE)
    return found[-1].lower() if found else ""


def _records(case: Case, domain: str, probe: Probe) -> Iterator[Objection]:
    """The domain's MX leads here, and its SPF record names every address that forwards leave from."""
    host = value(probe, "myhostname").lower()
    if not answer(probe, Records(domain, "MX")).records:
        yield Objection(
            f"{domain} has no MX record: bounces would not come back", f"publish: {domain} MX 10 {host}."
        )
    sources = [s.outward for s in used(Scope(recipients=case.recipients), probe) if s.outward]
    results = {ip: check_host(ip, domain, f"srs0@{domain}", host, probe).result for ip in sources}
    if any(result != "pass" for result in results.values()):
        terms = " ".join(f"{'ip6' if ':' in ip else 'ip4'}:{ip}" for ip in results)
        yield Objection(
            f"the SPF record of {domain} does not name {', '.join(ip for ip, r in results.items() if r != 'pass')}",
            f"publish: {domain} TXT v=spf1 {terms} -all",
        )


def _bypassed(case: Case, probe: Probe) -> Iterator[Objection]:
    """transport_maps comes before the sender: what it routes is never rewritten."""
    text = value(probe, "transport_maps")
    for way in case.ways:
        if text and any(lookup(probe, text, key, whole="@" in key) for key in (way.recipient, way.domain)):
            yield Objection(
                f"transport_maps has a route for {way.domain}: mail that it routes is not rewritten",
                "take that route out (mailmend undo ID); after SRS, mailmend fix --remedy pace or ipv4-for-receiver",
            )
