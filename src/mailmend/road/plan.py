"""Measured findings -> a plan: the remedy, the files before and after, what must then hold. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType

from mailmend.facts.case import Case
from mailmend.facts.expect import saved
from mailmend.model import Expectation, Finding, Plan, Probe, Proposal, Refused
from mailmend.road.choose import choose
from mailmend.road.edits import compose, difference, digest

WATCHED = "dns-records"


def plan(
    case: Case,
    findings: Sequence[Finding],
    probe: Probe,
    remedies: Mapping[str, ModuleType],
    *,
    remedy: str | None = None,
) -> Plan:
    """The plan for *case*. Without *remedy* only measured findings that some remedy heals lead to one.

    Raises Refused for a remedy that is not known, and what compose() raises. `chosen` is None where nothing
    may be applied; *reason* says why then.
    """
    if remedy is not None and remedy not in remedies:
        raise Refused(f"no remedy is called {remedy}", f"one of: {', '.join(sorted(remedies))}")
    measured = tuple(f for f in findings if f.standing == "measured")
    wanted = {f.cause for f in measured}
    if remedy is not None and is_by_name(remedies[remedy]):
        wanted &= set(remedies[remedy].HEALS)  # beside it stands what heals the same, and nothing else
    proposals = [
        module.propose(case, probe)
        for name, module in remedies.items()
        if name == remedy or (wanted & set(module.HEALS) and not is_by_name(module))
    ]
    pending = tuple(p for p in proposals if p.remedy == WATCHED and p.changes and not p.blocked)
    applicable = [p for p in proposals if p.remedy != WATCHED]
    if remedy == WATCHED:
        return _watched(measured, proposals, pending)
    chosen, reason = choose(applicable, remedy) if applicable else (None, "nothing measured needs a remedy")
    declined = tuple(p for p in applicable if p is not chosen and (p.objections or chosen))
    if chosen is None:
        return Plan(None, measured, (), "", digest(None, (), ()), pending, declined, reason)
    files = compose(chosen.changes, probe)
    return Plan(
        chosen=replace(chosen, expectations=_expectations(chosen)),
        findings=measured,
        files=files,
        diff=difference(files),
        digest=digest(chosen.remedy, chosen.changes, files),
        pending=pending,
        declined=declined,
        reason=reason,
    )


def is_by_name(remedy: ModuleType) -> bool:
    """Whether it is never chosen, only asked for by its name."""
    return bool(getattr(remedy, "BY_NAME", False))


def _watched(findings: tuple[Finding, ...], proposals: list[Proposal], pending: tuple[Proposal, ...]) -> Plan:
    reasons = [o.reason for p in proposals if p.remedy == WATCHED for o in p.objections]
    why = (
        "these records are somebody else's to publish; mailmend watches for them"
        if pending
        else "; ".join(reasons)
    )
    return Plan(
        None, findings, (), "", digest(WATCHED, (), ()), pending, (), why or "every record is there already"
    )


def _expectations(proposal: Proposal) -> tuple[Expectation, ...]:
    """What is saved comes first, then what the remedy itself says must hold; each once."""
    own = [expectation for change in proposal.changes if (expectation := saved(change))]
    return tuple(dict.fromkeys([*own, *proposal.expectations]))
