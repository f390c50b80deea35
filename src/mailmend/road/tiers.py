"""The files before and after -> every setting that differs, how dangerous it is, and who may change it.

Concluded from the bytes alone, so that nothing gets past it by what a plan says of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from mailmend import settings
from mailmend.model import FileEdit, Refused
from mailmend.parse import maincf, mastercf, milter_conf, postsrsd
from mailmend.questions import Service
from mailmend.settings import CONCERNS, TIERS, Concern, Tier

# `$name`, `${name}`, `$(name)`, `${name?text}`, and names within a condition.
_MENTIONED = re.compile(r"\$[({]?[({]*\$?([A-Za-z0-9_]+)")
# A type that is made of a variable may come to be any.
_TABLE = re.compile(r"([a-z][a-z0-9]*|\$\w+|\$\{\w+\}|\$\(\w+\)):([^\s,{}]+)")
_PIPE = re.compile(r'(?:^|[\s:,"])\|')
# What Postfix's own scripts and libraries are found by, in the configuration directory or beside it.
_PROGRAMS = re.compile(
    r"dynamicmaps\.cf|postfix-(?:script|wrapper|files)|post-install|postmulti-script|makedefs\.out"
)
# They run a command of their arguments, as a user who may not be root (pipe(8), spawn(8)).
_RUN_COMMANDS = ("pipe", "spawn")
_CLASSES = "smtpd_restriction_classes"
# Debian and Ubuntu read myorigin from the file that its value names, and it goes into mail: what it may be made of.
_NAMES = ("myorigin", "myhostname", "mydomain")
_NAMED = "/etc/mailname"


@dataclass(frozen=True, slots=True)
class Touched:
    """One thing that differs. None stands for "not there"; several assignments of a name are all in the text.

    *target* is named as `mailmend set` names it: a parameter, `service/type/parameter`, `service/type/column`,
    `service/type`, or a table's path. *why* says what makes it of its tier, in words.
    """

    target: str
    tier: Tier
    before: str | None
    after: str | None
    why: str
    concerns: Concern | None = None

    @property
    def step_up(self) -> bool:
        """Whether more than being logged in is asked for before it is approved anywhere but on a terminal."""
        return self.tier != "P"


def touched(files: tuple[FileEdit, ...]) -> tuple[Touched, ...]:
    """Everything that *files* change, the most dangerous first; `()` where nothing but comments differ."""
    found: list[Touched] = []
    for edit in files:
        name = PurePosixPath(edit.path).name
        if name == "main.cf":
            found += _main(edit, files)
        elif name == "master.cf":
            found += _master(edit)
        elif edit.before != edit.after:
            found.append(_table(edit, files))
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda t: (TIERS.index(t.tier), t.target)))


def needs_confirmation(files: tuple[FileEdit, ...]) -> str | None:
    """The groups that *files* change of those by which an operator may lock himself out, in words; else None."""
    concerned = {each.concerns for each in touched(files)}
    return " and ".join(c for c in CONCERNS if c in concerned) or None


def require(files: tuple[FileEdit, ...], typed: frozenset[str]) -> None:
    """Raise Refused where *files* change what is equal to root and is not among *typed*.

    *typed* are the targets that the operator typed out, as `Touched.target` names them; a whole entry of
    master.cf that was typed out covers its columns, not its `-o`.
    """
    for each in touched(files):
        if each.tier == "R" and each.target not in typed and not _covered(each.target, typed):
            raise Refused(
                f"{each.target} is equal to root ({each.why}), and is changed only where its name is typed out",
                f"mailmend set {each.target}=VALUE, on the command line, says that it is meant",
            )


def _covered(target: str, typed: frozenset[str]) -> bool:
    service, _, column = target.rpartition("/")
    return column in ("command", "unprivileged", "chroot") and service in typed


# ---- main.cf -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Where paths are read: the configuration directory, and the main.cf that may name others."""

    folder: str
    main: maincf.MainCf | None = None


