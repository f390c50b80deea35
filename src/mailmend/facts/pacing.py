"""What slows mail down on its way out: a transport's own delays, and the listener of SRS that hands to such a one."""

from __future__ import annotations

from itertools import pairwise

from mailmend.facts import srs
from mailmend.facts.services import service
from mailmend.facts.settings import lookup, value
from mailmend.model import Probe
from mailmend.parse.listing import words

# The transports that mailmend makes are called `smtp-paced-google`; the table of what SRS sends there is an access(5).
FORWARDS = "paced_forwards"
LISTENER = f"127.0.0.1:{srs.PORT}/inet"
_DELAYS = ("transport_rate_delay", "destination_rate_delay")
_NONE = ("", "0", "0s")


def delayed(service_id: str, probe: Probe) -> str:
    """The setting that delays each delivery of this transport after the one before, with its value; "" for none."""
    name = service_id.partition("/")[0]
    for delay in _DELAYS:
        found = value(probe, f"{name}_{delay}")
        if found not in _NONE:
            return f"{name}_{delay} = {found}"
    return ""


def scoped_srs(probe: Probe) -> bool:
    """Whether strangers' mail takes the round of facts/srs.py, which a route in transport_maps would go past."""
    by_sender = value(probe, "sender_dependent_default_transport_maps")
    return srs.LEAVING in by_sender and service(probe, LISTENER) is not None


def paced(service_id: str, domain: str, probe: Probe) -> bool:
    """Whether mail for *domain* that leaves by *service_id* is delayed there, or by what SRS hands it to."""
    if delayed(service_id, probe):
        return True
    if not scoped_srs(probe):
        return False
    restrictions = words(value(probe, "smtpd_recipient_restrictions", LISTENER))
    asked = [r for before, r in pairwise(restrictions) if before == "check_recipient_access"]
    found = lookup(probe, " ".join(table for table in asked if FORWARDS in table), domain, whole=False)
    action, _, to = found.partition(" ")
    return action.upper() == "FILTER" and bool(delayed(to.strip().partition(":")[0], probe))
