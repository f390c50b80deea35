"""What a change takes away or leaves dangling, seen in its files alone: the settings to be, against those that are.

`postfix check` passes all of these. A probe of the candidate and one of the present configuration are asked the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from mailmend.facts import endpoints
from mailmend.facts.looking import answer
from mailmend.facts.settings import program, services, smtp_services, value
from mailmend.facts.source import families
from mailmend.model import Probe
from mailmend.parse.listing import words
from mailmend.questions import HostAddresses, Resolve

# Settings that name a transport of master.cf: `service`, or `service:where to` (postconf(5)).
TRANSPORTS = (
    "content_filter", "default_transport", "local_transport", "relay_transport", "virtual_transport",
    "mailbox_transport", "fallback_transport", "error_transport",
)  # fmt: skip
# Services that other daemons wait for: without one of them mail waits for ever, or goes without TLS (master(5)).
NEEDED = (
    "cleanup",
    "qmgr",
    "pickup",
    "rewrite",
    "bounce",
    "defer",
    "error",
    "retry",
    "proxymap",
    "trace",
    "tlsmgr",
)
_SMTP_PORTS = {"": 25, "smtp": 25}


def harm(candidate: Probe, present: Probe) -> tuple[str, ...]:
    """One line for each new thing. Raises CannotLook where that cannot be told."""
    return (
        *_listeners_lost(candidate, present),
        *_services_lost(candidate, present),
        *_wrong_kind(candidate, present),
        *_transports(candidate, present),
        *_loops(candidate, present),
        *_bound(candidate, present),
        *_open(candidate, present),
    )


def _listeners_lost(candidate: Probe, present: Probe) -> Iterator[str]:
    was, now = families(None, present), families(None, candidate)
    if "ipv4" in was and "ipv4" not in now:
        yield "inet_protocols would leave IPv4 out: most of the world reaches this server by it alone"
    if _smtp(present) and not _smtp(candidate):
        yield "nothing would listen on port 25 any more"


def _smtp(probe: Probe) -> bool:
    return any(endpoint.port == 25 for endpoint in endpoints.configured(probe))


def _services_lost(candidate: Probe, present: Probe) -> Iterator[str]:
    was = {s.name: s for s in endpoints.enabled(present) if s.type != "inet"}
    now = {s.name: s for s in endpoints.enabled(candidate) if s.type != "inet"}
    for name in NEEDED:
        if name in was and name not in now:
            yield f"master.cf would have no {name}, which other daemons need"


def _wrong_kind(candidate: Probe, present: Probe) -> Iterator[str]:
    """A service that others reach by its socket keeps its type and its folder; its program stays of its kind."""
    was = {s.name: s for s in services(present) if s.type != "inet"}
    for service in endpoints.enabled(candidate):
        old = was.get(service.name)
        if old is None or service.type == "inet" or service.name not in NEEDED:
            continue
        if old.type != service.type:
            yield f"{old.id} would become {service.id}, where nobody looks for it"
        elif (old.private == "n") != (service.private == "n"):
            yield f"{service.id} would be moved between queue_directory's public and private"
        if program(old.command) != program(service.command):
            yield f"{service.id} would run {program(service.command)} instead of {program(old.command)}"


def _transports(candidate: Probe, present: Probe) -> Iterator[str]:
    there = {s.name for s in endpoints.enabled(candidate) if s.type in ("unix", "fifo")}
    for name, text in _named(candidate).items():
        transport = text.partition(":")[0].strip()
        if transport and transport not in there and _named(present).get(name) != text:
            yield f"{name} would name the transport {transport}, which master.cf does not have"


def _named(probe: Probe) -> dict[str, str]:
    """setting -> its value, in main.cf and in every `-o` (`service/type/setting`)."""
    found = {name: value(probe, name) for name in TRANSPORTS}
    for service in services(probe):
        for name, _ in service.overrides:
            if name in TRANSPORTS:
                found[f"{service.id}/{name}"] = value(probe, name, service.id)
    return found


def _loops(candidate: Probe, present: Probe) -> Iterator[str]:
    """A relayhost that is this very server: every mail would go round."""
    relayhost = value(candidate, "relayhost")
    if not relayhost or relayhost == value(present, "relayhost"):
        return
    own = {a.ip for a in answer(candidate, HostAddresses())}
    listening = {endpoint.port for endpoint in endpoints.configured(candidate)}
    for word in words(relayhost):
        match = re.fullmatch(r"(?:[a-z]+:)?(\[[^\]]*\]|[^:\[\]]+)(?::(\w+))?", word, re.IGNORECASE)
        if match is None:
            continue
        host, port = match[1].strip("[]"), match[2] or ""
        number = int(port) if port.isdigit() else _SMTP_PORTS.get(port, 587)
        there = _addresses(host, candidate)
        if number in listening and (own & set(there) or any(ip.startswith("127.") for ip in there)):
            yield f"relayhost {word} is this very server: mail would loop"


def _bound(candidate: Probe, present: Probe) -> Iterator[str]:
    """Where mail is to be sent from; smtp(8) looks at it only when it connects."""
    own = {a.ip for a in answer(candidate, HostAddresses())}
    for name in ("smtp_bind_address", "smtp_bind_address6"):
        for service in (None, *smtp_services(candidate)):
            address = value(candidate, name, service).strip("[]")
            known = service is None or any(s.id == service for s in services(present))
            if not address or (known and address == value(present, name, service).strip("[]")):
                continue
            if service and address == value(candidate, name).strip("[]"):
                continue
            place = f"{service}/{name}" if service else name
            try:
                if str(ip_address(address)) not in own:
                    yield f"{place} would be {address}, which is not on this host"
            except ValueError:
                yield f"{place} would be {address}, which is no address"


def _addresses(host: str, probe: Probe) -> tuple[str, ...]:
    try:
        return (str(ip_address(host.removeprefix("IPv6:"))),)
    except ValueError:
        return probe.ask(Resolve(host)).answer or ()


def _open(candidate: Probe, present: Probe) -> Iterator[str]:
    """What a stranger may do by the restrictions as they are written, where he may not do it now."""
    from mailmend.facts.relaying import entrances, walk, will_serve

    trusted = _wide(candidate) - _wide(present)
    for service in entrances(candidate):
        known = {s.id for s in services(present)}
        if not will_serve(service.id, candidate) and not (
            service.id in known and not will_serve(service.id, present)
        ):
            yield (
                f"smtpd_relay_restrictions and smtpd_recipient_restrictions of {service.id} would hold nothing that "
                "stops strangers: smtpd does not start so"
            )
            return
        if trusted and walk(service.id, candidate, trusted=True).stopped is None:
            yield f"open relay: mynetworks would hold {sorted(trusted)[0]}, and is permitted by {service.id}"
            return
        if walk(service.id, candidate, trusted=False).stopped is None and not (
            service.id in known and walk(service.id, present, trusted=False).stopped is None
        ):
            yield f"open relay: no restriction of {service.id} would stop strangers"
            return


def _wide(probe: Probe) -> set[str]:
    """The words of mynetworks that no single owner has: wider than a /8, or a /16 of IPv6."""
    found = set()
    for word in words(value(probe, "mynetworks")):
        address, _, bits = word.replace("[", "").replace("]", "").partition("/")
        narrow = 16 if ":" in address else 8
        if word == "static:all" or (bits.isdigit() and not word.startswith("!") and int(bits) < narrow):
            found.add(word)
    return found