def _main(edit: FileEdit, files: tuple[FileEdit, ...]) -> Iterator[Touched]:
    old, new = maincf.parse(edit.before or ""), maincf.parse(edit.after or "")
    place = _Place(str(PurePosixPath(edit.path).parent), new)
    if _broken(edit.before, old.broken) != _broken(edit.after, new.broken):
        yield Touched("main.cf", "R", edit.before, edit.after, "a line of main.cf that is no setting differs")
    changed = [n for n in dict.fromkeys((*old.names(), *new.names())) if _values(old, n) != _values(new, n)]
    for name in changed:
        yield _setting(name, name, _values(old, name), _values(new, name), place)
        for other in _reached(name, old, new):
            yield from _made_of(name, other, other, new.get(other) or "", place)
    master = next((f for f in files if PurePosixPath(f.path).name == "master.cf"), None)
    for entry in mastercf.parse(master.after or "").services() if master else ():
        for other, value in entry.overrides:
            for name in set(_MENTIONED.findall(value)) & set(changed):
                yield from _made_of(name, f"{entry.id}/{other}", other, value, place)


def _made_of(name: str, target: str, other: str, value: str, place: _Place) -> Iterator[Touched]:
    """*name* goes into *other*, which is written as before and yet becomes another.

    What is plain stays plain in the names and lists that are made of it, as myhostname does in mydestination.
    """
    made = replace(_setting(target, other, None, value, place), before=value, why=f"it is made of {name}")
    if made.tier == "R" or settings.load().of(name).tier != "P":
        yield made


def _values(parsed: maincf.MainCf, name: str) -> str | None:
    """Every assignment of *name*, in order: what one reader takes for the last, another may not."""
    values = [a.value for a in parsed.assignments if a.name == name]
    return "\n".join(values) if values else None


