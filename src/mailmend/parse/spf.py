"""An SPF record's text -> its terms (RFC 7208 12); what breaks the grammar is a ParseError."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal, cast

from mailmend.model import ParseError

Qualifier = Literal["+", "-", "~", "?"]

_MECHANISM = re.compile(r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?=[:/]|$)(.*)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)")
_MACRO = re.compile(r"%(?:%|_|-|\{([A-Za-z])([0-9]*)(r?)([.+,/_=-]*)\})", re.IGNORECASE)
_CIDR = re.compile(r"(?<!/)(?:/(0|[1-9][0-9]{0,3}))?(?://(0|[1-9][0-9]{0,3}))?\Z")
_TOPLABEL = re.compile(r"\.(?=[^.]*[A-Za-z-])[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?\Z")
_NEEDS_DOMAIN = ("include", "exists")
# The letters of macros; c, r and t belong to explanations only (RFC 7208 7.2).
_LETTERS = "slodiphv"


@dataclass(frozen=True, slots=True)
class Mechanism:
    """*domain* is None where the current domain is meant. *network* is set for ip4 and ip6 only."""

    qualifier: Qualifier
    name: str
    domain: str | None = None
    cidr4: int = 32
    cidr6: int = 128
    network: IPv4Network | IPv6Network | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    mechanisms: tuple[Mechanism, ...]
    redirect: str | None


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record: `v=spf1` and then a space or the end (RFC 7208 4.5)."""
    return text[:6].lower() == "v=spf1" and text[6:7] in ("", " ")


def parse(text: str) -> Record:
    """The terms of an SPF record, left to right. ParseError names the term that is wrong."""
    if not text.isascii():
        raise ParseError("the SPF record holds bytes outside ASCII")
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in text[6:].split(" "):
        if not term:
            continue
        found = _MECHANISM.fullmatch(term)
        if found:
            mechanisms.append(_mechanism(term, *found.groups()))
            continue
        named = _MODIFIER.fullmatch(term)
        if not named:
            raise ParseError(f"unknown mechanism in the SPF record: {term}")
        name = named[1].lower()
        if name in ("redirect", "exp"):
            if name in modifiers:
                raise ParseError(f"{name}= stands twice in the SPF record")
            modifiers[name] = _domain_spec(named[2], term)
        else:
            _macro_string(named[2], term)
    return Record(tuple(mechanisms), modifiers.get("redirect"))


def _mechanism(term: str, sign: str, word: str, rest: str) -> Mechanism:
    qualifier, name = cast("Qualifier", sign or "+"), word.lower()
    if name in ("ip4", "ip6"):
        return Mechanism(qualifier, name, network=_network(name, rest, term), text=term)
    if name == "all":
        if rest:
            raise ParseError(f"`all` takes no argument: {term}")
        return Mechanism(qualifier, name, text=term)
    domain, cidr4, cidr6 = rest, 32, 128
    if name in ("a", "mx"):
        domain, cidr4, cidr6 = _split_cidr(rest, term)
    if not domain and name not in _NEEDS_DOMAIN:
        return Mechanism(qualifier, name, None, cidr4, cidr6, text=term)
    if not domain.startswith(":"):
        raise ParseError(f"a domain is missing: {term}")
    return Mechanism(qualifier, name, _domain_spec(domain[1:], term), cidr4, cidr6, text=term)


def _split_cidr(rest: str, term: str) -> tuple[str, int, int]:
    """A `/24`, `//64` or `/24//64` at the end; any other slash belongs to the domain."""
    found = _CIDR.search(rest)
    start = found.start() if found else len(rest)
    cidr4, cidr6 = (int(found[1] or 32), int(found[2] or 128)) if found else (32, 128)
    if cidr4 > 32 or cidr6 > 128:
        raise ParseError(f"a wrong prefix length: {term}")
    return rest[:start], cidr4, cidr6


def _network(name: str, rest: str, term: str) -> IPv4Network | IPv6Network:
    address, slash, length = rest.removeprefix(":").partition("/")
    valid = rest.startswith(":") and (not slash or re.fullmatch(r"0|[1-9][0-9]{0,2}", length))
    try:
        if not valid or "%" in address:
            raise ValueError
        network = ip_network(f"{address}{slash}{length}", strict=False)
    except ValueError:
        raise ParseError(f"not an address or network: {term}") from None
    if network.version != int(name[2]):
        raise ParseError(f"an address of the other family: {term}")
    return network


def _domain_spec(text: str, term: str) -> str:
    _macro_string(text, term)
    if not text or not (text.endswith("}") or _TOPLABEL.search(text)):
        raise ParseError(f"not a domain: {term}")
    return text


def _macro_string(text: str, term: str) -> None:
    """Every `%` must begin a macro; a transformer of 0 labels is none (RFC 7208 7.1)."""
    for macro in _MACRO.finditer(text):
        letter, digits = macro[1], macro[2]
        if letter and (letter.lower() not in _LETTERS or (digits and int(digits) == 0)):
            raise ParseError(f"a macro that cannot stand here: {term}")
    if "%" in _MACRO.sub("", text):
        raise ParseError(f"a broken macro: {term}")
