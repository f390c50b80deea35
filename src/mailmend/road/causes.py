"""What failed deliveries were refused with -> the receiver and the cause, as `explain` says them of one like it.

Millions of replies are a few hundred texts, but for what is new in each: ids of sessions and messages, addresses,
the domains concerned. A text is read by the catalogue once. What comes again is compared, in C, with what came most.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mailmend import receivers
from mailmend.model import Delivery, Family, Refusal, family_of
from mailmend.parse import logscan, maillog
from mailmend.parse.classes import spelled

if TYPE_CHECKING:
    from mailmend.catalogue import Catalogue
    from mailmend.parse.logscan import Failed

_TEXTS = 20_000  # distinct texts, hosts and domains that are remembered
_OFTEN = 16  # times after which a text is looked for by a pattern of its own
_PATTERNS = 50  # of one receiver, status and code
# Ids of sessions and messages, addresses: long words with a digit or an @; the number of a bracketed address. A link
# and a code (AUP#1260) tell causes.
_WORD = r"(?:\d{1,3}\](?!\S)|(?=[^\s\d@]*[\d@])(?!\S*(?:://|#))\S{10,})"
# The same of a text that is ASCII, in a third of the time: sets are one look into a table there, where classes are
# calls. Few words have a slash. What follows is no part of the word.
_SPACE = r" \t-\r\x1c-\x1f"
_ASCII_WORD = spelled(
    rf"(?:(?=[^{_SPACE}0-9@]*+[0-9@])(?:[^{_SPACE}#/]{{10,}}+(?![#/])"
    rf"|(?![^{_SPACE}#]*+#)(?![^{_SPACE}]*?://)[^{_SPACE}]{{10,}}+)|[0-9]{{1,3}}\](?![^{_SPACE}]))".encode(),
    128,
).decode()
_CHANGING = re.compile(r"<[^<>\s]*@[^<>\s]*>|(?<!\S)" + _WORD)
_WORDS = re.compile(r"((?<!\S)" + _WORD + ")")
_Match = Callable[[str], re.Match[str] | None]


def template(text: str) -> str:
    """*text* without what is new in each reply. Two texts with one template have the same cause."""
    return _CHANGING.sub("*", maillog.said(text))


class Known(NamedTuple):
    receiver: str | None
    cause: str
    who: tuple[str, ...]


class _Hosts(dict[str, str | None]):
    """Whose host a relay is; None for nobody's we know."""

    def __missing__(self, relay: str) -> str | None:
        if len(self) > _TEXTS:
            self.clear()
        known = self[relay] = receivers.of_host(relay)
        return known


class _Relays(dict[bytes, str | None]):
    def __init__(self, hosts: _Hosts) -> None:
        self._hosts = hosts

    def __missing__(self, relay: bytes) -> str | None:
        if len(self) > _TEXTS:
            self.clear()
        known = self[relay] = self._hosts[relay.decode("utf-8", "replace")]
        return known


class _Families(dict[str | None, Family | None]):
    def __missing__(self, ip: str | None) -> Family | None:
        if len(self) > _TEXTS:
            self.clear()
        known = self[ip] = family_of(ip)
        return known


class Causes:
    """The catalogue's answers, each asked for once.

    *hosts* tells whose host a relay is, *relays* the same of bytes, *families* the family of an address: they are
    asked as dictionaries are, and look up what is not in them.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.hosts = _Hosts()
        self.relays = _Relays(self.hosts)
        self.families = _Families()
        self._catalogue = catalogue
        self._texts: dict[tuple[str, ...], Known] = {}
        self._times: Counter[tuple[str, ...]] = Counter()
        # By whose, status, code, forwarded and ASCII: a text's pattern, why, and whether it has domains to compare.
        self._patterns: dict[tuple[str, ...], list[tuple[_Match, Known, bool]]] = {}
        self._domains: dict[str, str | None] = {}

    def of(self, failed: Failed) -> Known:
        """Why, as `explain` says it of the first such text."""
        relay = failed.relay
        whose = self.hosts[relay] if relay else self._of_domain(failed.recipient.rpartition("@")[2].lower())
        text = failed.text
        group = (
            whose or "",
            failed.status,
            failed.dsn,
            "forwarded" if failed.original else "",
            "ascii" if text.isascii() else "",
        )
        patterns = self._patterns.get(group)
        if patterns:
            for at, (matches, known, owned) in enumerate(patterns):
                found = matches(text)
                if found is not None and (not owned or _own(found, failed)):
                    if at:  # what comes often moves to the front
                        patterns[at - 1], patterns[at] = patterns[at], patterns[at - 1]
                    return known
        return self._read(failed, group)

    def _read(self, failed: Failed, group: tuple[str, ...]) -> Known:
        """What no pattern knows."""
        words = template(failed.text)
        owns = _domains(failed)
        for own in owns:
            words = words.replace(own, "*")
        key = (*group, words)
        known = self._texts.get(key)
        if known is None:
            if len(self._texts) > _TEXTS:
                self._texts.clear()
                self._times.clear()
            known = self._texts[key] = self._explained(logscan.delivery(failed))
        self._times[key] += 1
        if self._times[key] == _OFTEN:
            patterns = self._patterns.setdefault(group, [])
            del patterns[_PATTERNS:]
            pattern = _pattern(failed.text, owns)
            patterns.append((pattern.fullmatch, known, pattern.groups > 0))
        return known

    def _of_domain(self, domain: str) -> str | None:
        """Whose the mail of *domain* is, where no relay was reached; None where that is not known."""
        if domain not in self._domains:
            if len(self._domains) > _TEXTS:
                self._domains.clear()
            known = receivers.of(Delivery("bounced", recipient=f"x@{domain}"), self._catalogue.receivers)
            self._domains[domain] = known.id if known else None
        return self._domains[domain]

    def _explained(self, delivery: Delivery) -> Known:
        from mailmend.road.explain import explain

        found: Sequence[Refusal] = explain([replace(delivery, queue_id=None)], self._catalogue)
        return Known(found[0].receiver, found[0].cause, found[0].who) if found else Known(None, "unknown", ())


def _domains(failed: Failed) -> tuple[str, ...]:
    """The recipient's and the sender's, as they are written."""
    both = (failed.recipient.rpartition("@")[2], (failed.sender or "").rpartition("@")[2])
    return tuple(domain for domain in both if domain)


def _own(found: re.Match[str], failed: Failed) -> bool:
    """Whether what stands where a domain concerned stood is one of this delivery's."""
    owns = _domains(failed)
    return all(each in owns for each in found.groups())


def _pattern(text: str, owns: Sequence[str]) -> re.Pattern[str]:
    """What matches the texts that differ from *text* in changing words alone, and in *owns*, which are groups.

    Of an ASCII *text* it is for ASCII texts only.
    """
    word = _ASCII_WORD if text.isascii() else _WORD + r"(?!\S)"
    own = re.compile("(" + "|".join(map(re.escape, owns)) + ")") if owns else None
    out = []
    for at, words in enumerate(_WORDS.split(text)):
        if at % 2:
            out.append(word)
        else:
            pieces = own.split(words) if own else [words]
            out += [r"(\S+?)" if number % 2 else re.escape(piece) for number, piece in enumerate(pieces)]
    return re.compile("".join(out))
