"""Mail leaves with a DKIM signature that verifies and stands for its author (RFC 6376, RFC 9989)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.dkim import Signed, signed
from mailmend.facts.dmarc import Policy, aligned, policy
from mailmend.facts.forwarding import filters, milters
from mailmend.facts.looking import Seen, unknown
from mailmend.facts.senders import senders
from mailmend.model import CannotLook, Finding, Probe, Scope

CAUSES = ("dkim-fail", "dmarc-reject", "dkim-unsigned")


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """A message that was given is verified; without one, whether anything here could sign at all."""
    if scope.message is not None:
        yield from _message(scope.message, probe)
        return
    seen = Seen(probe)
    try:
        signers = (*milters(seen), *filters(seen))
        domains = senders(scope, seen).own
    except CannotLook as gap:
        yield unknown("dkim-unsigned", "smtpd_milters", gap, seen)
        return
    of = ", ".join(domains) or "this host"
    if signers:
        says = (
            f"{signers[0]} may sign mail of {of}; whether it does stands in its own log lines, which are not read yet "
            "(a message that was sent, --message, shows it)"
        )
        yield Finding("dkim-unsigned", "smtpd_milters", "unknown", says, seen.evidence)
        return
    says = f"no milter or filter is configured: mail of {of} leaves without a DKIM signature of this host"
    yield Finding("dkim-unsigned", "smtpd_milters", "measured", says, seen.evidence)


def _message(text: str, probe: Probe) -> Iterator[Finding]:
    seen = Seen(probe)
    try:
        found = signed(text, seen)
        asked = policy(found.author, seen) if found.author else None
    except CannotLook as gap:
        yield unknown("dkim-fail", "message", gap, seen)
        return
    subject = found.author or "message"
    good = [s for s in found.signatures if s.verifies]
    if good:
        says = f"the signature of {', '.join(s.domain for s in good)} verifies"
        yield Finding("dkim-fail", subject, "cleared", says, seen.evidence)
    else:
        why = "; ".join(f"{s.domain}: {s.reason}" for s in found.signatures) or "it has none"
        yield Finding("dkim-fail", subject, "measured", f"no DKIM signature verifies: {why}", seen.evidence)
    if found.author and asked:
        yield _dmarc(found, asked, seen)


def _dmarc(found: Signed, asked: Policy, seen: Seen) -> Finding:
    """Forwarding breaks SPF alignment, so an aligned signature is all that DMARC has left."""
    author = found.author or ""
    stands = [s for s in found.signatures if s.verifies and aligned(s.domain, author, asked.strict_dkim)]
    if stands:
        says = f"{stands[0].domain} signs for {author}: DMARC passes also when forwarded"
        return Finding("dmarc-reject", author, "cleared", says, seen.evidence)
    says = f"{author} asks for p={asked.policy} ({asked.at}) and no signature that verifies stands for it"
    if asked.policy in ("reject", "quarantine"):
        return Finding("dmarc-reject", author, "measured", says, seen.evidence)
    return Finding("dmarc-reject", author, "cleared", says, seen.evidence)
