"""check_host() of RFC 7208, asked through a probe: may this address send for that domain?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal
from urllib.parse import quote

from mailmend.model import ParseError, Probe
from mailmend.parse.spf import Mechanism, is_spf, parse
from mailmend.questions import Records

Result = Literal["pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"]
_Type = Literal["A", "AAAA", "MX", "PTR", "TXT"]

_RESULT: dict[str, Result] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_MACRO = re.compile(r"%(?:([%_-])|\{([A-Za-z])([0-9]*)([rR]?)([.+,/_=-]*)\})")
_LOOKUPS, _VOIDS, _NAMES = 10, 2, 10  # RFC 7208 4.6.4
_MANY = 100  # look-ups in a record, where counting them ends


@dataclass(frozen=True, slots=True)
class Verdict:
    """*result* in the RFC's own words. *by* is the term that decided, *record* the domain's record.

    *reason* says in one clause what went wrong or was found; *lookups* counts the terms that asked DNS.
    """

    result: Result
    reason: str
    by: str = ""
    record: str = ""
    lookups: int = 0


class _StopError(Exception):
    """Ends an evaluation with temperror or permerror."""

    def __init__(self, result: Literal["temperror", "permerror"], reason: str) -> None:
        super().__init__(reason)
        self.result: Result = result
        self.reason = reason


@dataclass(slots=True)
class _Check:
    """One evaluation: its limits are shared by all the records that it includes."""

    ip: IPv4Address | IPv6Address
    sender: str
    helo: str
    probe: Probe
    lookups: int = 0
    voids: int = 0
    validated: dict[str, str] = field(default_factory=dict)


def check_host(ip: str, domain: str, sender: str, helo: str, probe: Probe) -> Verdict:
    """Whether *ip* may send for *domain*; *sender* is the envelope sender ("" or a domain: postmaster@).

    An answer that DNS does not give is temperror. *ip* must be an address (ValueError).
    """
    address = ip_address(ip)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    local, _, of = sender.rpartition("@")
    identity = f"{local or 'postmaster'}@{of or domain}"
    check = _Check(address, identity, helo or "unknown", probe)
    try:
        verdict = _evaluate(check, domain.rstrip(".").lower())
    except _StopError as stop:
        reason = stop.reason if check.lookups <= _LOOKUPS else _too_many(domain, probe)
        return Verdict(stop.result, reason, lookups=check.lookups)
    return Verdict(verdict.result, verdict.reason, verdict.by, verdict.record, check.lookups)


def _evaluate(check: _Check, domain: str) -> Verdict:
    if not _well_formed(domain):
        return Verdict("none", f"{domain or 'an empty name'} is no domain")
    found = [text for text in _ask(check, domain, "TXT", void=False) if is_spf(text)]
    if not found:
        return Verdict("none", f"{domain} publishes no SPF record")
    if len(found) > 1:
        raise _StopError("permerror", f"{domain} publishes {len(found)} SPF records")
    try:
        record = parse(found[0])
    except ParseError as wrong:
        raise _StopError("permerror", f"{domain}: {wrong}") from None
    for mechanism in record.mechanisms:
        if _matches(check, mechanism, domain):
            result = _RESULT[mechanism.qualifier]
            return Verdict(result, f"{mechanism.text} of {domain} matches", mechanism.text, found[0])
    if record.redirect is not None:
        _count(check)
        target = _expand(check, record.redirect, domain)
        verdict = _evaluate(check, target)
        if verdict.result == "none":
            raise _StopError("permerror", f"redirect={target} leads to no SPF record")
        return verdict
    return Verdict("neutral", f"nothing in the record of {domain} matches", record=found[0])


def _matches(check: _Check, term: Mechanism, domain: str) -> bool:
    if term.name == "all":
        return True
    if term.network is not None:
        return check.ip.version == term.network.version and check.ip in term.network
    _count(check)
    target = domain if term.domain is None else _expand(check, term.domain, domain)
    if term.name == "include":
        verdict = _evaluate(check, target)
        if verdict.result == "none":
            raise _StopError("permerror", f"include:{target} leads to no SPF record")
        return verdict.result == "pass"
    if term.name == "exists":
        return bool(_ask(check, target, "A"))
    if term.name == "ptr":
        return any(_under(name, target) for name in _validated(check))
    names: tuple[str, ...] = (target,)
    if term.name == "mx":
        names = tuple(record.split()[-1] for record in _ask(check, target, "MX"))
        if len(names) > _NAMES:
            raise _StopError("permerror", f"mx:{target} has more than {_NAMES} hosts")
    return any(_covers(check, ip, term) for name in names for ip in _addresses(check, name))


def _covers(check: _Check, ip: str, term: Mechanism) -> bool:
    length = term.cidr4 if check.ip.version == 4 else term.cidr6
    return check.ip in ip_network(f"{ip}/{length}", strict=False)


def _addresses(check: _Check, name: str) -> tuple[str, ...]:
    """The addresses of *name* in the family of the client: the other family's are not asked (5.3, 5.4)."""
    return _ask(check, name, "A" if check.ip.version == 4 else "AAAA")


