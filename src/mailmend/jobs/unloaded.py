"""What is saved and does not run: the check of it, with the names of the settings that differ.

They differ from what was seen to be loaded (system/loaded.py); where nobody saw that, from what our history left there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath

from mailmend.jobs.here import Here
from mailmend.model import CannotLook, FileEdit, Finding, Record, Scope
from mailmend.questions import File, Master
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
    """*findings*, those of `saved-not-loaded` with the names; as they are where nobody knows what was loaded."""
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

    *diff* is what differs from what was *loaded* then; where nobody saw that, from what mailmend left there last, in
    the change *since*. None where it is not live and neither is known. *names* are the settings in it, as `mailmend
    set` names them.
    """

    path: str
    live: bool | None
    summary: str
    diff: str | None = None
    since: str | None = None
    names: tuple[str, ...] = ()
    loaded: datetime | None = None


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
    seen = here.probe.ask(File(path)).answer
    before = _ran(here, path, records)
    if before is None or seen is None:
        return Saved(path, live, found.summary)
    differs = FileEdit(path, before.text, seen.text)
    names = tuple(dict.fromkeys(t.target for t in tiers.touched((differs,))))
    since = before.left_by.id if before.left_by else None
    return Saved(path, live, found.summary, difference((differs,)), since, names, before.loaded)


@dataclass(frozen=True, slots=True)
class _Before:
    """*text* of a file that ran: as it was seen to be *loaded* then, or as a change of ours left it and proved it."""

    text: str
    loaded: datetime | None = None
    left_by: Record | None = None


def _ran(here: Here, path: str, records: tuple[Record, ...]) -> _Before | None:
    from mailmend.system import loaded

    running = here.probe.ask(Master()).answer
    if running is not None and (text := loaded.text(here.state, path, running)) is not None:
        return _Before(text, loaded=running.reloaded)
    last = _last_of_ours(path, records)
    return _Before(last[1].after or "", left_by=last[0]) if last else None


def note(here: Here) -> None:
    """Keep what is seen to run, for later looks to hold against it: for who looks all the time, and is root."""
    from mailmend.system import loaded

    running = here.probe.ask(Master()).answer
    if running is None:
        return
    with suppress(CannotLook, OSError):
        folder = config_directory(here.probe)
        loaded.note(here.state, (f"{folder}/main.cf", f"{folder}/master.cf"), running)


def _last_of_ours(path: str, records: tuple[Record, ...]) -> tuple[Record, FileEdit] | None:
    """What we wrote to *path* last that stayed, in which change."""
    ours = [(r, e) for r in records for e in r.files if e.path == path and r.state in ("kept", "trial")]
    return max(ours, key=lambda pair: pair[0].at, default=None)


def _measured(finding: Finding) -> bool:
    return finding.cause == "saved-not-loaded" and finding.standing == "measured"


def _named(here: Here, finding: Finding, path: str, records: tuple[Record, ...]) -> Finding:
    """By what ran: what differs from that was written since."""
    seen, before = here.probe.ask(File(path)).answer, _ran(here, path, records)
    if seen is None or before is None:
        return finding
    ours = before.left_by
    if before.text == seen.text:
        if ours is None:
            says = f"{path} was saved again since the last reload, as it was loaded then"
        elif ours.activation == "none":
            says = f"{path} was saved by {ours.id}, and nothing in it has to be loaded"
        else:
            return finding
        return replace(finding, standing="cleared", summary=says)
    what = f"what {ours.id} left" if ours else "what was loaded then"
    names = [t.target for t in tiers.touched((FileEdit(path, before.text, seen.text),))]
    if not names:
        return replace(finding, summary=f"{finding.summary} (no setting differs from {what})")
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    told = f"{', '.join(names[:_SHOWN])}{more}"
    name = PurePosixPath(path).name
    since = f"since {ours.id}" if ours else "from what was loaded then"
    return replace(finding, summary=f"{finding.summary}; in {name} differ {since}: {told}")
