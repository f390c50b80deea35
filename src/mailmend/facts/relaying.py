"""Whether a stranger may relay: the smtpd restriction lists, walked as for him (SMTPD_ACCESS_README)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from mailmend.facts.endpoints import enabled, split
from mailmend.facts.looking import answer
from mailmend.facts.settings import program, value
from mailmend.model import Probe, family_of
from mailmend.parse.listing import words
from mailmend.questions import MapLookup, Service

RELAY, RECIPIENT = "smtpd_relay_restrictions", "smtpd_recipient_restrictions"
LISTS = (
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    RELAY,
    RECIPIENT,
)
# What ends a list for a stranger's mail to a foreign domain; smtpd does not start without one of them.
_STOPS = ("reject_unauth_destination", "defer_unauth_destination", "reject", "defer", "defer_if_permit")
_WITH_ARGUMENT = (
    "check_policy_service",
    "sleep",
    "reject_rbl",
    "reject_rhsbl",
    "permit_dnswl",
    "permit_rhswl",
)
# Table types whose one line may speak of everybody; in the others, each key speaks of one.
_PATTERNS = ("regexp", "pcre", "cidr", "static")
# A stranger to everybody (RFC 5737, RFC 2606), by the words of check_WORD_access.
_STRANGER = {
    "client": "203.0.113.250",
    "helo": "stranger.example",
    "sender": "stranger@stranger.example",
    "recipient": "nobody@foreign.example",
    "reverse_client_hostname": "stranger.example",
}
_DEPTH = 5

_Verdict = Literal["permit", "stop", "on"]


@dataclass(frozen=True, slots=True)
class Walk:
    """*stopped*: the list that stops a stranger, and by which term; None where every list lets him pass.

    *let_in*: (list, term) of what lets him through the lists about relaying; a list that ends without
    a word has the term "". *unasked*: services and tables that may say more, and were not asked.
    """

    stopped: tuple[str, str] | None
    let_in: tuple[tuple[str, str], ...]
    unasked: tuple[str, ...]


def entrances(probe: Probe) -> tuple[Service, ...]:
    """The smtpd services that a stranger can reach: not disabled, not on a loopback address."""
    return tuple(
        entry for entry in enabled(probe) if program(entry.command) == "smtpd" and not _loopback(entry)
    )


def walk(service: str | None, probe: Probe, *, trusted: bool) -> Walk:
    """A stranger's mail to a foreign domain, led through all lists of *service* (None: main.cf's own).

    *trusted*: his address is inside mynetworks. Raises looking.Unknown where a list or table is unread.
    """
    lists = _Lists(service, probe, trusted)
    let_in = []
    for name in LISTS:
        verdict, term = lists.judge(words(value(probe, name, service)))
        if verdict == "stop":
            return Walk((name, term), (), tuple(lists.unasked))
        if name in (RELAY, RECIPIENT):
            let_in.append((name, term))
    return Walk(None, tuple(let_in), tuple(lists.unasked))


def will_serve(service: str | None, probe: Probe) -> bool:
    """Whether smtpd starts with these lists: of the two about relaying, one must stop somebody.

    What stands behind a `permit` does not count. Without it smtpd dies at every connection (measured on 3.7.11).
    """
    return any(_stops(words(value(probe, name, service)), service, probe) for name in (RELAY, RECIPIENT))


def _stops(terms: tuple[str, ...], service: str | None, probe: Probe, depth: int = 0) -> bool:
    rest = iter(terms)
    for term in rest:
        if term.lower() == "warn_if_reject":
            next(rest, "")
        elif term.lower() == "permit":
            return False
        elif term.lower() in _STOPS or _class_stops(term, service, probe, depth):
            return True
    return False


def _class_stops(term: str, service: str | None, probe: Probe, depth: int) -> bool:
    """A restriction class stands for the list of its name (RESTRICTION_CLASS_README)."""
    classes = words(value(probe, "smtpd_restriction_classes", service))
    if term not in classes or depth == _DEPTH:
        return False
    return _stops(words(value(probe, term, service)), service, probe, depth + 1)


class _Lists:
    """One stranger's walk; *unasked* collects what could not be asked on the way."""

    def __init__(self, service: str | None, probe: Probe, trusted: bool) -> None:
        self._service = service
        self._probe = probe
        self._trusted = trusted
        self._classes = words(value(probe, "smtpd_restriction_classes", service))
        self.unasked: dict[str, None] = {}

    def judge(self, terms: tuple[str, ...], depth: int = 0) -> tuple[_Verdict, str]:
        """What the first term that decides says; `on` where none does."""
        if depth > _DEPTH:
            return "on", ""
        for term, argument, only_warns in _terms(terms):
            verdict = self._one(term, argument, depth)
            if verdict == "permit" or (verdict == "stop" and not only_warns):
                return verdict, f"{term} {argument}".strip()
        return "on", ""

    def _one(self, term: str, argument: str, depth: int) -> _Verdict:
        name = term.lower()
        if name == "permit" or (name == "permit_mynetworks" and self._trusted):
            return "permit"
        if name in _STOPS:
            return "stop"
        if term in self._classes:
            return self.judge(words(value(self._probe, term, self._service)), depth + 1)[0]
        if name.startswith("check_") and name.endswith("_access"):
            return self._access(name.removeprefix("check_").removesuffix("_access"), argument, depth)
        if name == "check_policy_service":
            self.unasked.setdefault(argument)
        elif ":" in term and not term.startswith("{"):  # a bare table stands for check_recipient_access
            return self._access("recipient", term, depth)
        return "on"

    def _access(self, of: str, table: str, depth: int) -> _Verdict:
        """access(5): what the table says of a stranger."""
        bare = table.removeprefix("proxy:")
        if of not in _STRANGER or bare.partition(":")[0] not in _PATTERNS:
            self.unasked.setdefault(table)
            return "on"
        found = words(answer(self._probe, MapLookup(bare, _STRANGER[of])))
        action = found[0].upper() if found else "DUNNO"
        if action in ("OK", "RELAY"):
            return "permit"
        if action in ("REJECT", "DEFER", "DISCARD") or (
            action[:1] in "45" and action.isdigit() and len(action) == 3
        ):
            return "stop"
        if action.isdigit():
            return "permit"
        return self.judge(found, depth + 1)[0]


def _terms(terms: tuple[str, ...]) -> Iterator[tuple[str, str, bool]]:
    """Each restriction with its argument, and whether `warn_if_reject` takes its teeth."""
    rest = iter(terms)
    warn = False
    for term in rest:
        name = term.lower()
        if name == "warn_if_reject":
            warn = True
            continue
        takes = name.startswith(_WITH_ARGUMENT) or (name.startswith("check_") and name.endswith("_access"))
        yield term, next(rest, "") if takes else "", warn
        warn = False


def _loopback(entry: Service) -> bool:
    if entry.type != "inet":
        return False
    host = split(entry.name)[0]
    return host.lower() == "localhost" or (family_of(host) is not None and ip_address(host).is_loopback)
