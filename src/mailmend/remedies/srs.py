"""Forwarded mail leaves under an envelope of this host, rewritten by postsrsd; what is not forwarded leaves as it is.

The daemon is the distribution's: mailmend names what is to be installed and published, in that order, and once all of
it is seen sets the daemon's domain and changes Postfix. So no mail waits for a daemon or leaves under a domain that
nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts import postsrsd, srs
from mailmend.facts.case import Case, written
from mailmend.facts.domains import address_class, own_domains
from mailmend.facts.forwarding import envelope_rewriter
from mailmend.facts.looking import answer
from mailmend.facts.settings import lookup, value
from mailmend.facts.source import used
from mailmend.facts.spf import check_host
from mailmend.facts.versions import version
from mailmend.model import CannotLook, Change, Effect, Expectation, Objection, Probe, Proposal, Scope
from mailmend.parse import mastercf
from mailmend.parse.listing import words
from mailmend.questions import File, MapTypes, Records, Services

ID = "srs"
HEALS = ("forwarded-not-rewritten", "spf-fail", "unauthenticated")
EFFECT: Effect = "cures"
_LISTS = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")
# Tables whose text stands beside them, or is them (DATABASE_README).
_TEXTS = ("hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash")


def propose(case: Case, probe: Probe) -> Proposal:
    """The daemon's domain, three settings, three services of master.cf and two tables; nothing where they are there.

    What could not be looked at stops this remedy, and no other that is weighed beside it.
    """
    try:
        return _proposal(case, probe)
    except CannotLook as gap:
        objection = Objection(f"what SRS needs could not be looked up: {gap.reason}", gap.next_step)
        return Proposal(ID, EFFECT, (), objections=(objection,))


def _proposal(case: Case, probe: Probe) -> Proposal:
    folder = value(probe, "config_directory")
    daemon = postsrsd.daemon(probe)
    domain = _domain(daemon, probe)
    own, unlisted = _own(probe)
    made = srs.scoped(domain, own, folder, forward=daemon.forward, reverse=daemon.reverse)
    told = tuple(_daemons(daemon, domain))
    changes = [*_settings(made, probe), *_services(made, probe), *_tables(made, folder, probe)]
    return Proposal(
        ID,
        EFFECT,
        (*told, *changes),
        (
            Expectation(
                "running", "greeting", f"127.0.0.1:{srs.PORT}", "220", "the listener that rewrites answers"
            ),
            Expectation(
                "running",
                "rewrites-into",
                daemon.forward,
                domain,
                f"postsrsd rewrites strangers into {domain}",
            ),
            *(
                Expectation(
                    "client", "rewritten", recipient, domain, f"mail forwarded to {recipient} is rewritten"
                )
                for recipient in case.recipients
            ),
        ),
        (
            *([f"postsrsd is started anew, to rewrite into {domain}"] if told else []),
            f"forwarded mail goes once more through this Postfix and leaves as ...@{domain}; while postsrsd is down "
            "it waits, all other mail does not",
            "it repairs SPF, not DMARC: mail of p=reject domains that carries no signature of theirs stays refused "
            "(mailmend check forwarding --senders names them)",
        ),
        tuple(_objections(case, daemon, domain, unlisted, probe)),
    )


def _domain(daemon: postsrsd.Daemon, probe: Probe) -> str:
    """One that no other mail uses: what the operator gave the daemon, where it is such a one below a domain of his."""
    home = value(probe, "mydomain").lower()
    chosen = daemon.domain
    below = any(chosen.endswith(f".{name}") for name in (home, *own_domains(probe)))
    used_otherwise = chosen == value(probe, "myhostname").lower()
    if below and not used_otherwise and address_class(chosen, probe)[0] in ("default", "alias"):
        return chosen
    return f"srs.{home}"


def _daemons(daemon: postsrsd.Daemon, domain: str) -> Iterator[Change]:
    """The daemon is started anew by whoever writes its file (system/beside.py)."""
    if daemon.settings and daemon.domain != domain:
        after = postsrsd.with_domain(daemon, domain)
        yield Change("file", daemon.settings, daemon.text, after, "reload")


def _settings(made: srs.Scoped, probe: Probe) -> Iterator[Change]:
    """Ours first, what stands there behind it. One of ours that asks where the daemon was before goes."""
    for name, ours in made.settings:
        before = written(probe, name)
        there = words(before or "")
        old = [word for word in there if f"/{srs.RETURNING}," in word and word != ours]
        if old:
            kept = (word for word in there if word not in (ours, *old))
            yield Change("setting", name, before, ", ".join((ours, *kept)), "reload")
            continue
        if ours in there:
            continue
        # By default the domains are those that virtual_alias_maps has as keys.
        text = (before or ("$virtual_alias_maps" if name == "virtual_alias_domains" else "")).strip()
        yield Change("setting", name, before, f"{ours}, {text}" if text else ours, "reload")


def _services(made: srs.Scoped, probe: Probe) -> Iterator[Change]:
    """New ones whole; of those that are there, what asks the daemon where it was before."""
    there = {entry.id: dict(entry.overrides) for entry in answer(probe, Services())}
    for name, text in made.services:
        if name not in there:
            yield Change("service", name, None, text, "reload")
            continue
        (ours,) = mastercf.parse(text).services()
        for option, wanted in ours.overrides:
            now = there[name].get(option)
            if option in srs.ASKING and now != wanted:
                yield Change("override", f"{name}/{option}", now, wanted, "reload")


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


def _objections(
    case: Case, daemon: postsrsd.Daemon, domain: str, unlisted: tuple[str, ...], probe: Probe
) -> Iterator[Objection]:
    known = version(probe)
    types = probe.ask(MapTypes()).answer
    if known and known < (3, 0):
        yield Objection(f"Postfix {value(probe, 'mail_version')} has no pipemap (it came with 3.0)")
    kind = daemon.forward.partition(":")[0]
    if types is not None and not {"regexp", "pipemap", kind} <= set(types):
        yield Objection(f"this Postfix lacks one of the tables regexp, pipemap and {kind}", "postconf -m")
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
    yield from _missing(daemon, probe)
    yield from _records(case, domain, probe)
    yield from _bypassed(case, probe)


def _missing(daemon: postsrsd.Daemon, probe: Probe) -> Iterator[Objection]:
    """Installed, reachable, running: what is missing first."""
    if not daemon.installed:
        yield Objection("postsrsd is not installed", "apt-get install postsrsd")
    elif not daemon.settings:
        yield Objection(
            f"postsrsd is here, and neither {' nor '.join(postsrsd.FILES)} says how it is set",
            "apt-get install --reinstall postsrsd",
        )
    elif not postsrsd.reachable(daemon, probe):
        yield Objection(
            f"postsrsd listens where chrooted parts of Postfix cannot ask it ({daemon.socket} in {daemon.settings})",
            f"give it a path below {value(probe, 'queue_directory')} there, then systemctl restart postsrsd",
        )
    elif not postsrsd.listens(daemon, probe):
        yield Objection(
            f"postsrsd does not run (nothing listens on {daemon.socket.partition(':')[2]})",
            "systemctl start postsrsd",
        )


def _records(case: Case, domain: str, probe: Probe) -> Iterator[Objection]:
    """Its MX leads here, and its SPF record names every address that forwards leave from: both are named at once."""
    host = value(probe, "myhostname").lower()
    missing, publish = [], []
    if not answer(probe, Records(domain, "MX")).records:
        missing.append(f"{domain} has no MX record (bounces would not come back)")
        publish.append(f"{domain} MX 10 {host}.")
    sources = [s.outward for s in used(Scope(recipients=case.recipients), probe) if s.outward]
    results = {ip: check_host(ip, domain, f"srs0@{domain}", host, probe).result for ip in sources}
    if unnamed := [ip for ip, result in results.items() if result != "pass"]:
        missing.append(f"the SPF record of {domain} does not name {', '.join(unnamed)}")
        terms = " ".join(f"{'ip6' if ':' in ip else 'ip4'}:{ip}" for ip in results)
        publish.append(f"{domain} TXT v=spf1 {terms} -all")
    if missing:
        yield Objection(", and ".join(missing), f"publish: {' | '.join(publish)}")


def _bypassed(case: Case, probe: Probe) -> Iterator[Objection]:
    """transport_maps comes before the sender: what it routes is never rewritten."""
    text = value(probe, "transport_maps")
    for way in case.ways:
        if text and any(lookup(probe, text, key, whole="@" in key) for key in (way.recipient, way.domain)):
            yield Objection(
                f"transport_maps has a route for {way.domain}: mail that it routes is not rewritten",
                "take that route out (mailmend undo ID); after SRS, mailmend fix --remedy pace or ipv4-for-receiver",
            )