def _reached(name: str, old: maincf.MainCf, new: maincf.MainCf) -> tuple[str, ...]:
    """The settings of main.cf into whose value that of *name* goes, through however many others."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        now = waiting.pop()
        for parsed in (old, new):
            for a in parsed.assignments:
                if a.name != name and a.name not in found and now in _MENTIONED.findall(a.value):
                    found[a.name] = None
                    waiting.append(a.name)
            if now in re.split(r"[\s,]+", parsed.get(_CLASSES) or "") and now != _CLASSES:
                found[_CLASSES] = None
    return tuple(found)


def _broken(text: str | None, numbers: tuple[int, ...]) -> list[str]:
    lines = (text or "").split("\n")
    return [lines[number - 1] for number in numbers]


def _setting(target: str, name: str, before: str | None, after: str | None, place: _Place) -> Touched:
    """The change of a parameter, in main.cf or by `-o`: its own tier, or that of what its value brings in."""
    known = settings.load().of(name)
    # `-o` of a service changes no socket: these are opened by master, which reads main.cf.
    concerns = None if known.concerns == "listeners" and target != name else known.concerns
    tier, why = known.tier, _WHY[known.tier]
    for new_tier, reason in _brought_in(name, before or "", after or "", place):
        if TIERS.index(new_tier) < TIERS.index(tier):
            tier, why = new_tier, reason
    return Touched(target, tier, before, after, why, concerns)


_WHY: dict[Tier, str] = {
    "R": "whoever sets it can run anything as root",
    "C": "it can run code as another user",
    "M": "it can open the relay, or let mail be read or diverted",
    "unlisted": "what it can do was never judged",
    "P": "a plain setting",
}


def _brought_in(name: str, before: str, after: str, place: _Place) -> Iterator[tuple[Tier, str]]:
    """What *after* names and *before* does not: tables in places that others may write, or asked over the network."""
    known = settings.load()
    old = {(kind, where) for kind, where in _TABLE.findall(before)}
    for kind, where in _TABLE.findall(after):
        if (kind, where) in old:
            continue
        inner, _, path = where.partition(":") if kind == "proxy" else (kind, "", where)
        made = inner.startswith("$") and path.startswith(("/", "$"))
        if (inner in known.file_tables or made) and not _trusted(path, place):
            yield "R", f"{inner}:{path} lies outside the folders that only root writes"
        if inner in known.network_tables:
            yield "M", f"{inner}: tables are asked elsewhere"
    for value in after.split("\n") if name in _NAMES else ():
        if value.strip().startswith("/") and value.strip() != _NAMED:
            yield "R", f"the first line of {value.strip()} would stand in mail"
    if known.reads_files(name):
        for word in set(re.split(r"[\s,]+", after)) - set(re.split(r"[\s,]+", before)):
            path = word.removeprefix("!")
            if path.startswith("/") and not _trusted(path, place):
                yield "R", f"{word} lies outside the folders that only root writes"


def _trusted(path: str, place: _Place) -> bool:
    """Whether *path* lies in a folder that root alone writes, or Postfix for itself; relative ones do not."""
    spelled = re.sub(r"\$[({](\w+)[)}]", r"$\1", path)
    plain = tuple(f for f in settings.load().trusted_folders if not f.startswith("$"))
    for folder in (place.folder, *settings.load().trusted_folders):
        written = place.main.get(folder[1:]) if place.main and folder.startswith("$") else None
        if written is not None and not written.startswith(plain) and written != place.folder:
            # Moved elsewhere by main.cf, `$data_directory` is no folder that anybody vouched for.
            continue
        if spelled.startswith(f"{folder}/"):
            rest = spelled.removeprefix(f"{folder}/")
            return ".." not in rest.split("/") and "$" not in rest
    return False


# ---- master.cf -----------------------------------------------------------------------------


def _master(edit: FileEdit) -> Iterator[Touched]:
    old, new = mastercf.parse(edit.before or ""), mastercf.parse(edit.after or "")
    place = _Place(str(PurePosixPath(edit.path).parent))
    if _broken(edit.before, old.broken) != _broken(edit.after, new.broken):
        yield Touched(
            "master.cf", "R", edit.before, edit.after, "a line of master.cf that is no entry differs"
        )
    for id_ in dict.fromkeys(s.id for s in (*old.services(), *new.services())):
        before = [s for s in old.services() if s.id == id_]
        after = [s for s in new.services() if s.id == id_]
        if before == after:
            continue
        if not before or not after:
            yield from _came_or_went(id_, (before, after), old.services(), place)
        elif len(before) == len(after):
            for one, other in zip(before, after, strict=True):
                yield from _entry(one, other, place)
        else:
            # The last of several is the one that runs; which one another reader takes is not for us to say.
            yield from _entry(before[-1], after[-1], place)
            yield Touched(
                id_, "R", _lines(before), _lines(after), "it stands in master.cf more or less often"
            )


def _came_or_went(
    id_: str, both: tuple[list[Service], list[Service]], known: tuple[Service, ...], place: _Place
) -> Iterator[Touched]:
    before, after = both
    concerns: Concern | None = "listeners" if id_.endswith("/inet") else None
    yield Touched(
        id_,
        "M",
        _lines(before),
        _lines(after),
        "a service that takes or carries mail comes or goes",
        concerns,
    )
    for service in after:
        like = [
            s
            for s in known
            if (s.unprivileged, s.chroot, _program(s))
            == (service.unprivileged, service.chroot, _program(service))
        ]
        if not like and not (_program(service) in _RUN_COMMANDS and service.unprivileged == "n"):
            why = "no service of master.cf runs this program, as this user, with or without this chroot"
            yield Touched(f"{id_}/command", "R", None, service.command, why)
        else:
            closest = next((s for s in like if s.command == service.command), None)
            command = closest.command if closest else _program(service)
            yield from _entry(replace(service, command=command, overrides=()), service, place)


def _entry(before: Service, after: Service, place: _Place) -> Iterator[Touched]:
    id_ = after.id
    if _program(before) != _program(after):
        yield Touched(f"{id_}/command", "R", before.command, after.command, "another program is run")
    elif before.command != after.command:
        yield _arguments(before, after)
    for column, was, is_ in (
        ("unprivileged", before.unprivileged, after.unprivileged),
        ("chroot", before.chroot, after.chroot),
    ):
        if was != is_:
            yield Touched(
                f"{id_}/{column}", "R", was, is_, "the user that it runs as, or the chroot, differs"
            )
    if before.private != after.private:
        yield Touched(f"{id_}/private", "M", before.private, after.private, "who may connect to it differs")
    for column, was, is_ in (
        ("wakeup", before.wakeup, after.wakeup),
        ("process_limit", before.process_limit, after.process_limit),
    ):
        if was != is_:
            yield Touched(f"{id_}/{column}", "P", was, is_, _WHY["P"])
    for name in dict.fromkeys(n for n, _ in (*before.overrides, *after.overrides)):
        was_, is__ = _overridden(before, name), _overridden(after, name)
        if was_ != is__:
            yield _setting(f"{id_}/{name}", name, was_, is__, place)


def _arguments(before: Service, after: Service) -> Touched:
    """Arguments of one and the same program. `-v` only makes it talkative; every other option can do more."""
    flags = [w for w in _flags(after) if w not in _flags(before) and w.strip("v") != "-"]
    target = f"{after.id}/command"
    if flags:
        return Touched(target, "R", before.command, after.command, f"{flags[0]} changes how it is run")
    if _program(after) in _RUN_COMMANDS:
        return Touched(target, "C", before.command, after.command, "it runs a command as another user")
    verbose = [w for w in after.command.split()[1:] if w.strip("v") != "-"]
    plain = [w for w in before.command.split()[1:] if w.strip("v") != "-"] == verbose
    if plain:
        return Touched(target, "P", before.command, after.command, "it says more, or less, in the log")
    return Touched(target, "R", before.command, after.command, "its arguments differ")


def _flags(service: Service) -> tuple[str, ...]:
    """The options of a command: all words with a hyphen, but behind argv= those that are the command's own."""
    head = service.command.partition(" argv=")[0] if _program(service) in _RUN_COMMANDS else service.command
    return tuple(word for word in head.split()[1:] if word.startswith("-"))


