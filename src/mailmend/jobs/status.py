"""status: what is saved, what runs, which sockets are open, how mail fares: side by side, read-only."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.facts.expect import prove
from mailmend.jobs.here import Here
from mailmend.model import Finding, Proof, Record, Scope
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

SHOWN = ("inet_protocols", "inet_interfaces", "mynetworks", "myhostname", "relayhost", "transport_maps",
         "smtp_address_preference", "smtp_dns_reply_filter", "smtp_bind_address", "smtp_bind_address6")  # fmt: skip
CHECKS = ("loaded", "listeners", "mynetworks")


@dataclass(frozen=True, slots=True)
class Status:
    """None stands for what could not be looked at; *errors* says why.

    *held* are changes of mailmend in force whose DNS records are now all there: the way back is offered.
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
    pending: tuple[tuple[Record, Proof], ...]
    errors: tuple[str, ...]

    @property
    def held(self) -> tuple[Record, ...]:
        return tuple(
            record
            for record, proof in self.pending
            if proof.judgements and all(j.verdict == "holds" for j in proof.judgements)
        )


def status(here: Here) -> Status:
    """Look at everything once. Raises CannotLook only where there is no Postfix to speak of."""
    from mailmend import catalogue
    from mailmend.road.check import check
    from mailmend.system.history import History

    here.require_postfix()
    ask = here.probe.ask
    looks = (ask(Host()), ask(Master()), ask(Listeners()), ask(SocketListing()), ask(RecentDeliveries(1)))
    host, running, listeners, sockets, deliveries = looks
    modules = {name: module for name, module in catalogue.load().checks.items() if name in CHECKS}
    version = ask(Setting("mail_version")).answer
    records = tuple(r for r in History(here.state).records() if r.state == "kept" and r.undoes is None)
    return Status(
        host=host.answer,
        version=version.value if version else None,
        settings={name: seen.answer for name in SHOWN if (seen := ask(Setting(name))).answer},
        running=running.answer,
        listeners=listeners.answer,
        sockets=sockets.answer,
        findings=check(here.probe, Scope(), modules),
        deliveries=deliveries.answer,
        records=records,
        pending=tuple((record, prove(record.pending, here.probe)) for record in records if record.pending),
        errors=tuple(look.error for look in looks if look.error),
    )
