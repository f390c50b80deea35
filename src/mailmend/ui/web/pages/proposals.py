"""The life of a change on the pages: proposed, shown, approved by its digest, under way, ended, confirmed."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from starlette.responses import RedirectResponse, Response

from mailmend.model import ParseError, Refused
from mailmend.ui.helper import verbs
from mailmend.ui.helper.client import Helper
from mailmend.ui.show import Shape
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing
from mailmend.ui.web.proposing import begin, propose

What = Literal["fix", "set", "undo", "hold-on", "hold-off", "activate"]


class Wish(msgspec.Struct):
    """What somebody wants changed. *name* and *value* go together, in their order; *remove*: names taken out."""

    what: What
    remedy: str = ""
    receiver: str = ""
    change: str = ""
    name: list[str] = []
    value: list[str] = []
    remove: list[str] = []


class Digest(msgspec.Struct):
    """A proposal, as it was shown."""

    digest: str


class Approval(msgspec.Struct):
    """*code* is what root was shown for it, where that is asked for."""

    digest: str
    code: str = ""


class Change(msgspec.Struct):
    """An entry of the history."""

    change: str


async def wish(asked: Asked[Wish]) -> Response:
    """What it would change, worked out by the helper; then the page that shows it."""
    return await propose(asked, _proposal(asked.given))


async def show(asked: Asked[Digest]) -> Response:
    """What would change, what it costs, what will be proven."""
    shown = asked.console.shown.find(asked.person.grant, asked.given.digest)
    return asked.page("proposal.html", shown=shown)


async def apply(asked: Asked[Approval]) -> Response:
    """What was shown is begun; how it goes on stands on the next page."""
    console, grant, digest = asked.console, asked.person.grant, asked.given.digest
    helper = _helper(asked)
    shown = console.shown.find(grant, digest)
    try:
        if asked.given.code:
            await console.run(helper.step_up, grant, digest, asked.given.code[:40])
        await console.run(begin, helper, grant, digest)
    except Refused as refused:
        return asked.page("proposal.html", 409, shown=shown, refused=refused)
    console.looks.forget()
    return RedirectResponse("/under-way", 303)


async def under_way(asked: Asked[Nothing]) -> Response:
    """What is under way, or how the last one ended: for who lost the connection, too."""
    acts = await asked.console.run(_helper(asked).status, asked.person.grant)
    act = latest(acts)
    if asked.part:
        return asked.page("_act.html", act=act)
    return asked.page("under_way.html", act=act, last=[each for each in acts["last"] if each is not act])


async def confirm(asked: Asked[Change]) -> Response:
    """The change on trial stays."""
    helper = _helper(asked)
    await asked.console.run(helper.confirm, asked.person.grant, asked.given.change)
    asked.console.looks.forget()
    return RedirectResponse(f"/changes/{asked.given.change}", 303)


def latest(acts: Shape) -> dict[str, Any] | None:
    """What is under way, else the last that was."""
    act: dict[str, Any] | None = acts["under_way"] or next(iter(acts["last"]), None)
    return act


def _helper(asked: Asked[Any]) -> Helper:
    helper = asked.console.asks
    if helper is None:
        raise Refused("this console only reads", "as root, in a terminal: mailmend fix")
    return helper


def _proposal(given: Wish) -> verbs.AnyProposal:
    """*given* in the helper's words. ParseError: a value without its name, or nothing to be set."""
    match given.what:
        case "fix":
            return verbs.Fix(given.remedy or None, given.receiver or None)
        case "set":
            if len(given.name) != len(given.value) or not (given.name or given.remove):
                raise ParseError("a setting has a name and a value", "type both")
            assigned = zip(given.name, given.value, strict=True)
            return verbs.Set(
                (
                    *(verbs.Assign(name, value) for name, value in assigned),
                    *(verbs.Assign(name, None) for name in given.remove),
                )
            )
        case "undo":
            return verbs.Undo(given.change)
        case "hold-on":
            return verbs.HoldOn()
        case "hold-off":
            return verbs.HoldOff()
        case "activate":
            return verbs.Activate()


ENDPOINTS = (
    Endpoint("/propose", wish, "What a change would do; nothing is changed.", "POST", Wish),
    Endpoint("/proposal/{digest}", show, "A proposal, as it was worked out.", takes=Digest),
    Endpoint("/apply", apply, "Do what was shown, by its digest.", "POST", Approval),
    Endpoint("/under-way", under_way, "What is under way, or how the last change ended.", watching=True),
    Endpoint("/confirm", confirm, "The change on trial stays.", "POST", Change),
)
