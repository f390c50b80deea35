"""check: this host, its DNS, its configuration and its log -> findings; read-only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import CannotLook, Finding, Probe, Refusal, Scope


@dataclass(frozen=True, slots=True)
class CheckReport:
    """*findings* in the order of the checks; *checks* are the ids of those that ran."""

    findings: tuple[Finding, ...]
    scope: Scope
    checks: tuple[str, ...]

    @property
    def measured(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.standing == "measured")

    @property
    def failed(self) -> tuple[Finding, ...]:
        """Those of *unknown* where a look failed, rather than that there is nothing to see it by."""
        return tuple(f for f in self.unknown if not f.evidence or any(look.error for look in f.evidence))

    @property
    def unknown(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.standing == "unknown")


def check(
    here: Here,
    domains: Sequence[str] = (),
    *,
    message: str | None = None,
    checks: Collection[str] | None = None,
    progress: Progress = silent,
) -> CheckReport:
    """Run the checks (*checks*: ids or causes; None: all) about *domains*, or what the host itself shows.

    Raises CannotLook where there is no Postfix to look at.
    """
    from mailmend import catalogue
    from mailmend.road.check import check as run
    from mailmend.road.check import concerned

    here.require_postfix()
    scope = scope_of(domains, here.probe, message)
    modules = concerned(catalogue.load().checks, checks)
    findings = run(here.probe, scope, modules, None, progress)
    return CheckReport(findings, scope, tuple(modules))


def scope_of(domains: Sequence[str], probe: Probe, message: str | None = None) -> Scope:
    """Own domains and addresses are senders (own addresses, forwarded ones, recipients too); others recipients."""
    from mailmend.facts.domains import is_own

    senders: list[str] = []
    recipients: list[str] = []
    for name in domains:
        domain = name.rpartition("@")[2].lower().rstrip(".")
        try:
            own = is_own(domain, probe)
        except CannotLook:
            own = False
        if own:
            senders.append(name)
        if not own or "@" in name:
            recipients.append(name)
    return Scope(tuple(recipients), tuple(senders), None, message)


def decide(
    here: Here, refusals: Sequence[Refusal], *, progress: Progress = silent
) -> tuple[tuple[Refusal, ...], tuple[Finding, ...]]:
    """`explain --check`: just the checks that decide what these refusals mean, merged into them.

    None is run for what this host itself refused (the fault is the stranger's), nor for what was delivered.
    """
    from mailmend import catalogue
    from mailmend.road.check import can_be_measured, merge
    from mailmend.road.check import check as run

    here.require_postfix()
    known = catalogue.load()
    asked = [r for r in refusals if can_be_measured(r)]
    if not asked:
        return tuple(refusals), ()
    wanted = {name for r in asked for name in (*r.checks, *r.ambiguous)}
    recipients = dict.fromkeys(r.delivery.recipient for r in asked if r.delivery.recipient)
    receivers = {r.receiver for r in asked}
    scope = Scope(tuple(recipients)[:5], (), receivers.pop() if len(receivers) == 1 else None)
    findings = run(here.probe, scope, known.checks, wanted, progress)
    return merge(refusals, findings, known.causes), findings
