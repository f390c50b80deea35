"""The way back to IPv6 is open once nothing that was refused there would be refused again: asked of the checks.

Published records are not enough: forwarded mail that keeps its envelope sender stays refused (RFC 7208 D.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType

from mailmend.facts.expect import prove
from mailmend.facts.without import Without
from mailmend.model import Family, Finding, Judgement, Probe, Proof, Record, Scope, family_of
from mailmend.road.check import check

CHECKS = ("ptr", "spf", "forwarding")
# Remedies that leave no family out: with them records are waited for, and nothing is to be taken back for those.
_STAYS = frozenset(("srs", "pace", "dkim-sign", "refuse-early", "tag-early"))
_NAMES: dict[Family, str] = {"ipv4": "IPv4", "ipv6": "IPv6"}


@dataclass(frozen=True, slots=True)
class WayBack:
    """*proof* holds what is watched for against DNS; *still* are the findings that keep mail refused."""

    record: Record
    proof: Proof
    still: tuple[Finding, ...]

    @property
    def open(self) -> bool:
        return not self.still and self.record.remedy not in _STAYS


def way_back(record: Record, probe: Probe, modules: Mapping[str, ModuleType]) -> WayBack:
    """Whether *record* could be taken back, or what it waits for has come, by *modules* (the checks, by id).

    They look as if the change were not there, for with it no mail uses the family that was left out; one that
    leaves none out is looked at as it stands. What could not be looked at keeps the way closed.
    """
    chosen = {name: module for name, module in modules.items() if name in CHECKS}
    families = _families(record)
    seen = probe if record.remedy in _STAYS else Without(probe, record.changes)
    found = check(seen, Scope(), chosen)
    concerned = [f for f in found if f.family is None or f.family in families]
    unseen = tuple(
        Finding("ptr-missing", _NAMES[family], "unknown", _unseen(family), check="ptr", family=family)
        for family in families
        if not any(f.check == "ptr" and f.family == family for f in concerned)
    )
    still = (*(f for f in concerned if f.standing != "cleared"), *unseen)
    proof = prove(record.pending, probe)
    judged = tuple(_another_way(j, still) for j in proof.judgements)
    return WayBack(record, replace(proof, judgements=judged), still)


def _families(record: Record) -> tuple[Family, ...]:
    """Those whose records are waited for; every remedy of ours leaves out IPv6."""
    texts = [text for e in record.pending for text in (e.subject.partition(" ")[0], e.wanted)]
    named = {family_of(text) for text in texts}
    return tuple(family for family in _NAMES if family in named) or ("ipv6",)


def _unseen(family: Family) -> str:
    return f"from which {_NAMES[family]} address mail would leave could not be seen"


def _another_way(judged: Judgement, still: tuple[Finding, ...]) -> Judgement:
    """A record that was proposed need not be the one that was published: the check it was for decides."""
    if judged.verdict != "pending":
        return judged
    name, _, kind = judged.expectation.subject.rpartition(" ")
    by = "spf" if kind == "TXT" else "ptr"
    address = name if kind == "PTR" else judged.expectation.wanted
    mine = [f for f in still if f.check == by and (by == "spf" or f.address in (None, address))]
    return judged if mine else replace(judged, verdict="holds", says="another record does it as well")
