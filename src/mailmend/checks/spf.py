"""SPF of every envelope domain used passes for every source address used, of both families (RFC 7208)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.looking import Seen, unknown
from mailmend.facts.outside import Outside, addresses, behind_nat
from mailmend.facts.senders import senders
from mailmend.facts.settings import value
from mailmend.facts.spf import Verdict, check_host
from mailmend.model import CannotLook, Finding, Probe, Scope

CAUSES = ("spf-fail", "spf-record-bad")


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """Our own envelope domains, the SRS domain among them; others' are the business of `forwarding`."""
    seen = Seen(probe)
    try:
        domains = senders(scope, seen)
        outside = addresses(scope, seen)
    except CannotLook as gap:
        yield unknown("spf-fail", ", ".join(scope.senders) or "myorigin", gap, seen)
        return
    for domain in domains.own:
        yield from _once([_look(domain, address, probe) for address in outside])
    if domains.null:
        yield from _helo(outside, probe)


def _once(found: list[Finding]) -> Iterator[Finding]:
    """A record that is not there is one fault, however many addresses it would have to list."""
    missing = [f for f in found if f.summary.endswith("publishes no SPF record")]
    if len(missing) < 2 or missing != found:
        yield from found
        return
    addresses = ", ".join(f.address or "" for f in missing)
    evidence = tuple({look.question: look for f in missing for look in f.evidence}.values())
    says = f"{missing[0].subject} publishes no SPF record; it would have to list {addresses}"
    yield Finding("spf-fail", missing[0].subject, "measured", says, evidence)


def _look(domain: str, address: Outside, probe: Probe) -> Finding:
    seen = Seen(probe)
    if address.ip is None:
        return Finding(
            "spf-fail",
            domain,
            "unknown",
            f"SPF of {domain} could not be decided: {behind_nat(address)}",
            family=address.family,
        )
    try:
        helo = value(seen, "smtp_helo_name", address.services[0])
    except CannotLook as gap:
        return unknown("spf-fail", domain, gap, seen, address.family)
    return _finding(domain, address, check_host(address.ip, domain, "", helo, seen), seen)


def _finding(domain: str, address: Outside, verdict: Verdict, seen: Seen) -> Finding:
    cause = "spf-record-bad" if verdict.result == "permerror" else "spf-fail"
    standing = {"pass": "cleared", "temperror": "unknown"}.get(verdict.result, "measured")
    says = f"SPF of {domain} for {address.ip} is {verdict.result}: {verdict.reason}"
    return Finding(
        cause,
        domain,
        standing,  # type: ignore[arg-type]  # the dictionary holds two of its words
        says,
        seen.evidence,
        family=address.family,
        address=address.ip,
    )


def _helo(outside: tuple[Outside, ...], probe: Probe) -> Iterator[Finding]:
    """Bounces have no sender: the EHLO name's SPF counts (RFC 7208 2.4). No record there is no fault."""
    for address in outside:
        seen = Seen(probe)
        if address.ip is None:
            continue
        try:
            name = value(seen, "smtp_helo_name", address.services[0]).lower().rstrip(".")
        except CannotLook as gap:
            yield unknown("spf-fail", "smtp_helo_name", gap, seen, address.family)
            continue
        verdict = check_host(address.ip, name, "", name, seen)
        if verdict.result in ("fail", "softfail", "permerror", "pass"):
            yield _finding(name, address, verdict, seen)
