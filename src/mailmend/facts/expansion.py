"""Where an address is forwarded to: virtual_alias_maps and alias_maps, followed to the end (virtual(5))."""

from __future__ import annotations

from mailmend.facts.domains import address_class, origin
from mailmend.facts.looking import answer
from mailmend.facts.settings import lookup, value
from mailmend.model import Probe
from mailmend.questions import Setting

# Postfix's own limits are 1000 addresses and 1000 levels; an operator's forward needs neither.
_LIMIT = 50


def expand(recipient: str, probe: Probe) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The final addresses of *recipient*, and the parameters that took it there.

    A bare domain is looked up as the catch-all `@domain`. Commands, files and includes of aliases(5) are
    kept as they are written: they end the way.
    """
    final: dict[str, None] = {}
    decided: dict[str, None] = {}
    todo, known = [recipient], {recipient.lower()}
    while todo and len(final) < _LIMIT:
        address = todo.pop(0)
        targets, parameter = _step(address, probe)
        if parameter is None:
            final.setdefault(address)
            continue
        decided.setdefault(parameter)
        for target in targets:
            if target.lower() == address.lower():  # virtual(5): an identity mapping ends the search
                final.setdefault(target)
            elif target.lower() not in known:
                known.add(target.lower())
                todo.append(target)
    return tuple(final), tuple(decided)


def _step(address: str, probe: Probe) -> tuple[tuple[str, ...], str | None]:
    local, at, domain = address.rpartition("@")
    if address[:1] in '|/:"' or (at and not domain):
        return (), None
    domain = domain.lower() if at else address.lower()
    kind, parameter = address_class(domain, probe)
    maps = value(probe, "virtual_alias_maps")
    for key, whole in _virtual_keys(local if at else "", domain, kind == "local", probe):
        result = lookup(probe, maps, key, whole=whole)
        if result:
            if result.startswith("@"):
                result = f"{local}{result}"
            return _addresses(result, probe), "virtual_alias_maps"
    if kind == "local" and at and parameter:
        result = lookup(probe, value(probe, "alias_maps"), _base(local, probe), whole=False)
        if result:
            return _addresses(result, probe), "alias_maps"
    return (), None


def _virtual_keys(local: str, domain: str, own: bool, probe: Probe) -> list[tuple[str, bool]]:
    keys: list[tuple[str, bool]] = []
    for name in dict.fromkeys((local, _base(local, probe))):
        if name:
            keys.append((f"{name}@{domain}", True))
            if own:
                keys.append((name, False))
    keys.append((f"@{domain}", False))
    return keys


def _base(local: str, probe: Probe) -> str:
    """The local part without its extension (recipient_delimiter: any of its characters)."""
    delimiters = answer(probe, Setting("recipient_delimiter")).value or ""
    cut = min((at for at in (local.find(d, 1) for d in delimiters) if at > 0), default=len(local))
    return local[:cut]


def _addresses(text: str, probe: Probe) -> tuple[str, ...]:
    out: list[str] = []
    for part in text.split(","):
        target = part.strip().strip("\\")
        if target:
            plain = "@" in target or target[0] in '|/:"'
            out.append(target if plain else f"{target}@{origin(probe)}")
    return tuple(out)
