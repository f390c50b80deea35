"""This host's sending addresses and domains -> their DNS records as they are and as they should be. Nothing is changed.

What is judged is judged by the same facts as the checks and the remedy dns-records have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, get_args

from mailmend.checks import dkim
from mailmend.facts import dmarc, mx
from mailmend.facts.identity import forward_confirmed
from mailmend.facts.looking import answer
from mailmend.facts.outside import Outside, addresses, behind_nat
from mailmend.facts.senders import Senders, senders
from mailmend.facts.settings import value
from mailmend.facts.source import Source, used
from mailmend.facts.spf import Verdict, check_host
from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import CannotLook, Probe, Scope
from mailmend.questions import DnsAnswer, Records
from mailmend.remedies.dns_records import with_addresses

if TYPE_CHECKING:
    from mailmend.model import Family

Standing = Literal["right", "wrong", "missing", "unknown", "note"]
STANDINGS: tuple[Standing, ...] = get_args(Standing)

HELO = "HELO name"
_ASKED = 6  # zones above a name that are asked for their name servers
_DOMAINS = 20  # sending domains that are looked at


@dataclass(frozen=True, slots=True)
class Row:
    """The record *type* at *name*: *now* as DNS has it (None: it could not be looked up), *wanted* as it should be.

    *wanted* is None where nothing has to be changed, or nobody here can say to what. *of* is the address or the domain
    that it speaks for; *ask*: who can change it. *note*: told, and neither right nor wrong.
    """

    of: str
    kind: str
    name: str
    type: str
    now: tuple[str, ...] | None
    wanted: str | None
    standing: Standing
    why: str
    cause: str | None = None
    ask: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """*foreign*: domains of others whose mail is forwarded here, so that nothing can be published for them.

    *gaps*: what could not be looked at at all, with the reason.
    """

    at: datetime
    rows: tuple[Row, ...]
    foreign: tuple[str, ...]
    gaps: tuple[str, ...]

    def count(self, *standings: Standing) -> int:
        return sum(row.standing in standings for row in self.rows)


def records(here: Here, progress: Progress = silent) -> Names:
    """Every record that receivers judge this host by. *progress* is told each name that is looked up.

    CannotLook where there is no Postfix to look at; a look-up that fails is a row that is `unknown`.
    """
    here.require_postfix()
    probe, scope, gaps = here.probe, Scope(), list[str]()
    progress("which addresses mail leaves from")
    outside: tuple[Outside, ...] = ()
    sources: list[Source] = []
    try:
        outside = addresses(scope, probe)
        sources = [source for source in used(scope, probe) if source.outward]
    except CannotLook as gap:
        gaps.append(f"the addresses that mail leaves from: {gap.reason}")
    domains = Senders((), (), (), null=False)
    try:
        domains = senders(scope, probe)
    except CannotLook as gap:
        gaps.append(f"the domains that mail is sent with: {gap.reason}")
    if len(domains.own) > _DOMAINS:
        gaps.append(f"{len(domains.own) - _DOMAINS} more domains are not looked at")
    rows: list[Row] = []
    for address in outside:
        progress(f"PTR of {address.ip or address.inside}")
        rows += _address(address, probe)
    unseen = any(address.ip is None for address in outside)
    for domain in domains.own[:_DOMAINS]:
        progress(f"SPF, DKIM, DMARC and MX of {domain}")
        rows += _domain(domain, sources, probe, unseen=unseen)
    progress("who can change what is wrong")
    told = tuple(_with_whom_to_ask(row, probe) for row in rows)
    return Names(datetime.now().astimezone(), told, domains.foreign, tuple(gaps))


# ---- addresses -----------------------------------------------------------------------------


def _address(address: Outside, probe: Probe) -> Iterator[Row]:
    if address.ip is None:
        inside = address.inside or "?"
        yield Row(inside, "PTR", inside, "PTR", None, None, "unknown", behind_nat(address), "ptr-missing")
        return
    ip = address.ip
    reverse = ip_address(ip).reverse_pointer
    row = Row(ip, "PTR", reverse, "PTR", None, None, "unknown", "", "ptr-missing")
    kind: Literal["A", "AAAA"] = "AAAA" if address.family == "ipv6" else "A"
    try:
        helo = value(probe, "smtp_helo_name", address.services[0]).rstrip(".").lower()
        now = answer(probe, Records(ip, "PTR")).records
    except CannotLook as gap:
        yield replace(row, why=gap.reason)
        return
    row = replace(row, now=now)
    confirmed = forward_confirmed(ip, probe)
    if confirmed is None:
        yield replace(row, why=f"whether {', '.join(now)} leads back to {ip} could not be looked up")
    elif confirmed:
        yield replace(row, standing="right", why=f"leads back to {ip}")
    elif now:
        why = f"does not lead back to {ip}: receivers take it for none"
        yield replace(row, wanted=f"{helo}.", standing="wrong", why=why, cause="fcrdns-mismatch")
    else:
        why = "receivers refuse mail from addresses without a name"
        yield replace(row, wanted=f"{helo}.", standing="missing", why=why)
    yield _forward(ip, helo, kind, address.family, probe)


def _forward(ip: str, helo: str, kind: Literal["A", "AAAA"], family: Family, probe: Probe) -> Row:
    row = Row(ip, HELO, helo, kind, None, None, "unknown", "", "fcrdns-mismatch")
    if "." not in helo or helo.startswith("["):
        return replace(row, standing="note", why="the name that this host gives in EHLO is no DNS name")
    try:
        now = answer(probe, Records(helo, kind)).records
    except CannotLook as gap:
        return replace(row, why=gap.reason)
    if any(mx.same_address(ip, each) for each in now):
        return replace(row, now=now, standing="right", why=f"the name in EHLO has the address {ip}")
    why = f"the name in EHLO has to have the address {ip}; what stands there may stay"
    return replace(row, now=now, wanted=ip, standing="wrong" if now else "missing", why=why)


# ---- domains -------------------------------------------------------------------------------


def _domain(domain: str, sources: list[Source], probe: Probe, *, unseen: bool) -> Iterator[Row]:
    yield _spf(domain, sources, probe, unseen=unseen)
    yield _dkim(domain, probe)
    yield _dmarc(domain, probe)
    yield _mx(domain, probe)


def _looked(row: Row, look: Callable[[], Row]) -> Row:
    try:
        return look()
    except CannotLook as gap:
        return replace(row, why=gap.reason)


def _spf(domain: str, sources: list[Source], probe: Probe, *, unseen: bool) -> Row:
    row = Row(domain, "SPF", domain, "TXT", None, None, "unknown", "", "spf-fail")

    def look() -> Row:
        texts = answer(probe, Records(domain, "TXT")).records
        now = tuple(text for text in texts if text.lower().split()[:1] == ["v=spf1"])
        helo = value(probe, "smtp_helo_name")
        verdicts = [
            (s, check_host(s.outward or "", domain, f"postmaster@{domain}", helo, probe))
            for s in {s.outward: s for s in sources}.values()
        ]
        return _judged(replace(row, now=now), verdicts, unseen=unseen)

    return _looked(row, look)


def _judged(row: Row, verdicts: list[tuple[Source, Verdict]], *, unseen: bool) -> Row:
    failing = [(s, v) for s, v in verdicts if v.result not in ("pass", "temperror")]
    broken = next((v for _, v in verdicts if v.result == "permerror"), None)
    undecided = next((v for _, v in verdicts if v.result == "temperror"), None)
    if broken:
        return replace(
            row, standing="wrong", why=f"cannot be evaluated: {broken.reason}", cause="spf-record-bad"
        )
    if failing:
        named = ", ".join(f"{v.result} for {s.outward}" for s, v in failing)
        wanted = None if unseen else with_addresses(row.now[0] if row.now else None, [s for s, _ in failing])
        why = f"has to list every address that mail leaves from; what a receiver gets is {named}"
        if unseen:
            why += "; another address is behind NAT and not known, so the record is not worked out"
        return replace(row, wanted=wanted, standing="wrong" if row.now else "missing", why=why)
    if undecided or unseen or not verdicts:
        why = undecided.reason if undecided else "not every address that mail leaves from is known"
        return replace(row, why=why)
    passed = ", ".join(str(s.outward) for s, _ in verdicts)
    return replace(row, standing="right", why=f"passes for {passed}")


def _dkim(domain: str, probe: Probe) -> Row:
    row = Row(
        domain, "DKIM", f"SELECTOR._domainkey.{domain}", "TXT", None, None, "unknown", "", "dkim-unsigned"
    )
    found = next(iter(dkim.check(probe, Scope(senders=(domain,)))))
    says = found.summary
    if found.standing == "measured":
        return replace(row, standing="missing", why=f"{says}; its signer gives the record to publish")
    return replace(row, why=says)


def _dmarc(domain: str, probe: Probe) -> Row:
    row = Row(domain, "DMARC", f"_dmarc.{domain}", "TXT", None, None, "unknown", "", "dmarc-record-missing")

    def look() -> Row:
        asked = dmarc.policy(domain, probe)
        if asked is None:
            there = answer(probe, Records(row.name, "TXT")).records
            wanted = f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}"
            why = "large receivers ask senders for one; p=none asks for reports and refuses nothing"
            return replace(row, now=there, wanted=wanted, standing="wrong" if there else "missing", why=why)
        now = tuple(
            text
            for text in answer(probe, Records(f"_dmarc.{asked.at}", "TXT")).records
            if text[:8] == "v=DMARC1"
        )
        by = "" if asked.at == domain else f", by the record of {asked.at}"
        return replace(row, name=f"_dmarc.{asked.at}", now=now, standing="right", why=f"p={asked.policy}{by}")

    return _looked(row, look)


def _mx(domain: str, probe: Probe) -> Row:
    row = Row(domain, "MX", domain, "MX", None, None, "unknown", "", "sender-domain-unresolvable")

    def look() -> Row:
        now = answer(probe, Records(domain, "MX")).records
        found = mx.hosts(domain, probe)
        told = replace(row, now=now)
        if found.null:
            why = "says that the domain takes no mail: receivers refuse a sender who cannot be answered"
            return replace(told, standing="wrong", why=why, cause="sender-domain-null-mx")
        nowhere = [h for h in found.hosts if not _resolves(h, probe)]
        if len(nowhere) == len(found.hosts):
            why = "leads to no address: receivers refuse a sender domain that cannot be answered"
            return replace(told, standing="wrong" if now else "missing", why=why)
        if nowhere:
            return replace(told, standing="wrong", why=f"{', '.join(nowhere)} has no address")
        why = (
            "no MX: mail for it goes to the domain's own address" if found.implicit else "leads to addresses"
        )
        return replace(told, standing="right", why=why)

    return _looked(row, look)


def _resolves(host: str, probe: Probe) -> bool:
    return any(answer(probe, Records(host, kind)).records for kind in ("A", "AAAA"))


# ---- whom to ask ---------------------------------------------------------------------------


def _with_whom_to_ask(row: Row, probe: Probe) -> Row:
    """*row* with who can change it, where something has to be changed."""
    if row.standing not in ("wrong", "missing"):
        return row
    zone, servers = _zone(row, probe)
    by = f" ({zone} is served by {', '.join(servers[:2])})" if servers else ""
    if row.type == "PTR":
        return replace(row, ask=f"whoever gave you the address: your provider's control panel or support{by}")
    return replace(
        row, ask=f"whoever runs the DNS of {zone or (row.name if row.kind == HELO else row.of)}{by}"
    )


def _zone(row: Row, probe: Probe) -> tuple[str, tuple[str, ...]]:
    """The nearest zone above the record, with its name servers; "" where none could be found."""
    labels = row.name.split(".")
    if row.type == "PTR":  # zones are cut at whole bytes, in IPv6 at /64, /48 and /32
        cuts: tuple[int, ...] = (1, 2, 3) if labels[-2:] == ["in-addr", "arpa"] else (16, 20, 24)
    else:
        cuts = tuple(range(min(_ASKED, max(len(labels) - 1, 0))))
    for cut in cuts:
        zone = ".".join(labels[cut:])
        found: DnsAnswer | None = probe.ask(Records(zone.lower(), "NS")).answer
        if found and found.records:
            return zone, tuple(name.rstrip(".") for name in found.records)
    return "", ()
