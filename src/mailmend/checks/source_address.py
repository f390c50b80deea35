"""Every source address is one of this host's lasting ones, where the configuration puts it (postconf(5))."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.looking import Seen, unknown
from mailmend.facts.source import Source, host_address, used
from mailmend.model import CannotLook, Finding, Probe, Scope

CAUSES = ("bind-address-not-here", "source-address-temporary", "source-address-unknown")


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """One finding or more per service and family by which the affected mail leaves."""
    seen = Seen(probe)
    try:
        sources = used(scope, seen)
    except CannotLook as gap:
        yield unknown("source-address-unknown", "smtp_bind_address", gap, seen)
        return
    for source in sources:
        yield from _look(source, Seen(probe), seen)


def _look(source: Source, own: Seen, shared: Seen) -> Iterator[Finding]:
    if source.refused:
        parameter = "smtp_bind_address6" if source.family == "ipv6" else "smtp_bind_address"
        then = (
            "nothing is sent over this family (smtp_bind_address_enforce)"
            if source.decided == parameter
            else f"Postfix only warns, and the kernel chooses {source.ip or 'none'}"
        )
        says = f"{parameter} = {source.refused} of {source.service} is not on this host: {then}"
        yield Finding(
            "bind-address-not-here", parameter, "measured", says, shared.evidence, family=source.family
        )
    if source.ip is None:
        if not source.refused:
            says = f"{source.service} has no source address over {source.family}: {source.problem}"
            yield Finding(
                "source-address-unknown",
                f"{source.service} {source.family}",
                "unknown",
                says,
                shared.evidence,
                family=source.family,
            )
        return
    try:
        held = host_address(source.ip, own)
    except CannotLook as gap:
        yield unknown("source-address-temporary", source.ip, gap, own, source.family)
        return
    says = f"{source.service} sends from {source.ip}{_outside(source)} (chosen by {source.decided})"
    if held and (held.temporary or held.deprecated):
        kind = "a temporary privacy address" if held.temporary else "a deprecated address"
        says += f", {kind} of {held.interface} that no PTR or SPF can keep up with"
        standing = "measured"
    else:
        standing = "cleared"
    yield Finding(
        "source-address-temporary",
        source.ip,
        "measured" if standing == "measured" else "cleared",
        says,
        (*shared.evidence, *own.evidence),
        family=source.family,
        address=source.outward,
    )


def _outside(source: Source) -> str:
    if source.outward is None:
        return ", which is translated on its way out to an address that is not known for sure"
    return "" if source.outward == source.ip else f", seen by receivers as {source.outward}"
