"""What main.cf and master.cf say now, word for word, held against what was to be written there."""

from __future__ import annotations

from typing import Any

from mailmend.model import Change, Evidence, Expectation, Judgement, Probe
from mailmend.parse import mastercf
from mailmend.parse.assignment import COLUMNS
from mailmend.questions import Service, Services, Setting


def as_written(change: Change) -> Expectation | None:
    """What the file must say once *change* is saved, a line that must be gone too; None for tables and records."""
    if change.kind in ("setting", "override", "field"):
        gone = change.after is None
        says = f"{change.target} is taken out" if gone else f"{change.target} is saved"
        return Expectation("saved", "written-is", change.target, change.after, says)
    if change.kind == "service":
        says = (
            f"{change.target} is gone from master.cf" if change.after is None else f"{change.target} is saved"
        )
        return Expectation("saved", "written-is", change.target, change.after, says)
    return None


def written_is(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* `name`, `service/type/name`, `service/type/column` or `service/type`; *wanted* None: not there."""
    subject, wanted = expectation.subject, expectation.wanted
    if "/" not in subject:
        seen = probe.ask(Setting(subject))
        if seen.answer is None:
            return _unknown(expectation, seen)
        return _held(expectation, seen.answer.written, seen)
    services = probe.ask(Services())
    if services.answer is None:
        return _unknown(expectation, services)
    entry = next((s for s in reversed(services.answer) if s.id == subject), None)
    if entry is not None or subject.count("/") == 1:
        new = mastercf.parse(wanted).services() if wanted is not None else ()
        same = entry == (new[0] if new else None)
        says = "as written" if same and entry else "not there" if entry is None else "differs"
        return Judgement(expectation, "holds" if same else "fails", (services,), says)
    service, _, name = subject.rpartition("/")
    entry = next((s for s in reversed(services.answer) if s.id == service), None)
    if entry is None:
        return Judgement(expectation, "fails", (services,), f"master.cf has no service {service}")
    found = column(entry, name) if name in COLUMNS else dict(entry.overrides).get(name)
    return _held(expectation, found, services)


def column(service: Service, name: str) -> str:
    """A column of an entry, as postconf(1) -F names it."""
    return {
        "private": service.private,
        "unprivileged": service.unprivileged,
        "chroot": service.chroot,
        "wakeup": service.wakeup,
        "process_limit": service.process_limit,
        "command": service.command,
    }[name]


def _held(expectation: Expectation, found: str | None, seen: Evidence[Any]) -> Judgement:
    wanted = expectation.wanted
    same = (found is None) == (wanted is None) and (found or "").split() == (wanted or "").split()
    says = f"{expectation.subject} = {found}" if found is not None else f"{expectation.subject} is not set"
    return Judgement(expectation, "holds" if same else "fails", (seen,), says)


def _unknown(expectation: Expectation, seen: Evidence[Any]) -> Judgement:
    return Judgement(expectation, "unknown", (seen,), f"could not look: {seen.error}")
