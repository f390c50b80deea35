"""Every parameter of this host's Postfix: what it is, who sets it, and what setting it would mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from mailmend import settings
from mailmend.facts.looking import answer
from mailmend.facts.settings import value
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, ParseError
from mailmend.parse import maincf
from mailmend.questions import Defaults, File, Manual, Service, Services, Setting
from mailmend.settings import Known


@dataclass(frozen=True, slots=True)
class Parameter:
    """*value* as Postfix uses it, `$name` expanded; None: this Postfix has no such parameter.

    *written* is main.cf's own text, at *line*; None where the *default* (as `postconf -d` has it) applies.
    *overrides*: the services of master.cf whose `-o` wins, with its text.
    """

    known: Known
    value: str | None
    written: str | None
    default: str | None
    line: int | None = None
    overrides: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return self.known.name

    @property
    def differs(self) -> bool:
        """Whether anything sets it to what is not its default."""
        return bool(self.overrides) or (self.written is not None and self.written != self.default)


@dataclass(frozen=True, slots=True)
class Parameters:
    """All of them by name, and master.cf's *services*. *path* is main.cf."""

    path: str
    every: Mapping[str, Parameter]
    services: tuple[Service, ...]

    def one(self, name: str) -> Parameter:
        """ParseError: there is no such parameter; the nearest is named."""
        if name in self.every:
            return self.every[name]
        near = get_close_matches(name, self.every, n=1, cutoff=0.6)
        raise ParseError(f"this Postfix has no parameter {name}", f"did you mean {near[0]}?" if near else "")

    def find(
        self, words: str, *, only: str = "", among: Container[str] | None = None
    ) -> tuple[Parameter, ...]:
        """Those with all *words* in name, meaning or value, whose name has them first.

        *only*: `set` or `differs`. *among*: no others than these names.
        """
        wanted = words.casefold().split()
        found: list[tuple[int, str]] = []
        for name, one in self.every.items():
            if (only == "set" and one.written is None and not one.overrides) or (
                only == "differs" and not one.differs
            ):
                continue
            if among is not None and name not in among:
                continue
            place = _place(one, wanted)
            if place is not None:
                found.append((place, name))
        return tuple(self.every[name] for _, name in sorted(found))

    def find_services(
        self, words: str, *, only: str = "", among: Container[str] | None = None
    ) -> tuple[Service, ...]:
        """Those with all *words* in name, type, command or `-o`. *only* `differs`: that have an `-o`. *among*: ids."""
        wanted = words.casefold().split()
        found = []
        for service in self.services:
            own = " ".join(f"{name}={text}" for name, text in service.overrides)
            text = f"{service.id} {service.command} {own}".casefold()
            if all(word in text for word in wanted) and (service.overrides or only != "differs"):
                found.append(service)
        return tuple(each for each in found if among is None or each.id in among)

    def service(self, id_: str) -> Service:
        """The one that runs as `name/type`: of two the last. ParseError: there is none; the nearest is named."""
        found = next((each for each in reversed(self.services) if each.id == id_), None)
        if found:
            return found
        near = get_close_matches(id_, [each.id for each in self.services], n=1, cutoff=0.6)
        raise ParseError(f"master.cf has no service {id_}", f"did you mean {near[0]}?" if near else "")


def _place(one: Parameter, wanted: list[str]) -> int | None:
    """How near *one* is to what was typed, 0 nearest; None: it is not that."""
    if not wanted:
        return 0
    name = one.name.casefold()
    if all(word in name for word in wanted):
        return 0 if name.startswith(wanted[0]) else 1
    text = f"{name} {one.known.meaning} {one.value or ''} {one.written or ''}".casefold()
    return 2 if all(word in text for word in wanted) else None


def parameters(here: Here) -> Parameters:
    """What this Postfix has. Raises CannotLook where it cannot be asked."""
    probe = here.probe
    defaults = dict(answer(probe, Defaults()))
    path = f"{value(probe, 'config_directory')}/main.cf"
    lines, written = _lines(here, path)
    services = answer(probe, Services())
    overrides: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for service in services:
        for name, text in service.overrides:
            overrides[name].append((service.id, text))
    loaded = settings.load()
    every = {}
    for name in sorted({*defaults, *written, *overrides}):
        seen = probe.ask(Setting(name))
        every[name] = Parameter(
            loaded.of(name),
            seen.answer.value if seen.answer else None,
            # postconf -n leaves out what this Postfix does not know.
            written.get(name) if seen.answer is None or seen.answer.written is None else seen.answer.written,
            defaults.get(name),
            lines.get(name),
            tuple(overrides.get(name, ())),
        )
    return Parameters(path, every, services)


def _lines(here: Here, path: str) -> tuple[dict[str, int], dict[str, str]]:
    """Where in main.cf each parameter is set (the last time, which counts), and its text; nothing where unread."""
    state = here.probe.ask(File(path)).answer
    if state is None or not state.text:
        return {}, {}
    numbers, texts = {}, {}
    for assignment in maincf.parse(state.text).assignments:
        numbers[assignment.name] = assignment.line.number
        texts[assignment.name] = assignment.value
    return numbers, texts


def manual(here: Here, name: str) -> str | None:
    """What the installed postconf(5) says of *name*; None where there is no manual here."""
    try:
        return answer(here.probe, Manual(name))
    except CannotLook:
        return None
