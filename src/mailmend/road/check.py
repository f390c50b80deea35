"""Checks, side by side -> findings, in a stable order; and what they make of a receiver's report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import ModuleType

from mailmend.model import CannotLook, Cause, Finding, Probe, Refusal, Scope, family_of

# What a finding of ours says about the words of a receiver: forwarded mail that keeps its envelope fails SPF.
_BEHIND = {
    "forwarded-not-rewritten": ("spf-fail", "unauthenticated"),
    "message-altered": ("dkim-fail", "dmarc-reject", "unauthenticated"),
    "dkim-unsigned": ("dkim-fail", "unauthenticated"),
    "helo-elsewhere": ("helo-invalid",),
    "tls-off": ("tls-required",),
}


def check(
    probe: Probe,
    scope: Scope,
    modules: Mapping[str, ModuleType],
    causes: Collection[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Finding, ...]:
    """What every check finds, in the order of *modules* (id -> module), each finding with its check's id.

    *causes*: only the checks that can establish one of these, or whose id is among them. A check that
    cannot look gives an `unknown` finding; any other exception is a bug and propagates.
    """
    chosen = concerned(modules, causes)
    if not chosen:
        return ()
    with ThreadPoolExecutor(max_workers=len(chosen), thread_name_prefix="check") as pool:
        running = [pool.submit(_run, name, module, probe, scope) for name, module in chosen.items()]
        findings: list[Finding] = []
        for name, future in zip(chosen, running, strict=True):
            findings += future.result()
            if progress:
                progress(f"checked {name}")
    return tuple(findings)


def concerned(modules: Mapping[str, ModuleType], causes: Collection[str] | None) -> dict[str, ModuleType]:
    """The checks that can establish one of *causes*, or whose id is among them; None: all."""
    return {
        name: module
        for name, module in modules.items()
        if causes is None or name in causes or set(causes) & establishes(module)
    }


def establishes(module: ModuleType) -> frozenset[str]:
    """The causes that a check can measure, with those that its findings stand behind."""
    own = frozenset(module.CAUSES)
    return own | {said for cause in own for said in _BEHIND.get(cause, ())}


def _run(name: str, module: ModuleType, probe: Probe, scope: Scope) -> list[Finding]:
    out: dict[tuple[str, str, str, str | None], Finding] = {}
    try:
        for finding in module.check(probe, scope):
            key = (finding.cause, finding.subject, finding.standing, finding.address or finding.family)
            out.setdefault(key, replace(finding, check=name))
    except CannotLook as gap:
        says = f"{name} could not look: {gap.reason}"
        out[name, name, "unknown", None] = Finding(module.CAUSES[0], name, "unknown", says, check=name)
    return list(out.values())


# ---- what was measured decides between what a reply may mean --------------------------------


def merge(
    refusals: Collection[Refusal], findings: Collection[Finding], causes: Mapping[str, Cause]
) -> tuple[Refusal, ...]:
    """Each refusal with the cause that was measured; the receiver's words stay in its delivery.

    Only findings about the same address, domain or host-wide setting count; what a log counted is the
    same report once more and decides nothing. Where everything that the reply may mean is cleared, the
    refusal is `cleared`; where nothing decides, it stays `reported`.
    """
    return tuple(
        _merge(refusal, findings, causes) if can_be_measured(refusal) else refusal for refusal in refusals
    )


def can_be_measured(refusal: Refusal) -> bool:
    """Whether looking at this host says anything about *refusal*: not where this host refused a stranger."""
    return refusal.delivery.severity not in ("rejected-inbound", "delivered", "notice")


def _merge(refusal: Refusal, findings: Collection[Finding], causes: Mapping[str, Cause]) -> Refusal:
    candidates = refusal.ambiguous or (refusal.cause,)
    concerned = [f for f in findings if f.check != "receiver-log" and _concerns(f, refusal, findings)]
    measured = [
        finding
        for candidate in candidates
        for finding in concerned
        if finding.standing == "measured" and candidate in _says(finding, refusal)
    ]
    if measured:
        return _decided(refusal, measured, causes)
    gaps = [f for f in concerned if f.standing == "unknown" and f.cause in candidates]
    if gaps:
        return replace(refusal, summary=f"{refusal.summary}; {gaps[0].summary}".removeprefix("; "))
    cleared = {f.cause for f in concerned if f.standing == "cleared"}
    if set(candidates) <= cleared:
        says = f"{refusal.summary}; nothing of this is found now".removeprefix("; ")
        return replace(refusal, standing="cleared", summary=says)
    left = tuple(c for c in refusal.ambiguous if c not in cleared)
    return replace(refusal, ambiguous=left)


def _decided(refusal: Refusal, measured: list[Finding], causes: Mapping[str, Cause]) -> Refusal:
    names = tuple(dict.fromkeys(finding.cause for finding in measured))
    page = causes.get(names[0])
    decided = replace(
        refusal,
        cause=names[0],
        ambiguous=names[1:],
        standing="measured",
        summary="; ".join(dict.fromkeys(finding.summary for finding in measured)),
        checks=tuple(dict.fromkeys(f.check for f in measured if f.check)),
    )
    if page is None or names[0] == refusal.cause:
        return decided
    moved = refusal.delivery.forwarded is True
    return replace(
        decided,
        who=(moved and page.forwarded_who) or page.who,
        steps=(moved and page.forwarded_steps) or page.steps,
        remedies=page.forwarded_remedies if moved and page.forwarded_remedies is not None else page.remedies,
    )


def _says(finding: Finding, refusal: Refusal) -> tuple[str, ...]:
    """The causes that a finding establishes for this refusal."""
    if finding.cause == "forwarded-not-rewritten" and refusal.delivery.forwarded is False:
        return ()
    if finding.cause == "dkim-unsigned" and refusal.delivery.forwarded:
        return ()  # a forward carries its author's signature, not ours
    return (finding.cause, *_BEHIND.get(finding.cause, ()))


def _concerns(finding: Finding, refusal: Refusal, findings: Collection[Finding]) -> bool:
    """Whether a finding is about the address and the domain that this refusal is about."""
    address = finding.address or (finding.subject if family_of(finding.subject) else None)
    if address and not _same_address(address, refusal, findings):
        return False
    sender = refusal.delivery.sender
    if finding.cause in ("spf-fail", "spf-record-bad"):
        if sender:
            return finding.subject == sender.rpartition("@")[2].lower()
        return not refusal.delivery.forwarded  # a forward leaves under somebody else's domain
    return True


def _same_address(address: str, refusal: Refusal, findings: Collection[Finding]) -> bool:
    """The address that the reply names; where it names none, the only one of that family that was found."""
    named = refusal.delivery.source_ip
    if named:
        return _canonical(address) == _canonical(named)
    relay = refusal.delivery.relay
    family = relay.family if relay else None
    known = {_canonical(a) for a in _addresses(findings) if family_of(a) == family}
    return family is not None and known == {_canonical(address)}


def _addresses(findings: Collection[Finding]) -> Iterator[str]:
    for finding in findings:
        if finding.address:
            yield finding.address


def _canonical(address: str) -> str:
    from ipaddress import ip_address

    return str(ip_address(address)) if family_of(address) else address
