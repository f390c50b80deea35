"""Settings: every parameter of this Postfix, found as one types; what setting it means, and the way to do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
from starlette.responses import Response

from mailmend.jobs import parameters as job
from mailmend.road.service_edit import tier_of
from mailmend.ui.web.console import MEANWHILE
from mailmend.ui.web.endpoint import Asked, Endpoint

if TYPE_CHECKING:
    from mailmend.jobs.parameters import Parameter, Parameters
    from mailmend.ui.web.console import Console
    from mailmend.ui.web.works import Work

LASTS = 3.0  # seconds, as long as nobody saves a file
_AT_ONCE = 50
TIERS = {
    "P": ("plain", "good", "Changed here, with the difference shown before anything is saved."),
    "M": (
        "mail",
        "warn",
        "It can open the relay, or let mail be read or diverted: root is shown a code for it.",
    ),
    "C": ("code", "warn", "It runs programs or writes files: root is shown a code for it."),
    "R": (
        "root",
        "bad",
        "Whoever sets it can do anything as root. It is set in a terminal, by its own name.",
    ),
    "unlisted": ("not judged", "warn", "Nobody has judged it yet. It is set in a terminal."),
}
LIVE = {"none": "nothing to do", "map": "by itself", "reload": "reload", "restart": "restart"}
ONLY_IN_A_TERMINAL = ("R", "unlisted")
# master(5), each with what `-` stands for.
_COLUMNS = {
    "private": "Whether only Postfix's own processes reach it; what strangers connect to is not. `-` is y.",
    "unprivileged": "Whether it runs as the owner of the mail system; n is as root. `-` is y.",
    "chroot": "Whether it sees the mail queue's folder as /. `-` is n from Postfix 3.0 on, before that y.",
    "wakeup": "Every how many seconds it is called; `?` after it: only where it is in use. `-` is never.",
    "process_limit": "How many of it run at once; 0 is without limit. `-` is `default_process_limit`.",
    "command": "The program, in `daemon_directory`, and its arguments.",
}


class Search(msgspec.Struct):
    """*q*: words of a name, a meaning or a value.

    *only*: those set here, set to another value than the default, or saved and not live.
    """

    q: str = ""
    only: Literal["", "set", "differs", "not-live"] = ""
    start: int = 0


class Named(msgspec.Struct):
    """A service of master.cf, as name/type."""

    name: str


class Name(msgspec.Struct):
    """A parameter of main.cf."""

    name: str


async def show(asked: Asked[Search]) -> Response:
    """The page; the rows alone where they are asked for as somebody types."""
    found = await _parameters(asked)
    given = asked.given
    behind = await _behind(asked) if given.only == "not-live" else None
    among = behind.names if behind else None
    rows = found.find(given.q[:200], only=given.only, among=among)
    services = found.find_services(given.q[:200], only=given.only, among=behind.services if behind else None)
    start = max(0, min(given.start, len(rows)))
    template = "_settings_rows.html" if asked.part else "settings.html"
    return asked.page(
        template,
        found=found,
        rows=rows[start : start + _AT_ONCE],
        count=len(rows),
        next=start + _AT_ONCE if start + _AT_ONCE < len(rows) else None,
        start=start,
        services=services,
        behind=behind,
        tier_of=tier_of,
        q=given.q[:200],
        only=given.only,
        TIERS=TIERS,
        LIVE=LIVE,
    )


@dataclass(frozen=True, slots=True)
class Behind:
    """What is saved and not live: *names* of main.cf, *services* of master.cf. *unsure*: why others may be, too."""

    names: frozenset[str]
    services: frozenset[str]
    unsure: tuple[str, ...]


async def _behind(asked: Asked[Search]) -> Behind:
    seen = await asked.console.seen(asked.person, "unloaded", within=LASTS, meanwhile=MEANWHILE)
    if seen.document is None:
        failure = seen.failure
        return Behind(frozenset(), frozenset(), (failure.reason if failure else "it was not looked at",))
    targets = {name for each in seen.document["files"] for name in each["names"]}
    targets |= {each["subject"] for each in seen.document["restart"]}
    unsure = tuple(
        each["summary"]
        if each["live"] is None
        else f"{each['path']} is saved and not live; which of it is not known"
        for each in seen.document["files"]
        if each["live"] is None or (not each["live"] and each["diff"] is None)
    )
    services = frozenset("/".join(name.split("/")[:2]) for name in targets if "/" in name)
    return Behind(frozenset(name for name in targets if "/" not in name), services, unsure)


async def service(asked: Asked[Named]) -> Response:
    """One service of master.cf: each column and `-o` with its tier, and the way to change it."""
    from mailmend.facts.written import column
    from mailmend.parse.assignment import COLUMNS
    from mailmend.settings import Known, load
    from mailmend.ui.web.pages.files import from_a_page

    one = (await _parameters(asked)).service(asked.given.name)
    told = [(name, column(one, name), False) for name in COLUMNS]
    told += [(name, text, True) for name, text in dict(one.overrides).items()]
    rows = []
    for name, value, own in told:
        meaning = load().of(name).meaning if own else _COLUMNS[name]
        known = Known(f"{one.id}/{name}", tier_of(name), "reload", None, "master(5)", meaning)
        editable = asked.console.helper is not None and from_a_page(known, value or "-")
        rows.append((name, value, own, known, editable))
    return asked.page("service.html", one=one, rows=rows, TIERS=TIERS)


async def one(asked: Asked[Name]) -> Response:
    """All that is known of one parameter, and the form that proposes a change of it."""
    found = await _parameters(asked)
    parameter = found.one(asked.given.name)
    says = await asked.console.run(_manual, asked.console, parameter.name)
    return asked.page(
        "setting.html",
        found=found,
        one=parameter,
        manual=says,
        editable=asked.console.helper is not None and parameter.known.tier not in ONLY_IN_A_TERMINAL,
        command=_command(parameter),
        TIERS=TIERS,
    )


def _manual(console: Console, name: str) -> str | None:
    return console.installed.text(f"manual of {name}", lambda: job.manual(console.here(), name))


def _command(parameter: Parameter) -> str:
    import shlex

    return shlex.join(["mailmend", "set", f"{parameter.name}={parameter.written or parameter.default or ''}"])


async def _parameters(asked: Asked[Search] | Asked[Name] | Asked[Named]) -> Parameters:
    """Raises what keeps Postfix from being asked."""
    from mailmend.ui.web.works import patience, works

    work: Work[Parameters] = works(asked).ask(
        "settings", "settings", lambda _: _look(asked.console), lasts=LASTS, of=asked.console.saved()
    )
    while work.ended is None:
        await patience(work, 1.0)
    return work.result


def _look(console: Console) -> Parameters:
    return job.parameters(console.here())


ENDPOINTS = (
    Endpoint("/settings", show, "Parameters of this Postfix, searched.", takes=Search),
    Endpoint("/service", service, "One service of master.cf.", takes=Named),
    Endpoint("/settings/{name}", one, "One parameter.", takes=Name),
)
