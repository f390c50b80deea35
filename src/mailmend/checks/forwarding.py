"""Forwarded mail leaves under an envelope of our own, with its signatures intact (SRS; RFC 7208 D.3)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.dkim import signed
from mailmend.facts.forwarding import (
    Forwarded,
    alterations,
    envelope_rewriter,
    forwarded,
    unseen,
)
from mailmend.facts.looking import Seen, unknown
from mailmend.facts.outside import addresses
from mailmend.facts.spf import check_host
from mailmend.model import CannotLook, Finding, Probe, Scope

CAUSES = ("forwarded-not-rewritten", "message-altered")

_SAMPLE = 5
_SETTING = "sender_canonical_maps"
# The setting behind each kind of program that mail passes.
_SETTINGS = {
    "content_filter": "content_filter",
    "smtpd_proxy_filter": "smtpd_proxy_filter",
    "smtp_generic_maps": "smtp_generic_maps",
    "milter": "smtpd_milters",
}


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """Nothing where no forwarding is seen; else the envelope, and what would break a signature."""
    seen = Seen(probe)
    try:
        found = forwarded(scope, seen)
    except CannotLook as gap:
        yield unknown("forwarded-not-rewritten", _SETTING, gap, seen)
        return
    if not found.known:
        return
    try:
        yield _envelope(found, scope, seen)
    except CannotLook as gap:
        yield unknown("forwarded-not-rewritten", _SETTING, gap, seen)
    yield from _signatures(scope, probe)


def _envelope(found: Forwarded, scope: Scope, seen: Seen) -> Finding:
    """The log decides where it shows senders; configuration where nothing was logged yet."""
    by = envelope_rewriter(seen)
    of = f"{found.count} forwarded deliveries in the log" if found.count else found.way
    cause = "forwarded-not-rewritten"
    if found.strangers:
        says = (
            f"{of}: the envelope sender stays that of {len(found.strangers)} other {_domains(found.strangers)} "
            f"({', '.join(found.strangers[:_SAMPLE])}){_refused_by_spf(found, scope, seen)}"
        )
        if by:
            says += f", although {by} is set"
        return Finding(cause, _SETTING, "measured", says, seen.evidence)
    if found.count and found.rewritten:
        return Finding(cause, _SETTING, "cleared", f"{of}, with the envelope rewritten (SRS)", seen.evidence)
    if by:
        return Finding(cause, _SETTING, "cleared", f"{of}; {by} rewrites the envelope", seen.evidence)
    if found.count:
        says = f"{of}, all from domains of this host"
        return Finding(cause, _SETTING, "cleared", says, seen.evidence)
    says = f"{of}, and nothing rewrites the envelope sender (SRS): others' SPF will not pass for this host"
    return Finding(cause, _SETTING, "measured", says, seen.evidence)


def _domains(names: tuple[str, ...]) -> str:
    return "domain" if len(names) == 1 else "domains"


def _refused_by_spf(found: Forwarded, scope: Scope, seen: Seen) -> str:
    """How many of the strangers' domains refuse this host by their SPF: the figure that explains the bounces."""
    sample = found.strangers[:_SAMPLE]
    ips = [a.ip for a in addresses(scope, seen) if a.ip][:2]
    results = [check_host(ip, domain, "", "", seen).result for domain in sample for ip in ips]
    told = [result for result in results if result != "temperror"]
    bad = sum(result != "pass" for result in told)
    return f"; their SPF does not pass for this host in {bad} of {len(told)} looks" if told else ""


def _signatures(scope: Scope, probe: Probe) -> Iterator[Finding]:
    """What main.cf itself changes is measured; what a program changes, only a message can show."""
    seen = Seen(probe)
    try:
        broken = alterations(seen)
        through = unseen(seen)
        intact = _intact(scope, seen)
    except CannotLook as gap:
        yield unknown("message-altered", "header_checks", gap, seen)
        return
    for setting, why in broken:
        says = f"forwarded mail is changed: {why}"
        yield Finding("message-altered", setting, "measured", says, seen.evidence)
    if broken:
        return
    if intact:
        says = f"the signature of {intact} in the message given still verifies"
        yield Finding("message-altered", "message", "cleared", says, seen.evidence)
    elif through:
        says = (
            f"{', '.join(through)}: every message passes there; what it changes, and whether signatures verify on "
            "arrival, is in its own log lines (mailmend check forwarding --senders; or a message, --message)"
        )
        yield Finding(
            "message-altered", _SETTINGS[through[0].partition(" ")[0]], "unknown", says, seen.evidence
        )
    else:
        says = "nothing set here changes header or body of forwarded mail (whether DKIM verifies was not looked at)"
        yield Finding("message-altered", "header_checks", "cleared", says, seen.evidence)


def _intact(scope: Scope, seen: Seen) -> str:
    """The domains whose signatures verify in the message that was given, "" for none."""
    if scope.message is None:
        return ""
    return ", ".join(s.domain for s in signed(scope.message, seen).signatures if s.verifies)
