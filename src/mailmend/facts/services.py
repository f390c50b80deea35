"""The services of master.cf: what runs the smtp client, and what each overrides with `-o`."""

from __future__ import annotations

from mailmend.facts import settings
from mailmend.model import Probe
from mailmend.questions import Service


def services(probe: Probe) -> tuple[Service, ...]:
    """master.cf, of several entries for a service the last alone; Unknown where it could not be read."""
    return settings.services(probe)


def service(probe: Probe, service_id: str) -> Service | None:
    """The entry `name/type`; None where there is none."""
    return next((entry for entry in services(probe) if entry.id == service_id), None)


def overrides(probe: Probe, service_id: str) -> dict[str, str]:
    """The `-o name=value` of a service; the last one wins, as in Postfix."""
    entry = service(probe, service_id)
    return dict(entry.overrides) if entry else {}


def smtp_clients(probe: Probe) -> tuple[Service, ...]:
    """Every service that delivers by the smtp client: smtp, relay and the operator's own clones."""
    names = settings.smtp_services(probe)
    return tuple(entry for entry in services(probe) if entry.id in names)
