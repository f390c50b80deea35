"""Mail leaves with a DKIM signature that verifies and stands for its author (RFC 6376, RFC 9989)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts import signing
from mailmend.facts.dkim import Signed, signed
from mailmend.facts.dmarc import Policy, policy, stands_for
from mailmend.facts.domains import origin
from mailmend.facts.forwarding import filters, milters
from mailmend.facts.looking import Seen, answer, unknown
from mailmend.facts.senders import senders
from mailmend.facts.settings import value
from mailmend.model import CannotLook, Finding, Probe, Scope
from mailmend.questions import Stat

CAUSES = ("dkim-fail", "dmarc-reject", "dkim-unsigned")


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """A message that was given is verified; without one, whether anything here could sign at all."""
    if scope.message is not None:
        yield from _message(scope.message, probe)
        return
    seen = Seen(probe)
    try:
        signers = (*milters(seen), *filters(seen))
        found = senders(scope, seen)
        # Nobody is the author of mail of a domain that envelopes are rewritten into.
        domains = tuple(name for name in found.own if name not in found.srs) or (origin(seen),)
    except CannotLook as gap:
        yield unknown("dkim-unsigned", "smtpd_milters", gap, seen)
        return
    of = ", ".join(domains) or "this host"
    if signers and (says := _signs(domains, seen)):
        yield Finding("dkim-unsigned", "smtpd_milters", "cleared", says, seen.evidence)
        return
    if signers:
        says = (
            f"{signers[0]} may sign mail of {of}; whether it does stands in its own log lines, which are not read yet "
            "(a message that was sent, --message, shows it)"
        )
        yield Finding("dkim-unsigned", "smtpd_milters", "unknown", says, seen.evidence)
        return
    says = f"no milter or filter is configured: mail of {of} leaves without a DKIM signature of this host"
    yield Finding("dkim-unsigned", "smtpd_milters", "measured", says, seen.evidence)


def _signs(domains: tuple[str, ...], probe: Probe) -> str:
    """What opendkim signs for, where it is asked about all mail and each of *domains* has its key in DNS; else ""."""
    try:
        if not domains or not answer(probe, Stat(signing.PROGRAM)).exists:
            return ""
        signer = signing.signer(probe)
        milter = signing.milter(signer.socket, probe)
        both = [value(probe, name) for name in ("smtpd_milters", "non_smtpd_milters")]
        known = not (signer.tables or signer.listed or signer.only_verifies)
        if not known or not milter or not all(signing.named(milter, listed) for listed in both):
            return ""
        record = signing.record_of(signer.key, probe)
        keyed = {signer.stands_for(domain) for domain in domains}
        if not record or not all(d and signing.published(d, signer.selector, record, probe) for d in keyed):
            return ""
    except CannotLook:
        return ""
    names = ", ".join(f"{signer.selector}._domainkey.{domain}" for domain in sorted(keyed))
    return f"opendkim signs mail of {', '.join(domains)}, and its key is published ({names})"


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
    elif any(not s.checked for s in found.signatures):
        says = "; ".join(f"{s.domain}: {s.reason}" for s in found.signatures)
        yield Finding("dkim-fail", subject, "unknown", says, seen.evidence)
    else:
        why = "; ".join(f"{s.domain}: {s.reason}" for s in found.signatures) or "it has none"
        yield Finding("dkim-fail", subject, "measured", f"no DKIM signature verifies: {why}", seen.evidence)
    if found.author and asked:
        try:
            yield _dmarc(found, asked, seen)
        except CannotLook as gap:
            yield unknown("dmarc-reject", found.author, gap, seen)


def _dmarc(found: Signed, asked: Policy, seen: Seen) -> Finding:
    """Forwarding breaks SPF alignment, so an aligned signature is all that DMARC has left."""
    author = found.author or ""
    good = (s for s in found.signatures if s.verifies)
    stands = [s for s in good if stands_for(s.domain, author, asked.strict_dkim, seen)]
    if stands:
        says = f"{stands[0].domain} signs for {author}: DMARC passes also when forwarded"
        return Finding("dmarc-reject", author, "cleared", says, seen.evidence)
    says = f"{author} asks for p={asked.policy} ({asked.at}) and no signature that verifies stands for it"
    if asked.policy in ("reject", "quarantine"):
        return Finding("dmarc-reject", author, "measured", says, seen.evidence)
    return Finding("dmarc-reject", author, "cleared", says, seen.evidence)
