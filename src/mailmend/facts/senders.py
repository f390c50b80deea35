"""The envelope domains that this host sends with: its own, and those of people whose mail it forwards."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailmend.facts.domains import is_own, origin
from mailmend.model import Probe, Scope
from mailmend.questions import DeliveryCount, RecentDeliveries

# What an SRS round through a listener of this host is logged as (facts/srs.py): postfix/srs/smtp.
_ROUND = "srs/"
# SRS0=HHH=TT=domain=local and its further hops; the separator is the implementation's choice.
_SRS = re.compile(r"SRS[01][-+=]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Senders:
    """Domains, lower case. *srs* are own domains under which rewritten envelopes leave.

    *foreign* are others' domains: nothing of ours can publish for them.
    *null*: mail with the null sender leaves, for which receivers judge the HELO name (RFC 7208 2.4).
    """

    own: tuple[str, ...]
    foreign: tuple[str, ...]
    srs: tuple[str, ...]
    null: bool


def senders(scope: Scope, probe: Probe) -> Senders:
    """Those that the scope names, else those in the log; where it shows none of our own, myorigin.

    Raises looking.Unknown where the domain lists cannot be read.
    """
    if scope.senders:
        return Senders(tuple(dict.fromkeys(map(domain_of, scope.senders))), (), (), False)
    seen = _logged(probe)
    srs = dict.fromkeys(domain_of(a) for a in seen if rewritten(a))
    names = dict.fromkeys(domain_of(a) for a in seen if a and not rewritten(a))
    own = dict.fromkeys((*(n for n in names if is_own(n, probe)), *srs))
    foreign = tuple(n for n in names if n and n not in own)
    home = origin(probe)
    if not own and "." in home and home not in foreign:
        own = {home: None}
    return Senders(tuple(own), foreign, tuple(srs), "" in seen)


def rewritten(address: str) -> bool:
    """Whether an envelope sender carries SRS."""
    return bool(_SRS.match(address))


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower().rstrip(".")


def left(count: DeliveryCount) -> bool:
    """Whether these deliveries left by SMTP; a round through our own listener, to be rewritten, did not yet."""
    return bool(count.relay_host and count.family) and not count.service.startswith(_ROUND)


def _logged(probe: Probe) -> tuple[str, ...]:
    log = probe.ask(RecentDeliveries()).answer
    counts = log.counts if log else ()
    return tuple(dict.fromkeys(s for c in counts if left(c) for s in c.senders))
