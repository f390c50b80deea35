"""status: what is saved, what runs, which sockets are open, how mail fares: side by side, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailmend.facts.settings import smtp_services
from mailmend.facts.source import families
from mailmend.jobs.here import Here
from mailmend.jobs.unloaded import named
from mailmend.model import CannotLook, Family, Finding, Proof, Record, Refused, Scope
from mailmend.questions import (
    Host,
    HostFacts,
    Listener,
    Listeners,
    LogCounts,
    Master,
    RecentDeliveries,
    Running,
    Setting,
    SettingValue,
    SocketListing,
)
from mailmend.road.way_back import WayBack, way_back

if TYPE_CHECKING:
    from mailmend.system.history import History

SHOWN = ("inet_protocols", "inet_interfaces", "mynetworks", "myhostname", "relayhost", "transport_maps",
         "smtp_address_preference", "smtp_dns_reply_filter", "smtp_bind_address", "smtp_bind_address6")  # fmt: skip
CHECKS = ("loaded", "listeners", "mynetworks")


@dataclass(frozen=True, slots=True)
class Status:
    """None stands for what could not be looked at; *errors* says why.

    *records* are the changes in force, *ways_back* what they, and what is only watched, wait for.
    *clients* are the smtp clients of master.cf with the families that each may use: new ones read what is saved.
    *interrupted* is a change that mailmend or the machine died in. *overwritten* are changes in force that
    others wrote over, each with the file.
    """

    host: HostFacts | None
    version: str | None
    settings: dict[str, SettingValue]
    running: Running | None
    listeners: tuple[Listener, ...] | None
    sockets: str | None
    findings: tuple[Finding, ...]
    deliveries: LogCounts | None
    records: tuple[Record, ...]
    ways_back: tuple[WayBack, ...]
    errors: tuple[str, ...]
    interrupted: Record | None = None
    clients: tuple[tuple[str, tuple[Family, ...]], ...] | None = None
    overwritten: tuple[tuple[Record, str], ...] = ()

    @property
    def pending(self) -> tuple[tuple[Record, Proof], ...]:
        """What others have to publish, as it is seen now."""
        return tuple((way.record, way.proof) for way in self.ways_back)

    @property
    def held(self) -> tuple[Record, ...]:
        """Those whose way back is open: it is offered, and never taken by itself."""
        return tuple(way.record for way in self.ways_back if way.open)


def status(here: Here) -> Status:
    """Look at everything once. Raises CannotLook only where there is no Postfix to speak of."""
    from mailmend import catalogue
    from mailmend.road.check import check
    from mailmend.system.history import History

    here.require_postfix()
    ask = here.probe.ask
    looks = (ask(Host()), ask(Master()), ask(Listeners()), ask(SocketListing()), ask(RecentDeliveries(1)))
    host, running, listeners, sockets, deliveries = looks
    known = catalogue.load().checks
    modules = {name: module for name, module in known.items() if name in CHECKS}
    version = ask(Setting("mail_version")).answer
    errors = [look.error for look in looks if look.error]
    records: tuple[Record, ...] = ()
    watched: tuple[Record, ...] = ()
    interrupted: Record | None = None
    try:
        history = History(here.state)
        records, watched, interrupted = history.in_force(), history.watched(), _interrupted(history)
    except CannotLook as gap:
        errors.append(str(gap))
    return Status(
        host=host.answer,
        version=version.value if version else None,
        settings={name: seen.answer for name in SHOWN if (seen := ask(Setting(name))).answer},
        running=running.answer,
        listeners=listeners.answer,
        sockets=sockets.answer,
        findings=named(here, check(here.probe, Scope(), modules)),
        deliveries=deliveries.answer,
        records=records,
        ways_back=tuple(way_back(r, here.probe, known) for r in (*records, *watched) if r.pending),
        errors=tuple(errors),
        interrupted=interrupted,
        clients=_clients(here),
        overwritten=_overwritten(here),
    )


def _interrupted(history: History) -> Record | None:
    """None also while another mailmend is at work: what it has begun is not interrupted yet."""
    from mailmend.system.swap import Busy
    from mailmend.system.transaction import alone

    found = history.interrupted()
    if found is None:
        return None
    try:
        with alone(history, 0.0):
            return history.interrupted()
    except Busy:
        return None
    except Refused:
        return found


def _overwritten(here: Here) -> tuple[tuple[Record, str], ...]:
    from mailmend.system import merge
    from mailmend.system.backwards import overwritten
    from mailmend.system.history import History

    try:
        return overwritten(History(here.state).records(), merge.postfix)
    except (CannotLook, Refused):
        # Told already, by the looks at the history and at the configuration.
        return ()


def _clients(here: Here) -> tuple[tuple[str, tuple[Family, ...]], ...] | None:
    try:
        return tuple((name, families(name, here.probe)) for name in smtp_services(here.probe))
    except CannotLook:
        return None
