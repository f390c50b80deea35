"""What an operator typed -> a plan like any other, and everything worth knowing before saying yes to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailmend import settings
from mailmend.facts import hazards, managed
from mailmend.facts.as_if import AsIf
from mailmend.facts.endpoints import canonical, configured
from mailmend.facts.expect import socket_name
from mailmend.facts.looking import answer
from mailmend.facts.obstacles import obstacles
from mailmend.facts.settings import services
from mailmend.facts.written import as_written, column
from mailmend.model import (
    Activation,
    CannotLook,
    Change,
    Expectation,
    FileEdit,
    Objection,
    Plan,
    Probe,
    Proposal,
    Refused,
    family_of,
)
from mailmend.parse import listing, maincf
from mailmend.parse.assignment import Assignment
from mailmend.questions import Defaults, File, HostAddresses, Listeners, Manual, Setting
from mailmend.road import acceptable, tiers
from mailmend.road.edits import compose, config_directory, difference, digest
from mailmend.settings import Concern, Tier

REMEDY = "set"
# For how many seconds ports are closed: tried on 3.7.11 with a small queue; 2 s with 20,000 messages in it.
GAP: dict[Activation, float] = {"none": 0.0, "map": 0.0, "reload": 0.0, "restart": 0.5}


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


@dataclass(frozen=True, slots=True)
class Asked:
    """*plan* has no `files` where all is so already. *typed* are the targets that were typed out."""

    plan: Plan
    subjects: tuple[Subject, ...]
    typed: frozenset[str]


def asked(assignments: tuple[Assignment, ...], probe: Probe) -> Asked:
    """The plan of what was typed, all of it in one transaction. Reads, and changes nothing.

    Raises Refused for what Postfix does not know or cannot read, for one thing asked for twice, and for what is
    equal to root and was not typed; CannotLook where Postfix cannot be read.
    """
    _require_once(assignments)
    acceptable.require_services(assignments, probe)
    changes = tuple(_changed(a, probe) for a in assignments)
    files = compose(changes, probe)
    texts = _texts(files, probe)
    acceptable.require(assignments, texts.values(), probe)
    typed = frozenset(name for a in assignments for name in _typed(a))
    # What is not edited is looked at as well: a `-o` of master.cf may be made of a name in main.cf.
    untouched = {path: text for path, text in texts.items() if path not in {edit.path for edit in files}}
    tiers.require((*files, *(FileEdit(path, text, text) for path, text in untouched.items())), typed)
    would = AsIf(probe, files)
    subjects = tuple(_subject(a, c, files, probe) for a, c in zip(assignments, changes, strict=True))
    real = tuple(
        Change(c.kind, c.target, c.before, c.after, s.activation)
        for c, s in zip(changes, subjects, strict=True)
        if not s.already
    )
    written = tuple(e for c in real if (e := as_written(c)))
    proposal = Proposal(
        remedy=REMEDY,
        effect="cures",
        changes=real,
        expectations=tuple(dict.fromkeys((*written, *_in_force(subjects), *_sockets(real, probe, would)))),
        objections=tuple(_objections(subjects, real, files, probe)),
    )
    reason = f"set by name: {', '.join(a.target for a in assignments)}"
    plan = Plan(proposal, (), files, difference(files), digest(REMEDY, real, files), reason=reason)
    return Asked(plan, subjects, typed)


def _require_once(assignments: tuple[Assignment, ...]) -> None:
    if not assignments:
        raise Refused("nothing is to be set", "mailmend set NAME=VALUE, or --default NAME")
    seen: set[str] = set()
    for each in assignments:
        if each.target in seen:
            raise Refused(f"{each.target} is asked for twice", "give each setting once")
        seen.add(each.target)


def _typed(assignment: Assignment) -> Iterator[str]:
    """The targets that stand in what was typed; of a whole entry each of its `-o` as well."""
    yield assignment.target
    if assignment.kind == "service" and assignment.value is not None:
        from mailmend.parse import mastercf

        for service in mastercf.parse(assignment.value).services():
            yield from (f"{service.id}/{name}" for name, _ in service.overrides)


def _changed(each: Assignment, probe: Probe) -> Change:
    """The change with what is written now; activation is decided later."""
    if each.kind == "setting":
        return Change("setting", each.name, answer(probe, Setting(each.name)).written, each.value, "reload")
    entry = next((s for s in services(probe) if s.id == each.service), None)
    if each.kind == "service":
        before = None if entry is None else _entry_text(each.target, probe)
        return Change("service", each.target, before, each.value, "reload")
    if each.kind == "field":
        return Change("field", each.target, column(entry, each.name) if entry else None, each.value, "reload")
    before = dict(entry.overrides).get(each.name) if entry else None
    return Change("override", each.target, before, each.value, "reload")


def _entry_text(service: str, probe: Probe) -> str | None:
    from mailmend.parse import mastercf

    text = answer(probe, File(f"{config_directory(probe)}/master.cf")).text
    return mastercf.parse(text).service_text(service)


def _texts(files: tuple[FileEdit, ...], probe: Probe) -> dict[str, str]:
    """main.cf and master.cf as they would be, by their paths."""
    folder = config_directory(probe)
    after = {edit.path: edit.after or "" for edit in files}
    paths = (f"{folder}/main.cf", f"{folder}/master.cf")
    return {p: after[p] if p in after else answer(probe, File(p)).text for p in paths}


# ---- what is known of each ------------------------------------------------------------------


def _subject(each: Assignment, change: Change, files: tuple[FileEdit, ...], probe: Probe) -> Subject:
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


# ---- what must then hold, and what speaks against it ------------------------------------------


def _in_force(subjects: Iterable[Subject]) -> Iterator[Expectation]:
    """The effective value, read back, where it can be said beforehand what it will be."""
    for each in subjects:
        if each.kind in ("setting", "override") and not each.already and each.would_be is not None:
            says = f"{each.target} is in force"
            yield Expectation("saved", "setting-is", each.target, each.would_be, says)


def _sockets(changes: tuple[Change, ...], probe: Probe, would: Probe) -> Iterator[Expectation]:
    """Which sockets open and which go; nothing where that cannot be told, so that all have to stay open."""
    if not changes:
        return
    try:
        now = {socket_name(s.address, s.port) for s in answer(probe, Listeners())}
        before = {socket_name(e.address, e.port) for e in configured(probe)}
        after = {socket_name(e.address, e.port) for e in configured(would)}
    except CannotLook:
        return
    if before == after:
        return
    for name in sorted(now | after):
        if name in after:
            yield Expectation("running", "listener", name, "open", f"{name} is open")
        elif name in before or name not in after:
            yield Expectation("running", "listener", name, "gone", f"{name} is gone")


def _objections(
    subjects: tuple[Subject, ...], changes: tuple[Change, ...], files: tuple[FileEdit, ...], probe: Probe
) -> Iterator[Objection]:
    would = AsIf(probe, files)
    for each in subjects:
        if each.already:
            continue
        for service, text in each.overridden:
            yield Objection(f"{service} has its own -o {each.target}={text}, which stays", blocking=False)
        if each.tier == "R":
            yield Objection(
                f"{each.target} is equal to root: {each.why}",
                blocking=False,
            )
        if each.tier == "unlisted":
            yield Objection(
                f"what {each.target} can do was never judged by mailmend: read its manual first",
                blocking=False,
            )
        if " #" in (each.wanted or ""):
            yield Objection(
                f"# begins no comment behind a value: it becomes part of {each.target}", blocking=False
            )
        yield from _harm(each, would)
    if changes:
        folder = config_directory(probe)
        yield from managed.managed(folder, changes, probe)
        yield from _new_obstacles(probe, would)


def _harm(each: Subject, would: Probe) -> Iterator[Objection]:
    """What is known to end badly, tried on real Postfix."""
    name = each.target.rpartition("/")[2]
    if name == "smtp_address_preference" and each.wanted == "ipv4":
        yield Objection(
            "it loses mail: where IPv4 answers with any 4xx, Postfix goes on to IPv6 and bounces what is refused there",
            "mailmend fix --remedy ipv4-for-receiver leaves IPv6 out for one receiver",
            blocking=False,
        )
    yield from _not_ours(each, would)
    if name == "soft_bounce" and (each.wanted or "").lower() == "yes":
        yield Objection(
            "every refusal is softened, unknown users among them: the queue fills with mail that cannot be delivered",
            blocking=False,
        )
    if (
        name == "inet_protocols"
        and each.would_be is not None
        and "ipv6" not in each.would_be
        and "all" not in each.would_be
    ):
        yield from hazards.ipv6_literals(would)
        yield from hazards.ipv6_service_names(would)
        if each.kind == "setting":
            yield from hazards.inbound_ipv6(would)


def _not_ours(each: Subject, would: Probe) -> Iterator[Objection]:
    """An address that no interface has keeps every daemon from starting, and `postfix stop` from stopping."""
    held = would.ask(HostAddresses()).answer
    if each.target != "inet_interfaces" or held is None:
        return
    own = {canonical(address.ip) for address in held}
    for word in listing.words(each.would_be or ""):
        address = word.strip("[]")
        if family_of(address) and canonical(address) not in own:
            yield Objection(
                f"inet_interfaces names {address}, which is no address of this host: Postfix would not start",
                f"this host has {', '.join(sorted(own))}",
            )


def _new_obstacles(probe: Probe, would: Probe) -> Iterator[Objection]:
    """What would not run once this is saved, and would have run before."""
    try:
        old, new = obstacles(probe), obstacles(would)
    except CannotLook as gap:
        yield Objection(f"whether it would run could not be told: {gap.reason}", blocking=False)
        return
    yield from (Objection(says, "correct it first") for says in new if says not in old)
