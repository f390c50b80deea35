"""The programs around Postfix that a configuration names -> where the lab must have a stand-in for each.

Milters (MILTER_README), policy servers (SMTPD_POLICY_README), Dovecot's authentication (SASL_README), LMTP
servers, content filters (FILTER_README), and the hosts that mail is handed to (relayhost, transport(5)).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from mailmend.lab.clone_values import Part

Kind = Literal["milter", "policy", "auth", "lmtp", "filter"]

_ENDPOINT = r"(?:unix|local):(?P<path>[^\s,{}]+)|inet:(?P<host>\[[^\]]+\]|[^\s,:{}]+):(?P<port>\w+)"
_MILTER = re.compile(_ENDPOINT)
_POLICY = re.compile(rf"check_policy_service\s*[\s,]\s*\{{?\s*(?:{_ENDPOINT})")
_LMTP = re.compile(
    r"\blmtp:(?:unix:(?P<path>[^\s,{}]+)|(?:inet:)?(?P<host>\[[^\]]+\]|[A-Za-z0-9][^\s,:{}]*)(?::(?P<port>\w+))?)"
)
_HOP = re.compile(r"^(?:[\w.-]*:)?(?P<host>\[[^\]\s]+\]|[A-Za-z0-9][\w.-]*)(?::(?P<port>\w+))?$")
_PORTS = {"smtp": 25, "submission": 587, "smtps": 465, "submissions": 465, "lmtp": 24, "": 25}
_RESTRICTIONS = re.compile(r".*_restrictions|.*_restriction_classes")
_TRANSPORTS = re.compile(r".*_transport|.*_transports?_maps|transport_maps|content_filter|.*_checks")


@dataclass(frozen=True, slots=True)
class StandIn:
    """A server inside the relay. *places* are the paths of a Unix socket; else *host* and *port*.

    *onward*: the port that a content filter hands its mail back to. *there*: whether the host has it.
    """

    kind: Kind
    places: tuple[str, ...] = ()
    host: str = ""
    port: int = 0
    onward: int = 0
    there: bool = True

    @property
    def name(self) -> str:
        return self.places[0] if self.places else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Hop:
    """A host that mail is handed to. *direct*: named in brackets or by address, no MX record is looked up."""

    host: str
    port: int
    direct: bool


def stand_ins(parts: Iterable[Part], there: Callable[[str], bool]) -> tuple[StandIn, ...]:
    """Every server that these instances ask, once; *there* says whether the host has one at a path or `host:port`."""
    parts = tuple(parts)
    own = {port for part in parts for _, port in listeners(part)}
    found: dict[str, StandIn] = {}
    for part in parts:
        for server in _asked(part, there):
            if server.places or server.port not in own or not _loopback(server.host):
                found.setdefault(server.name, server)
    return tuple(found.values())


def _asked(part: Part, there: Callable[[str], bool]) -> Iterator[StandIn]:
    values = [*part.values()]
    login = any(v.name == "smtpd_sasl_auth_enable" and v.expanded == "yes" for v in values)
    for value in values:
        if value.name in ("smtpd_milters", "non_smtpd_milters"):
            yield from _servers("milter", _MILTER, value.expanded, part, there)
        elif _RESTRICTIONS.fullmatch(value.name):
            yield from _servers("policy", _POLICY, value.expanded, part, there)
        elif value.name == "smtpd_sasl_path" and login and _dovecot(part):
            text = (
                value.expanded if value.expanded.startswith(("inet:", "unix:")) else f"unix:{value.expanded}"
            )
            yield from _servers("auth", _MILTER, text, part, there)
        elif value.name in ("content_filter", "smtpd_proxy_filter"):
            yield from _filter(value.name, value.expanded, part, there)
        if _TRANSPORTS.fullmatch(value.name):
            yield from _servers("lmtp", _LMTP, value.expanded, part, there)


def _dovecot(part: Part) -> bool:
    return any(v.name == "smtpd_sasl_type" and v.expanded == "dovecot" for v in part.values())


def in_tables(texts: Iterable[str], part: Part, there: Callable[[str], bool]) -> Iterator[StandIn]:
    """LMTP servers that transport tables name."""
    for text in texts:
        yield from _servers("lmtp", _LMTP, text, part, there)


def _servers(
    kind: Kind, pattern: re.Pattern[str], text: str, part: Part, there: Callable[[str], bool]
) -> Iterator[StandIn]:
    for found in pattern.finditer(text):
        if path := found["path"]:
            inside = f"{part.queue}/{path.lstrip('/')}"
            # A service in the chroot finds an absolute path below the queue directory.
            places = tuple(dict.fromkeys((path, inside) if path.startswith("/") else (inside,)))
            present = tuple(place for place in places if there(place))
            yield StandIn(kind, present or places, there=bool(present))
        else:
            host, port = found["host"].strip("[]"), _port(found["port"] or "24")
            yield StandIn(kind, (), host, port, there=there(f"{host}:{port}"))


def _filter(setting: str, text: str, part: Part, there: Callable[[str], bool]) -> Iterator[StandIn]:
    """`smtp-amavis:[127.0.0.1]:10024`, `127.0.0.1:10025` -> a stand-in that hands everything back unchanged."""
    hop = hop_of(text if setting == "content_filter" else f":{text}")
    if hop is None or (setting == "content_filter" and text.partition(":")[0] in _programs(part)):
        return
    back = [
        port
        for service in part.services()
        if service.type == "inet" and ("content_filter", "") in service.overrides
        for port in [_port(service.name.rpartition(":")[2])]
    ]
    yield StandIn(
        "filter", (), hop.host, hop.port, onward=back[0] if back else 0, there=there(f"{hop.host}:{hop.port}")
    )


def _programs(part: Part) -> frozenset[str]:
    """The services that hand mail to a program of the host (pipe(8)), or to what took its place."""
    return frozenset(s.name for s in part.services() if s.command.split()[:1] in (["pipe"], ["discard"]))


def hops(part: Part, transport_texts: Iterable[str], relayhost_texts: Iterable[str]) -> tuple[Hop, ...]:
    """The hosts that mail is handed to instead of the recipients' own, without those on this host itself.

    The texts are those of transport_maps and of sender_dependent_relayhost_maps.
    """
    words = [part.value("relayhost"), *part.value("smtp_fallback_relay").split()]
    words += [part.value(f"{name}_transport") for name in ("default", "relay")]
    for texts in (transport_texts, relayhost_texts):
        for text in texts:
            # The right-hand side of a table line: transport:nexthop or a next hop.
            words += [
                fields[1].strip() for line in text.splitlines() if len(fields := line.split(None, 1)) == 2
            ]
    found = [hop for word in words if (hop := hop_of(word)) and "lmtp:" not in word]
    return tuple(dict.fromkeys(h for h in found if not _loopback(h.host)))


def hop_of(word: str) -> Hop | None:
    """`[host]:587`, `smtp:[192.0.2.1]`, `relay:host` -> where it leads; None where it names no host."""
    word = word.strip()
    if word.startswith(("error:", "discard:", "lmtp:", "local:", "virtual:", "unix:")):
        return None
    if ":" not in word and "." not in word and not word.startswith("["):
        return None  # a transport's bare name
    if word.endswith(":") or not (found := _HOP.match(word)):
        return None
    host = found["host"]
    return Hop(
        host.strip("[]").removeprefix("IPv6:").lower(), _port(found["port"] or ""), host.startswith("[")
    )


def listeners(part: Part) -> Iterator[tuple[str, int]]:
    """(host, port) of the inet services in master.cf; host "" is inet_interfaces."""
    for service in part.services():
        if service.type == "inet":
            host, _, port = service.name.rpartition(":")
            yield host.strip("[]"), _port(port)


def _port(name: str) -> int:
    return int(name) if name.isdigit() else _PORTS.get(name, 0)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
