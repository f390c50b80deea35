"""Proposals -> the one to apply: the narrowest that does no harm here, unless the operator named one."""

from __future__ import annotations

from collections.abc import Sequence

from mailmend.model import Proposal

# From the narrowest to the widest. Where IPv4 fares well, leaving IPv6 out for this receiver contains the fault
# at once; where it does not, every IPv4 remedy objects, and an address in good standing comes next.
# What changes the envelope of all that is forwarded comes last: it cures, and needs a daemon and records besides.
# ipv4-only is the kludge: it closes a listener for a fault in sending, so it is never chosen, only asked for.
CURE = "srs"
ORDER = ("ipv4-for-receiver", "ipv4-client", "bind-address", "ipv4-transport", CURE)


def choose(proposals: Sequence[Proposal], remedy: str | None) -> tuple[Proposal | None, str]:
    """The proposal to apply and the sentence that says why; (None, why) where none may be applied.

    A proposal without changes is in place already; it is chosen, so that its proof is looked at again.
    """
    if remedy is not None:
        named = next(p for p in proposals if p.remedy == remedy)
        if named.forbidden:
            return None, next(o.reason for o in named.objections if o.blocking and not o.overridable)
        return named, "the operator's choice"
    by_id = {p.remedy: p for p in proposals}
    weighed = [by_id[name] for name in ORDER if name in by_id]
    for place, proposal in enumerate(weighed):
        if not proposal.blocked:
            reason = "the narrowest remedy that works here"
            if place:
                first = next(o for o in weighed[0].objections if o.blocking)
                reason = f"{weighed[0].remedy} does not work here: {first.reason}"
            return proposal, reason
    if not weighed:
        return None, "no remedy of mailmend heals this"
    # Where everything else does harm, what is still missing for the cure is the way on.
    if weighed[-1].remedy == CURE and weighed[1:]:
        return (
            None,
            f"{_why(weighed[0], step=False)}; SRS cures it (remedy {CURE}), but for this: {_why(weighed[-1])}",
        )
    return None, _why(weighed[0])


def _why(proposal: Proposal, *, step: bool = True) -> str:
    """What stops it, and what to do about that."""
    first = next(o for o in proposal.objections if o.blocking)
    return f"{first.reason}; {first.next_step}" if step and first.next_step else first.reason