def _program(service: Service) -> str:
    return service.command.split(maxsplit=1)[0] if service.command.split() else ""


def _overridden(service: Service, name: str) -> str | None:
    values = [v for n, v in service.overrides if n == name]
    return "\n".join(values) if values else None


def _lines(services: list[Service]) -> str | None:
    return "\n".join(f"{s.id} {s.command}" for s in services) or None


# ---- tables --------------------------------------------------------------------------------


def _table(edit: FileEdit, files: tuple[FileEdit, ...]) -> Touched:
    """A table that is written: where it lies and what its lines can do."""
    path = PurePosixPath(edit.path)
    after = edit.after or ""
    own = {
        PurePosixPath(f.path).parent for f in files if PurePosixPath(f.path).name in ("main.cf", "master.cf")
    }
    own.add(PurePosixPath("/etc/postfix"))
    tier: Tier = "P"
    why = "a table of Postfix"
    if any(_PROGRAMS.fullmatch(p.removesuffix(".d")) for p in path.parts):
        tier, why = "R", "programs and libraries are found by it"
    elif None not in (edit.before, edit.after) and postsrsd.domain_alone(edit.path, edit.before or "", after):
        tier, why = "M", "it says under which domain forwarded mail leaves"
    elif None not in (edit.before, edit.after) and milter_conf.ours_alone(
        edit.path, edit.before or "", after
    ):
        tier, why = "M", "it says with which key mail is signed, or whose mail is judged"
    elif not any(path.is_relative_to(folder) for folder in own) or ".." in path.parts:
        tier, why = "R", "it lies outside Postfix's configuration directory"
    elif after.startswith("#!"):
        tier, why = "R", "it is a program"
    else:
        old = set((edit.before or "").splitlines())
        if any(_PIPE.search(line) for line in after.splitlines() if line not in old):
            tier, why = "C", "it names a command to run"
    return Touched(edit.path, tier, edit.before, edit.after, why)
