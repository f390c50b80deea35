"""One thing that an operator wants to set -> all that is known of it: its meaning, and what it is and would be."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend import settings
from mailmend.facts.as_if import AsIf
from mailmend.facts.looking import answer
from mailmend.facts.settings import services
from mailmend.model import Activation, Change, FileEdit, Probe
from mailmend.parse import maincf
from mailmend.parse.assignment import Assignment
from mailmend.questions import Defaults, File, Manual, Setting
from mailmend.road import tiers
from mailmend.road.edits import config_directory
from mailmend.settings import Concern, Tier


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that was asked for, as it is now and as it would be. None: not there, or not known.

    *written* is the text of main.cf or master.cf, *effective* what Postfix makes of it, *would_be* what it would
    make of the new one. *set_by* says where it is set now; *overridden* are the services whose own `-o` goes past
    it, each with its value. *meaning* is our sentence, *manual* that of the installed postconf(5); *why* says what
    makes it of its tier.
    """

    target: str
    kind: str
    tier: Tier
    concerns: Concern | None
    meaning: str
    manual: str | None
    default: str | None
    written: str | None
    effective: str | None
    wanted: str | None
    would_be: str | None
    set_by: str
    why: str
    overridden: tuple[tuple[str, str], ...]
    activation: Activation
    source: str
    already: bool

    @property
    def step_up(self) -> bool:
        """Whether more than being logged in is asked for before it is approved anywhere but on a terminal."""
        return self.tier != "P"


def about(each: Assignment, change: Change, files: tuple[FileEdit, ...], probe: Probe) -> Subject:
    """*change* is what *each* comes to, *files* what all changes together would write."""
    known = settings.load().of(each.name)
    named = each.kind in ("setting", "override")
    dangers = {t.target: t for t in tiers.touched(files)}
    touched = dangers.get(each.target) or next(
        (t for n, t in dangers.items() if n.startswith(f"{each.target}/")), None
    )
    effective = _effective(each, probe)
    default = dict(probe.ask(Defaults()).answer or ()).get(each.name) if named else None
    would_be = _effective(each, AsIf(probe, files))
    return Subject(
        target=each.target,
        kind=each.kind,
        tier=touched.tier if touched else known.tier if named else "P",
        concerns=touched.concerns if touched else None,
        meaning=known.meaning
        if named
        else _COLUMNS.get(each.name, "An entry of master.cf: a program that master(8) runs."),
        manual=(probe.ask(Manual(each.name)).answer or None) if named else None,
        default=default,
        written=change.before,
        effective=effective,
        wanted=each.value,
        would_be=would_be,
        set_by=_set_by(each, change, default, probe),
        why=touched.why if touched else "",
        overridden=_overridden(each, probe),
        activation=_activation(each, effective, would_be),
        source=known.source if each.kind == "setting" else "master(5), tried on 3.7.11: a reload is enough",
        already=_words(change.before) == _words(each.value)
        and (change.before is None) == (each.value is None),
    )


_COLUMNS = {
    "private": "Whether only Postfix itself may connect to the service.",
    "unprivileged": "Whether the service runs as Postfix's own user (y, the default) or as root (n).",
    "chroot": "Whether the service runs locked into the queue directory.",
    "wakeup": "After how many seconds the service is woken by itself; with ? only if it is in use.",
    "process_limit": "How many processes of the service may run at once; 0 is without limit.",
    "command": "The program that is run for the service, with its arguments.",
}


def _words(text: str | None) -> list[str]:
    return (text or "").split()


def _effective(each: Assignment, probe: Probe) -> str | None:
    """What Postfix makes of it; None where that cannot be told, or for what is no parameter."""
    if each.kind not in ("setting", "override"):
        return None
    seen = probe.ask(Setting(each.name, each.service))
    return seen.answer.value if seen.answer else None


def _activation(each: Assignment, effective: str | None, would_be: str | None) -> Activation:
    """The least that does it: where Postfix reads what it read before, nothing has to be stopped for it."""
    if each.kind != "setting":
        return "reload"
    activation = settings.load().of(each.name).activation
    same = effective is not None and would_be is not None and _words(effective) == _words(would_be)
    return "reload" if same and activation == "restart" else activation


def _set_by(each: Assignment, change: Change, default: str | None, probe: Probe) -> str:
    folder = config_directory(probe)
    if each.kind != "setting":
        if change.before is not None:
            return f"{folder}/master.cf"
        main = probe.ask(Setting(each.name)).answer
        return f"{folder}/main.cf" if main and main.written is not None else "the default"
    found = [
        a
        for a in maincf.parse(answer(probe, File(f"{folder}/main.cf")).text).assignments
        if a.name == each.name
    ]
    if not found:
        return "the default" if default is not None else "not set"
    lines = ", ".join(str(a.line.number) for a in found)
    if len(found) > 1:
        return f"{folder}/main.cf, lines {lines}: the last one counts"
    return f"{folder}/main.cf, line {lines}"


def _overridden(each: Assignment, probe: Probe) -> tuple[tuple[str, str], ...]:
    if each.kind != "setting":
        return ()
    return tuple(
        (s.id, dict(s.overrides)[each.name]) for s in services(probe) if each.name in dict(s.overrides)
    )
