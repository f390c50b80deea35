"""The sockets that master(8) should hold: master.cf's inet services x inet_interfaces x inet_protocols."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from mailmend.facts.looking import answer
from mailmend.facts.settings import services, value
from mailmend.facts.source import families, interface_addresses
from mailmend.model import CannotLook, Family, Probe
from mailmend.parse.listing import words
from mailmend.questions import File, HostAddresses, Service

# The names that stand in master.cf nearly everywhere; any other is looked up in /etc/services.
_PORTS = {"smtp": 25, "smtps": 465, "submissions": 465, "submission": 587, "qmqp": 628}
_ANY: dict[Family, str] = {"ipv4": "0.0.0.0", "ipv6": "::"}  # noqa: S104 - compared, never bound


@dataclass(frozen=True, slots=True)
class Endpoint:
    """*address* `0.0.0.0`, `::` or one address, in canonical spelling; *service* is its master.cf id."""

    address: str
    port: int
    service: str


def configured(probe: Probe) -> tuple[Endpoint, ...]:
    """Every socket that the saved configuration asks for. Raises CannotLook where it cannot be told."""
    out: dict[tuple[str, int], Endpoint] = {}
    for service in enabled(probe):
        if service.type != "inet":
            continue
        host, port = split(service.name)
        for address in _addresses(host, probe):
            endpoint = Endpoint(address, _port(port, probe), service.id)
            out.setdefault((endpoint.address, endpoint.port), endpoint)
    return tuple(out.values())


def enabled(probe: Probe) -> tuple[Service, ...]:
    """The services of master.cf that master_service_disable leaves on."""
    off = words(value(probe, "master_service_disable"))
    return tuple(entry for entry in services(probe) if not _disabled(entry, off))


def canonical(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def split(name: str) -> tuple[str, str]:
    """`[::1]:587`, `127.0.0.1:10025`, `smtp` -> host ("" for inet_interfaces) and port."""
    if name.startswith("["):
        host, _, port = name[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = name.rpartition(":")
    return host, port


def _addresses(host: str, probe: Probe) -> tuple[str, ...]:
    names = (host,) if host else words(value(probe, "inet_interfaces"))
    out: dict[str, None] = {}
    for family in families(None, probe):
        for name in names:
            if name.lower() == "all":
                out.setdefault(_ANY[family])
            elif name.lower() == "loopback-only":
                held = [a.ip for a in answer(probe, HostAddresses()) if a.loopback]
                mine = [ip for ip in held if (":" in ip) == (family == "ipv6")]
                out.update(dict.fromkeys(map(canonical, mine)))
            else:
                out.update(dict.fromkeys(map(canonical, interface_addresses(name, family, probe))))
    return tuple(out)


def _port(name: str, probe: Probe) -> int:
    if name.isdigit():
        return int(name)
    if name in _PORTS:
        return _PORTS[name]
    for line in answer(probe, File("/etc/services")).text.splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) >= 2 and fields[1].endswith("/tcp") and name in (fields[0], *fields[2:]):
            return int(fields[1].partition("/")[0])
    raise CannotLook(f"the port of master.cf's service {name} is not known", "see /etc/services")


def _disabled(service: Service, patterns: tuple[str, ...]) -> bool:
    """master_service_disable: `name/type`, `type`; `!` keeps one; the first that matches decides."""
    for pattern in patterns:
        bare = pattern.removeprefix("!").replace(".", "/")
        if bare in (service.id, service.type):
            return not pattern.startswith("!")
    return False
