"""The records that give the sending addresses a good name: PTR, its forward record, SPF (RFC 1912 2.1, RFC 7208).

Somebody else publishes them; mailmend prints them exactly and watches until they are seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from mailmend.facts.case import Case
from mailmend.facts.forwarding import forwarded
from mailmend.facts.identity import forward_confirmed
from mailmend.facts.looking import answer
from mailmend.facts.mx import same_address
from mailmend.facts.senders import senders
from mailmend.facts.settings import value
from mailmend.facts.source import Source, used
from mailmend.facts.spf import check_host
from mailmend.model import CannotLook, Change, Effect, Expectation, Objection, Probe, Proposal, Scope
from mailmend.questions import Records

ID = "dns-records"
HEALS = ("ipv6-ptr-or-auth", "ptr-missing", "fcrdns-mismatch", "spf-fail", "unauthenticated")
EFFECT: Effect = "cures"


def propose(case: Case, probe: Probe) -> Proposal:
    """Every record that is missing for the addresses the affected mail leaves from; nothing where all are there."""
    scope = Scope(recipients=case.recipients)
    every = used(scope, probe)
    sources = [s for s in every if s.outward]
    unseen = [s for s in every if not s.outward]
    # An SPF record that lists one family alone would refuse the mail of the other.
    spf = () if unseen else tuple(_authentication(sources, scope, probe))
    changes = dict.fromkeys([*_identity(sources, probe), *spf])
    # A PTR is looked up by its address; what its owner has to write is the name in the reverse tree.
    addresses = {ip_address(s.outward or "").reverse_pointer: s.outward for s in sources}
    return Proposal(
        ID,
        EFFECT,
        tuple(changes),
        tuple(_seen(change, addresses) for change in changes),
        tuple(_cost(scope, probe)),
        tuple(_unseen(unseen, blocking=not sources)),
    )


def _cost(scope: Scope, probe: Probe) -> Iterator[str]:
    yield "PTR records are set where the address comes from: your provider's control panel or support"
    if not _rewritten(scope, probe):
        yield "forwarded mail without a DKIM signature stays refused until its envelope is rewritten (SRS)"


def _rewritten(scope: Scope, probe: Probe) -> bool:
    """Whether all that is forwarded leaves under an envelope of our own already; not where that cannot be seen."""
    try:
        found = forwarded(scope, probe)
    except CannotLook:
        return False
    return found.rewritten > 0 and not found.strangers


def _unseen(sources: list[Source], *, blocking: bool) -> Iterator[Objection]:
    """Behind NAT nothing on this host tells the address that receivers see."""
    for source in sources:
        yield Objection(
            f"which address receivers see for {source.ip or source.family} is not known "
            f"({source.problem or 'it is translated on its way out'}), so no SPF record is worked out",
            "ask a receiver, or your provider, and list that address in the SPF record",
            blocking=blocking,
        )


def _seen(change: Change, addresses: dict[str, str | None]) -> Expectation:
    name, _, rtype = change.target.rpartition(" ")
    subject = f"{addresses.get(name) or name} {rtype}"
    return Expectation("dns", "record-seen", subject, change.after, f"{change.target} is published")


def _identity(sources: list[Source], probe: Probe) -> Iterator[Change]:
    for source in sources:
        ip = source.outward or ""
        if forward_confirmed(ip, probe) is not False:
            continue
        helo = value(probe, "smtp_helo_name", source.service)
        reverse = ip_address(ip).reverse_pointer
        before = answer(probe, Records(ip, "PTR")).records
        yield Change("dns", f"{reverse} PTR", " ".join(before) or None, f"{helo}.", "none")
        forward = "AAAA" if source.family == "ipv6" else "A"
        there = answer(probe, Records(helo.lower(), forward)).records  # type: ignore[arg-type]
        if not any(same_address(ip, record) for record in there):
            # One address more for the name: those that stand there, the MX's perhaps, stay.
            yield Change("dns", f"{helo} {forward}", None, ip, "none")


def _authentication(sources: list[Source], scope: Scope, probe: Probe) -> Iterator[Change]:
    """SPF of our own domains only: nobody can publish for a stranger whose mail is forwarded."""
    for domain in senders(scope, probe).own:
        helo = value(probe, "smtp_helo_name")
        failing = []
        for source in sources:
            verdict = check_host(source.outward or "", domain, f"postmaster@{domain}", helo, probe)
            if verdict.result not in ("pass", "temperror"):
                failing.append(source)
        if failing:
            texts = answer(probe, Records(domain, "TXT")).records
            record = next((text for text in texts if text.lower().split()[:1] == ["v=spf1"]), None)
            yield Change("dns", f"{domain} TXT", record, with_addresses(record, failing), "none")


def with_addresses(record: str | None, sources: list[Source]) -> str:
    """The SPF record with the addresses listed first, where they cost no look-up; a new one where there is none."""
    wanted = [f"{'ip6' if s.family == 'ipv6' else 'ip4'}:{s.outward}" for s in sources]
    terms = record.split() if record else ["v=spf1", "~all"]
    return " ".join([terms[0], *(term for term in dict.fromkeys(wanted) if term not in terms), *terms[1:]])
