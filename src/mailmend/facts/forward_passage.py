"""In what state forwarded mail leaves: its envelope, the way back of its bounces, its signatures, what judges it.

Tried with a sender of no one's here (RFC 2606), the null sender and one of our own, as Postfix's tables have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailmend.facts import judging, mx, signing
from mailmend.facts.domains import is_own, origin
from mailmend.facts.forward_measured import leaves_as
from mailmend.facts.forwarding import alterations, unseen
from mailmend.facts.forwards import Forward
from mailmend.facts.looking import answer
from mailmend.facts.settings import lookup, value
from mailmend.model import CannotLook, MailmendError, Probe
from mailmend.parse.listing import words
from mailmend.questions import HostAddresses

STRANGER = "someone@example.net"


@dataclass(frozen=True, slots=True)
class Passage:
    """How mail that is forwarded to *domain* leaves; None where that is not known, and *error* says why.

    *receiver*: whose its mail hosts are, None: nobody's we know. *service* and *nexthop*: the last way it takes.
    *rewritten*: a stranger's envelope becomes one of ours, *envelope*. *returns*: what comes back to that address goes
    to the stranger. *null_kept*, *own_kept*: these senders stay as they are. *loops*: the domain's mail comes here.
    """

    domain: str
    count: int
    examples: tuple[Forward, ...]
    receiver: str | None = None
    service: str = ""
    nexthop: str = ""
    rewritten: bool | None = None
    envelope: str = ""
    returns: bool | None = None
    null_kept: bool | None = None
    own_kept: bool | None = None
    loops: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Doors:
    """What this host does to all of it. *alters*: (setting, what it changes); *unseen*: programs that may.

    *judged*: what its author asks for (DMARC) is heeded while it comes in; None: not known. Where it is not, what the
    receiver refuses for that is sent back to somebody who may never have written it (backscatter).
    """

    alters: tuple[tuple[str, str], ...]
    unseen: tuple[str, ...]
    judged: bool | None
    error: str = ""


def passages(found: Sequence[Forward], probe: Probe, most: int = 200) -> tuple[tuple[Passage, ...], int]:
    """By the domain forwarded to, the most frequent first; and how many domains beyond *most* were not looked at."""
    by: dict[str, list[Forward]] = {}
    for one in found:
        by.setdefault(one.target.rpartition("@")[2].lower(), []).append(one)
    ordered = sorted(by.items(), key=lambda each: -len(each[1]))
    return tuple(passage(name, each, probe) for name, each in ordered[:most]), len(ordered[most:])


def passage(domain: str, found: Sequence[Forward], probe: Probe) -> Passage:
    """How mail for the targets of *found*, all at *domain*, leaves."""
    examples, loop = tuple(found[:3]), next((one for one in found if one.loop), None)
    if loop is not None:
        return Passage(domain, len(found), (loop, *examples[:2]), loops=True)
    target = found[0].target
    if target.startswith("@"):
        target = target.removeprefix("@") if found[0].nexthop else f"postmaster{target}"
    try:
        envelope, way = leaves_as(STRANGER, target, probe)
        rewritten = envelope.lower() != STRANGER
        return Passage(
            domain,
            len(found),
            examples,
            receiver=mx.receiver(way.nexthop, probe),
            service=way.service,
            nexthop=way.nexthop,
            rewritten=rewritten,
            envelope=envelope,
            returns=_returns(envelope, probe) if rewritten else True,
            null_kept=leaves_as("", target, probe)[0] == "",
            own_kept=_own_kept(target, probe),
            loops=_is_here(way.nexthop, probe),
        )
    except MailmendError as gap:
        return Passage(domain, len(found), examples, error=gap.reason)


def doors(probe: Probe) -> Doors:
    """Raises nothing: what cannot be looked at is in *error*."""
    try:
        return Doors(alterations(probe), unseen(probe), _judged(probe))
    except CannotLook as gap:
        return Doors((), (), None, gap.reason)


def _own_kept(target: str, probe: Probe) -> bool | None:
    domain = origin(probe)
    if not domain:
        return None
    own = f"postmaster@{domain}"
    return leaves_as(own, target, probe)[0].lower() == own


def _returns(envelope: str, probe: Probe) -> bool | None:
    """Whether a bounce to *envelope* comes here and goes on to the stranger; None: its domain has no mail host yet."""
    domain = envelope.rpartition("@")[2].lower()
    if not is_own(domain, probe):
        return False
    back = next(
        (
            found
            for name in ("recipient_canonical_maps", "canonical_maps", "virtual_alias_maps")
            if (found := lookup(probe, value(probe, name), envelope, whole=True))
        ),
        "",
    )
    return back.lower() == STRANGER and (_is_here(domain, probe) or None)


def _is_here(nexthop: str, probe: Probe) -> bool:
    """Whether the mail hosts behind *nexthop* have an address of this host."""
    ours = {each.ip for each in answer(probe, HostAddresses())}
    return any(
        address in ours
        for host in mx.hosts(nexthop, probe).hosts
        for family in ("ipv4", "ipv6")
        for address in mx.addresses(host, family, probe)
    )


def _judged(probe: Probe) -> bool | None:
    """Whether opendmarc refuses; another filter may, which is not known; with no program at all nothing does."""
    named = value(probe, "smtpd_milters")
    # opendkim alone looks at signatures, and knows nothing of what an author asks for.
    others = not all(signing.leaves_alone(name, probe) for name in words(named))
    if not others and "check_policy_service" not in value(probe, "smtpd_recipient_restrictions"):
        return bool(value(probe, "smtpd_proxy_filter")) and None
    if judging.is_judge(named, probe):
        return judging.refused(probe)
    return None
