"""The address by which receivers know a host behind NAT: as they name it when they refuse who is sending.

Anybody whom this host sends mail to can write an address into a refusal, and what we then publish for it lets
that address send as us. So only the hosts of known receivers have a voice, only in refusals about who sends,
and one voice is not enough.
"""

from __future__ import annotations

from datetime import date

from mailmend.facts.receiver_log import IDENTITY, cause_of
from mailmend.model import Family, Probe, family_of
from mailmend.parse.reply import source_ip
from mailmend.questions import DeliveryCount, RecentDeliveries


def named(family: Family, probe: Probe) -> str | None:
    """The address that known receivers named last, where two of them or two days agree; else None."""
    log = probe.ask(RecentDeliveries()).answer
    voices = [(count, ip) for count in (log.counts if log else ()) if (ip := _named(count, family))]
    if not voices:
        return None
    latest = max(voices, key=lambda voice: voice[0].last)[1]
    heard = [_who_and_when(count) for count, ip in voices if ip == latest]
    receivers = {who for who, _ in heard}
    days = {day for _, days in heard for day in days}
    return latest if len(receivers) > 1 or len(days) > 1 else None


def _who_and_when(count: DeliveryCount) -> tuple[str | None, set[date]]:
    from mailmend.receivers import of_host

    return of_host(count.relay_host or ""), {at.date() for at in (count.first, count.last) if at}


def _named(count: DeliveryCount, family: Family) -> str | None:
    """The address in this refusal, where its receiver is to be believed."""
    from mailmend.receivers import load, of_host

    if count.status == "sent" or count.family != family or not of_host(count.relay_host or ""):
        return None
    ip = source_ip(count.text)
    if ip is None or family_of(ip) != family:
        return None
    return ip if cause_of(count, load()) in IDENTITY else None
