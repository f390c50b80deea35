"""Settings: every parameter of this Postfix, found as one types; what setting it means, and the way to do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from starlette.responses import Response

from mailmend.jobs import parameters as job
from mailmend.ui.web.endpoint import Asked, Endpoint

if TYPE_CHECKING:
    from mailmend.jobs.parameters import Parameter, Parameters
    from mailmend.ui.web.console import Console
    from mailmend.ui.web.works import Work

LASTS = 3.0  # seconds: whoever saves a file and comes back sees it
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


class Search(msgspec.Struct):
    """*q*: words of a name, a meaning or a value. *only*: those set here, or set to another value than the default."""

    q: str = ""
    only: Literal["", "set", "differs"] = ""
    start: int = 0


class Name(msgspec.Struct):
    """A parameter of main.cf."""

    name: str


async def show(asked: Asked[Search]) -> Response:
    """The page; the rows alone where they are asked for as somebody types."""
    found = await _parameters(asked)
    given = asked.given
    rows = found.find(given.q[:200], only=given.only)
    start = max(0, min(given.start, len(rows)))
    template = "_settings_rows.html" if asked.part else "settings.html"
    return asked.page(
        template,
        found=found,
        rows=rows[start : start + _AT_ONCE],
        count=len(rows),
        next=start + _AT_ONCE if start + _AT_ONCE < len(rows) else None,
        start=start,
        q=given.q[:200],
        only=given.only,
        TIERS=TIERS,
        LIVE=LIVE,
    )


async def one(asked: Asked[Name]) -> Response:
    """All that is known of one parameter, and the form that proposes a change of it."""
    found = await _parameters(asked)
    parameter = found.one(asked.given.name)
    says = await asked.console.run(lambda: job.manual(asked.console.here(), parameter.name))
    return asked.page(
        "setting.html",
        found=found,
        one=parameter,
        manual=says,
        editable=asked.console.helper is not None and parameter.known.tier not in ONLY_IN_A_TERMINAL,
        command=_command(parameter),
        TIERS=TIERS,
    )


def _command(parameter: Parameter) -> str:
    import shlex

    return shlex.join(["mailmend", "set", f"{parameter.name}={parameter.written or parameter.default or ''}"])


async def _parameters(asked: Asked[Search] | Asked[Name]) -> Parameters:
    """Raises what keeps Postfix from being asked."""
    from mailmend.ui.web.works import patience, works

    work: Work[Parameters] = works(asked).ask(
        "settings", "settings", lambda _: _look(asked.console), lasts=LASTS, anew=False
    )
    while work.ended is None:
        await patience(work, 1.0)
    return work.result


def _look(console: Console) -> Parameters:
    return job.parameters(console.here())


ENDPOINTS = (
    Endpoint("/settings", show, "Parameters of this Postfix, searched.", takes=Search),
    Endpoint("/settings/{name}", one, "One parameter.", takes=Name),
)
