"""What is saved can run: every socket can be bound, every daemon and every lookup table is there.

`postfix check` passes all of these, and `postfix reload` succeeds while master(8) dies of the first.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts import endpoints
from mailmend.facts.expect import socket_name
from mailmend.facts.looking import answer
from mailmend.facts.named_tables import named
from mailmend.facts.settings import program, value
from mailmend.model import Probe, family_of
from mailmend.questions import Bindable, Listener, Listeners, Stat

_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, never bound


def obstacles(probe: Probe) -> tuple[str, ...]:
    """One line for each thing that would stop Postfix, or the mail, once what is saved runs.

    Raises CannotLook where that cannot be told.
    """
    tables = (trouble.says for trouble in named(probe).troubles if trouble.missing)
    return (*unbindable(probe), *_daemons(probe), *tables)


def unbindable(probe: Probe) -> tuple[str, ...]:
    """One line for each socket that master(8) would end of, at a reload too. Raises CannotLook as above."""
    return tuple(_sockets(probe))


def _sockets(probe: Probe) -> Iterator[str]:
    wanted = endpoints.configured(probe)
    held = answer(probe, Listeners())
    names = {(e.address, e.port) for e in wanted}
    leaving = [s for s in held if (s.address, s.port) not in names]
    for endpoint in wanted:
        if any((s.address, s.port) == (endpoint.address, endpoint.port) for s in held):
            continue
        why = answer(probe, Bindable(endpoint.address, endpoint.port))
        if why and not any(_overlap(endpoint, s) for s in leaving):
            name = socket_name(endpoint.address, endpoint.port)
            yield f"master.cf's {endpoint.service} cannot listen on {name}: {why}"


def _overlap(endpoint: endpoints.Endpoint, other: Listener) -> bool:
    """Whether *other*, which Postfix itself gives up when it is restarted, is what stands in the way."""
    same = endpoint.port == other.port and family_of(endpoint.address) == family_of(other.address)
    return same and (endpoint.address in _ANY or other.address in _ANY)


def _daemons(probe: Probe) -> Iterator[str]:
    """Master starts, throttles the service, and its mail waits."""
    folder = value(probe, "daemon_directory")
    for name in dict.fromkeys(program(service.command) for service in endpoints.enabled(probe)):
        if name and not answer(probe, Stat(f"{folder}/{name}")).exists:
            yield f"master.cf names the daemon {name}, which is not in {folder}"
