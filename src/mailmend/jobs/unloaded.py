"""What is saved and does not run: the check of it, with the names of the settings where the history knows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from mailmend.jobs.here import Here
from mailmend.model import CannotLook, FileEdit, Finding, Record, Scope
from mailmend.questions import File
from mailmend.road import tiers
from mailmend.road.edits import config_directory

_SHOWN = 6


def unloaded(here: Here) -> tuple[Finding, ...]:
    """The findings of the check `loaded`; those of a file that is not loaded name what differs in it.

    A change of ours that needs no activation (what only commands read) is not something that is not loaded.
    """
    from mailmend import catalogue
    from mailmend.road.check import check

    findings = check(here.probe, Scope(), {"loaded": catalogue.load().checks["loaded"]})
    return named(here, findings)


def named(here: Here, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """*findings*, those of `saved-not-loaded` with the names; without a history as they are."""
    from mailmend.system.history import History

    if not any(_measured(f) for f in findings):
        return findings
    try:
        records = History(here.state).records()
        folder = config_directory(here.probe)
    except CannotLook:
        return findings
    return tuple(_named(here, f, f"{folder}/{f.subject}", records) if _measured(f) else f for f in findings)


def _measured(finding: Finding) -> bool:
    return finding.cause == "saved-not-loaded" and finding.standing == "measured"


def _named(here: Here, finding: Finding, path: str, records: tuple[Record, ...]) -> Finding:
    """By what we wrote there last, which ran: what differs from that was written by others since."""
    seen = here.probe.ask(File(path))
    ours = [(r, e) for r in records for e in r.files if e.path == path and r.state in ("kept", "trial")]
    if seen.answer is None or not ours:
        return finding
    record, edit = max(ours, key=lambda pair: pair[0].at)
    if edit.after == seen.answer.text:
        if record.activation != "none":
            return finding
        says = f"{path} was saved by {record.id}, and nothing in it has to be loaded"
        return replace(finding, standing="cleared", summary=says)
    names = [t.target for t in tiers.touched((FileEdit(path, edit.after, seen.answer.text),))]
    if not names:
        return replace(finding, summary=f"{finding.summary} (no setting differs from what {record.id} left)")
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    told = f"{', '.join(names[:_SHOWN])}{more}"
    name = PurePosixPath(path).name
    return replace(finding, summary=f"{finding.summary}; in {name} differ since {record.id}: {told}")
