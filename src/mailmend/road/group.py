"""Refusals -> groups: of one cause and receiver, or those that one explanation is word for word true of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mailmend.model import Refusal

# What differs between two replies that say the same: addresses, numbers, ids of a message.
_OWN = re.compile(r"\S*@\S+|\b[0-9A-Fa-f:.]*\d[\w:.-]*")
_SHOWN = 3  # examples of what no rule explains: each may be something else


@dataclass(frozen=True, slots=True)
class Group:
    """Refusals of one cause by one receiver; *examples* are those of them that show what they are."""

    cause: str
    receiver: str | None
    refusals: tuple[Refusal, ...]

    @property
    def examples(self) -> tuple[Refusal, ...]:
        """The first; of what no rule explains a few that differ in more than addresses and numbers."""
        if self.cause != "unknown":
            return self.refusals[:1]
        differing: dict[str, Refusal] = {}
        for one in self.refusals:
            differing.setdefault(_template(one), one)
        return tuple(differing.values())[:_SHOWN]


def grouped(refusals: Iterable[Refusal]) -> tuple[Group, ...]:
    """Each refusal in one group, the most frequent first, the unknown last; apart where somebody else must act."""
    found: dict[tuple[object, ...], list[Refusal]] = {}
    for one in refusals:
        found.setdefault((one.cause, one.receiver, one.who), []).append(one)
    groups = [Group(each[0].cause, each[0].receiver, tuple(each)) for each in found.values()]
    # Of equals the first seen stays first.
    return tuple(sorted(groups, key=lambda group: (group.cause == "unknown", -len(group.refusals))))


def alike(refusals: Iterable[Refusal]) -> tuple[tuple[Refusal, ...], ...]:
    """Each refusal with those that are told in the same words; what no rule explains only where the reply is the same.

    In the order of the first of each.
    """
    found: dict[tuple[object, ...], list[Refusal]] = {}
    for one in refusals:
        relay, reply = one.delivery.relay, one.delivery.reply
        family = relay.family if relay else None
        text = reply.text if reply and one.cause == "unknown" else ""
        key = (one.receiver, one.cause, one.delivery.severity, family, one.steps, text)
        found.setdefault(key, []).append(one)
    return tuple(map(tuple, found.values()))


def _template(one: Refusal) -> str:
    reply = one.delivery.reply
    return _OWN.sub("", reply.text) if reply else ""
