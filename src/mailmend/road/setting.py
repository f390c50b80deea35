"""What an operator typed -> a plan like any other, and everything worth knowing before saying yes to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailmend.facts import hazards, managed
from mailmend.facts.as_if import ENDLESS, AsIf
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
from mailmend.parse import listing
from mailmend.parse.assignment import Assignment
from mailmend.questions import File, HostAddresses, Listeners, Setting
from mailmend.road import acceptable, tiers
from mailmend.road.about import Subject, about
from mailmend.road.edits import compose, config_directory, difference, digest

REMEDY = "set"
# For how many seconds ports are closed: tried on 3.7.11 with a small queue; 2 s with 20,000 messages in it.
GAP: dict[Activation, float] = {"none": 0.0, "map": 0.0, "reload": 0.0, "restart": 0.5}


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
    _require_end(assignments, would)
    subjects = tuple(about(a, c, files, probe) for a, c in zip(assignments, changes, strict=True))
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


def _require_end(assignments: tuple[Assignment, ...], would: Probe) -> None:
    """Postfix gives up at a setting that mentions itself, and no daemon starts."""
    for each in assignments:
        named = each.kind in ("setting", "override")
        if named and would.ask(Setting(each.name, each.service)).error == ENDLESS:
            raise Refused(f"{each.target} would be made of itself", "write out what is meant")


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
    if each.target in ("queue_directory", "config_directory"):
        # Tried on 3.7.11: `postfix stop` looks for the pid file in the new place, and the old master runs on.
        yield Objection(
            f"{each.target} is where the running Postfix is found: with another it cannot be stopped any more",
            f"postfix stop, then postconf -e '{each.target}={each.wanted or ''}', then postfix start",
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
    if held is None:
        return
    own = {canonical(address.ip) for address in held}
    source = each.target.rpartition("/")[2]
    address = (each.would_be or "").strip("[]")
    if (
        source in ("smtp_bind_address", "smtp_bind_address6")
        and family_of(address)
        and canonical(address) not in own
    ):
        yield Objection(
            f"{address} is no address of this host: the smtp client warns, and sends from another",
            blocking=False,
        )
    if each.target != "inet_interfaces":
        return
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