def _validated(check: _Check) -> tuple[str, ...]:
    """The client's PTR names that resolve back to it; a failing look-up is no match, never an error (5.5)."""
    pointers = check.probe.ask(Records(str(check.ip), "PTR"))
    if pointers.answer is None:
        return ()
    names = [name.rstrip(".").lower() for name in pointers.answer.records][:_NAMES]
    if not names:
        _void(check)
    kind: _Type = "A" if check.ip.version == 4 else "AAAA"
    out = []
    for name in names:
        back = check.probe.ask(Records(name, kind)).answer if _well_formed(name) else None
        if back and any(ip_address(ip) == check.ip for ip in back.records):
            out.append(name)
    return tuple(out)


def _ask(check: _Check, name: str, kind: _Type, *, void: bool = True) -> tuple[str, ...]:
    name = name.rstrip(".").lower()
    if not _well_formed(name):
        if void:
            _void(check)
        return ()
    evidence = check.probe.ask(Records(name, kind))
    if evidence.answer is None:
        raise _StopError("temperror", f"{kind} of {name}: {evidence.error}")
    if void and not evidence.answer.records:
        _void(check)
    return evidence.answer.records


def _count(check: _Check) -> None:
    check.lookups += 1
    if check.lookups > _LOOKUPS:
        raise _StopError("permerror", f"more than {_LOOKUPS} look-ups")


def _too_many(domain: str, probe: Probe) -> str:
    """What an operator is told who must shorten a record: how many look-ups it needs in all."""
    needed, least = _needed(domain.rstrip(".").lower(), probe, 0)
    count = str(needed) if not least else f"at least {max(needed, _LOOKUPS + 1)}"
    return (
        f"the record of {domain} needs {count} DNS look-ups, at most {_LOOKUPS} are allowed (RFC 7208 4.6.4)"
    )


def _needed(domain: str, probe: Probe, depth: int) -> tuple[int, bool]:
    """The terms that ask DNS in a record and all that it includes, and whether there may be more."""
    found = probe.ask(Records(domain, "TXT")).answer if _well_formed(domain) else None
    texts = [text for text in found.records if is_spf(text)] if found else []
    if len(texts) != 1 or depth > _LOOKUPS:  # a record may include itself
        return 0, True
    try:
        record = parse(texts[0])
    except ParseError:
        return 0, True
    asking = [m for m in record.mechanisms if m.name != "all" and m.network is None]
    deeper = [m.domain or domain for m in asking if m.name == "include"]
    count, least = len(asking), False
    if record.redirect is not None and not any(m.name == "all" for m in record.mechanisms):
        count += 1
        deeper.append(record.redirect)
    for name in deeper:
        more, unsure = (0, True) if "%" in name else _needed(name.rstrip(".").lower(), probe, depth + 1)
        count, least = count + more, least or unsure
        if count > _MANY:
            return count, True
    return count, least


def _void(check: _Check) -> None:
    check.voids += 1
    if check.voids > _VOIDS:
        raise _StopError("permerror", f"more than {_VOIDS} look-ups that find nothing")


def _well_formed(name: str) -> bool:
    labels = name.split(".")
    return len(name) <= 253 and len(labels) > 1 and all(0 < len(label) <= 63 for label in labels)


def _under(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)


# ---- macros (RFC 7208 7) ------------------------------------------------------------------


def _expand(check: _Check, text: str, domain: str) -> str:
    """A domain-spec with its macros replaced; too long a name loses labels from the left (7.3)."""
    name = _MACRO.sub(lambda macro: _macro(check, macro, domain), text).rstrip(".").lower()
    while len(name) > 253 and "." in name:
        name = name.partition(".")[2]
    return name


def _macro(check: _Check, macro: re.Match[str], domain: str) -> str:
    literal, letter, digits, reverse, delimiters = macro.groups()
    if literal:
        return {"%": "%", "_": " ", "-": "%20"}[literal]
    parts = re.split(f"[{re.escape(delimiters or '.')}]", _letter(check, letter.lower(), domain))
    if reverse:
        parts.reverse()
    if digits:
        parts = parts[-int(digits) :]
    out = ".".join(parts)
    return quote(out, safe="-._~") if letter.isupper() else out


def _letter(check: _Check, letter: str, domain: str) -> str:
    local, _, of = check.sender.rpartition("@")
    if letter == "p":
        return _name(check, domain)
    if letter == "i":
        packed = check.ip.packed
        return str(check.ip) if len(packed) == 4 else ".".join(packed.hex())
    return {
        "s": check.sender,
        "l": local,
        "o": of,
        "d": domain,
        "h": check.helo,
        "v": "in-addr" if check.ip.version == 4 else "ip6",
    }[letter]


def _name(check: _Check, domain: str) -> str:
    """%{p}: the validated name, best one of the domain itself, then below it, then any (7.3)."""
    names = _validated(check)
    best = [n for n in names if n == domain] or [n for n in names if _under(n, domain)] or list(names)
    return best[0] if best else "unknown"
