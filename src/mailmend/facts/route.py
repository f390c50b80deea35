"""A recipient -> the service that delivers it and the next hop, as trivial-rewrite(8) resolves them."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.facts.domains import AddressClass, address_class, transport_keys
from mailmend.facts.expansion import expand
from mailmend.facts.settings import lookup, smtp_services, value
from mailmend.model import Probe

# address class -> the parameter that names its transport; an alias that is not expanded is an error.
_TRANSPORT: dict[AddressClass, str] = {
    "local": "local_transport",
    "mailbox": "virtual_transport",
    "relay": "relay_transport",
    "default": "default_transport",
}


@dataclass(frozen=True, slots=True)
class Route:
    """The effective way of one final recipient.

    *recipient* was asked about, *final* is where it goes after every alias; *domain* is final's.
    *service* is `name/unix` of master.cf (`smtp/unix`); *smtp*: smtp(8) runs it. *nexthop* as Postfix
    writes it: a domain (its MX hosts), `[host]`, `[host]:port`. *relayed*: someone else than the
    recipient's own MX hosts is contacted. *decided*: the parameters that settled it, first to last.
    """

    recipient: str
    final: str
    domain: str
    address_class: AddressClass
    service: str
    nexthop: str
    smtp: bool
    relayed: bool
    forwarded: bool
    decided: tuple[str, ...]

    @property
    def leaves(self) -> bool:
        """True where the mail goes out of this host over SMTP."""
        return self.smtp


def route(recipient: str, probe: Probe, sender: str | None = None) -> Route:
    """The way of *recipient* (address or domain); of several forwards, the first that leaves the host.

    *sender* matters only to sender_dependent_*_maps. Raises looking.Unknown where a setting, table or
    master.cf that decides cannot be read.
    """
    all_routes = routes(recipient, probe, sender)
    return next((r for r in all_routes if r.leaves), all_routes[0])


def routes(recipient: str, probe: Probe, sender: str | None = None) -> tuple[Route, ...]:
    """The ways of all final recipients of *recipient*, in the order of the alias; never empty."""
    finals, parameters = expand(recipient, probe)
    return tuple(_resolve(recipient, final, probe, sender, parameters) for final in finals or (recipient,))


def unaliased(recipient: str, probe: Probe) -> Route:
    """The way of *recipient* (address or domain) as it is: no alias is followed. Raises as `route`."""
    return _resolve(recipient, recipient, probe, None, ())


def _resolve(recipient: str, final: str, probe: Probe, sender: str | None, aliases: tuple[str, ...]) -> Route:
    _, at, rest = final.rpartition("@")
    domain = (rest if at else final).lower()
    kind, listed_in = address_class(domain, probe)
    decided = [*aliases, *([listed_in] if listed_in else [])]
    if kind == "alias":  # what is left in an alias domain has no alias
        channel, nexthop = "error", "5.1.1 User unknown in virtual alias table"
    else:
        before = _by_class(kind, domain, probe, sender, decided)
        channel, nexthop = _by_table(final, domain, probe, before, decided)
    return Route(
        recipient=recipient,
        final=final,
        domain=domain,
        address_class=kind,
        service=f"{channel}/unix",
        nexthop=nexthop,
        smtp=f"{channel}/unix" in smtp_services(probe),
        relayed=nexthop.lower() != domain,
        forwarded=final.lower() != recipient.lower(),
        decided=tuple(dict.fromkeys(decided)),
    )


def _by_class(
    kind: AddressClass, domain: str, probe: Probe, sender: str | None, decided: list[str]
) -> tuple[str, str]:
    """Transport and next hop before transport_maps. An explicit `transport:nexthop` beats any relayhost."""
    parameter = _TRANSPORT[kind]
    transport = value(probe, parameter)
    if kind == "default" and sender is not None:
        found = _by_sender("sender_dependent_default_transport_maps", probe, sender)
        if found:
            parameter, transport = "sender_dependent_default_transport_maps", found
    decided.append(parameter)
    channel, _, nexthop = transport.partition(":")
    if nexthop:
        return channel, nexthop
    if kind in ("relay", "default"):
        found = _by_sender("sender_dependent_relayhost_maps", probe, sender) if sender is not None else ""
        if found:
            decided.append("sender_dependent_relayhost_maps")
            return channel, found
        relayhost = value(probe, "relayhost")
        if relayhost:
            decided.append("relayhost")
            return channel, relayhost
    return channel, domain


def _by_sender(parameter: str, probe: Probe, sender: str) -> str:
    maps = value(probe, parameter)
    if not maps:
        return ""
    local, _, domain = sender.rpartition("@")
    if not sender:
        null_key = parameter.replace("sender_dependent_", "empty_address_") + "_lookup_key"
        found = lookup(probe, maps, value(probe, null_key) or "<>", whole=True)
    else:
        found = (lookup(probe, maps, sender.lower(), whole=True) if local else "") or lookup(
            probe, maps, f"@{domain.lower()}", whole=False
        )
    return "" if found.upper() == "DUNNO" else found


def _by_table(
    address: str, domain: str, probe: Probe, before: tuple[str, str], decided: list[str]
) -> tuple[str, str]:
    """What transport_maps makes of it: no transport keeps ours, no next hop resets it to the domain."""
    maps = value(probe, "transport_maps")
    if not maps:
        return before
    found = lookup(probe, maps, address.lower(), whole=True) if "@" in address else ""
    for key in () if found else transport_keys(domain, probe):
        found = lookup(probe, maps, key, whole=False)
        if found:
            break
    if not found or found == ":":
        return before
    decided.append("transport_maps")
    transport, _, hop = found.partition(":")
    if transport:
        return transport, hop or domain
    return before[0], hop or before[1]
