"""What is saved and does not run: the check of it, with the names of the settings where the history knows them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from mailmend.jobs.here import Here
from mailmend.model import CannotLook, FileEdit, Finding, Record, Scope
from mailmend.questions import File
from mailmend.road import tiers
from mailmend.road.edits import config_directory, difference

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


@dataclass(frozen=True, slots=True)
class Saved:
    """A file as it is saved, held against what runs. *live* None: that could not be seen.

    *diff* is what differs from what mailmend left there last, in the change *since*; None where it is not live and the
    history does not know it. *names* are the settings in it, as `mailmend set` names them.
    """

    path: str
    live: bool | None
    summary: str
    diff: str | None = None
    since: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Behind:
    """What runs, behind what is saved: file by file, and what only a stop and start of Postfix brings to it."""

    files: tuple[Saved, ...]
    restart: tuple[Finding, ...]


def behind(here: Here) -> Behind:
    """Raises CannotLook where even the place of the files cannot be seen."""
    from mailmend.system.history import History

    folder = config_directory(here.probe)
    findings = unloaded(here)
    stopped = next(
        (f for f in findings if f.cause == "postfix-not-running" and f.standing != "cleared"), None
    )
    try:
        records = History(here.state).records()
    except CannotLook:
        records = ()
    files = []
    for name in ("main.cf", "master.cf"):
        found = next((f for f in findings if f.cause == "saved-not-loaded" and f.subject == name), stopped)
        files.append(_saved(here, f"{folder}/{name}", found, records))
    restart = tuple(f for f in findings if f.cause == "loaded-not-restarted" and f.standing == "measured")
    return Behind(tuple(files), restart)


def _saved(here: Here, path: str, found: Finding | None, records: tuple[Record, ...]) -> Saved:
    if found is None:
        return Saved(path, None, "whether it is loaded could not be seen")
    live = {"cleared": True, "measured": False}.get(found.standing)
    if found.cause == "postfix-not-running":
        return Saved(path, None, found.summary)
    if live is not False:
        return Saved(path, live, found.summary, "" if live else None)
    last = _last_of_ours(path, records)
    seen = here.probe.ask(File(path))
    if last is None or seen.answer is None:
        return Saved(path, live, found.summary)
    record, edit = last
    differs = FileEdit(path, edit.after, seen.answer.text)
    names = tuple(dict.fromkeys(t.target for t in tiers.touched((differs,))))
    return Saved(path, live, found.summary, difference((differs,)), record.id, names)


def _last_of_ours(path: str, records: tuple[Record, ...]) -> tuple[Record, FileEdit] | None:
    """What we wrote to *path* last that stayed, in which change."""
    ours = [(r, e) for r in records for e in r.files if e.path == path and r.state in ("kept", "trial")]
    return max(ours, key=lambda pair: pair[0].at, default=None)


def _measured(finding: Finding) -> bool:
    return finding.cause == "saved-not-loaded" and finding.standing == "measured"


def _named(here: Here, finding: Finding, path: str, records: tuple[Record, ...]) -> Finding:
    """By what we wrote there last, which ran: what differs from that was written by others since."""
    seen = here.probe.ask(File(path))
    last = _last_of_ours(path, records)
    if seen.answer is None or last is None:
        return finding
    record, edit = last
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
