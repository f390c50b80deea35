"""The screen of status: saved, loaded, running and delivering side by side, and the changes in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.system.history import interruption, way_out
from mailmend.ui.screens.checking import STANDS, findings_list
from mailmend.ui.screens.past import on_trial
from mailmend.ui.show.layers import LAYERS, layers
from mailmend.ui.terminal import (
    BAD,
    FAINT,
    GOOD,
    STRONG,
    WARN,
    columns,
    command,
    heading,
    joined,
    pairs,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.jobs.status import Status
    from mailmend.model import Record
    from mailmend.road.way_back import WayBack

MOOD = {"": "", "good": GOOD, "warn": WARN, "bad": BAD}
ALL_CLEARED = "Its DNS records are seen, SPF passes and forwarded mail is rewritten"
STILL = {
    "measured": "Mail over IPv6 would still be refused:",
    "unknown": "Not known, so the way back to IPv6 is not offered:",
}


def status(target: Console, seen: Status) -> None:
    """The two families against the four layers, then what they rest on."""
    say(target, joined(words(_host(seen), STRONG), f", {_running(seen)}"))
    target.print()
    rows = [
        (words(one["name"], STRONG), *(words(cell["says"], MOOD[cell["mood"]]) for cell in one["layers"]))
        for one in layers(seen)
    ]
    columns(target, rows, head=("", *LAYERS))
    heading(target, "Listening sockets")
    if seen.listeners is None:
        say(target, "not known", indent=2)
    elif not seen.listeners:
        say(target, words("none: nobody can deliver to this host", BAD), indent=2)
    else:
        columns(target, [(s, f'users:(("master",pid={pid},fd={fd}))') for s, pid, fd in _sockets(seen)])
    heading(target, "Settings")
    pairs(target, [(name, _setting(value.value, value.written)) for name, value in seen.settings.items()])
    problems = [f for f in seen.findings if STANDS[f.standing] != "fine"]
    if problems:
        heading(target, "To be looked at")
        findings_list(target, problems)
    _changes(target, seen)
    for error in seen.errors:
        say(target, words(f"could not look: {error}", WARN))


def _host(seen: Status) -> str:
    name = seen.host.hostname if seen.host else "this host"
    return f"{name}, Postfix {seen.version or 'of unknown version'}"


def _running(seen: Status) -> str:
    run = seen.running
    if run is None:
        return "not known whether it runs"
    if run.pid is None:
        return "not running"
    since = f" since {run.since:%Y-%m-%d %H:%M:%S}" if run.since else ""
    loaded = f", loaded {run.reloaded:%Y-%m-%d %H:%M:%S}" if run.reloaded else ""
    return f"running{since}{loaded} (pid {run.pid})"


def _sockets(seen: Status) -> list[tuple[str, int, int]]:
    """`[::]:25` with pid and fd, as `ss -lntp` writes them."""
    return [
        (f"[{s.address}]:{s.port}" if ":" in s.address else f"{s.address}:{s.port}", s.pid, s.fd)
        for s in sorted(seen.listeners or (), key=lambda s: (s.port, ":" in s.address, s.address))
    ]


def _setting(value: str | None, written: str | None) -> Text:
    if value is None:
        return words("this Postfix has no such setting", FAINT)
    return joined(value or "(empty)", words("  default" if written is None else "", FAINT))


def _changes(target: Console, seen: Status) -> None:
    if seen.interrupted:
        said = interruption(seen.interrupted)
        say(target, words(f"{said[0].upper()}{said[1:]}. This puts it right:", WARN), indent=2)
        say(target, command(way_out(seen.interrupted)), indent=4)
    for record, path in seen.overwritten:
        told = (
            f"{record.id} no longer stands in {path}: somebody else wrote over it (configuration management?)"
        )
        say(target, words(told, WARN), indent=2)
    for waiting in [r for r in seen.records if r.state == "trial"]:
        on_trial(target, waiting)
    if seen.records:
        heading(target, "Changes in force")
        columns(target, [(r.id, f"{_act(r)} by {r.by}") for r in seen.records])
    for way in seen.ways_back:
        if not way.record.files:
            heading(target, f"Watched: {way.record.id}")
        _way_back(target, way)


def _act(record: Record) -> str:
    """The remedy; of what somebody set, its names."""
    names = ", ".join(change.target for change in record.changes)
    return f"{record.remedy}: {names}" if record.remedy == "set" else record.remedy or ""


def _way_back(target: Console, way: WayBack) -> None:
    missing = [j.expectation.subject for j in way.proof.judgements if j.verdict != "holds"]
    if way.open:
        ends = "The way back to IPv6:" if way.record.files else "To end the watch:"
        say(target, f"{ALL_CLEARED}. {ends}", indent=2)
        say(target, command(f"mailmend undo {way.record.id}"), indent=4)
    elif missing:
        say(target, words("DNS records still to be published:", WARN), indent=2)
        for name in missing:
            say(target, name, indent=4)
    others = [f for f in way.still if not missing or f.check == "forwarding"]
    for standing, says in STILL.items():
        if found := [f for f in others if f.standing == standing]:
            say(target, words(says, WARN), indent=2)
            for one in found:
                say(target, f"{one.check}: {one.summary}", indent=4)
