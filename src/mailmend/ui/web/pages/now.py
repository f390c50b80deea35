"""Now: what is saved, loaded, running and delivering, what is wrong with that, and the cure."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import RedirectResponse, Response

from mailmend.ui.show import Shape
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing

STATUS_LASTS, CHECK_LASTS = 10.0, 120.0  # seconds that a look is good for who only opens the page
_MEANWHILE = 60.0  # and is shown while it is looked at anew: where the log is long that takes a while
_BY_ACTIVATION = frozenset({"saved-not-loaded", "loaded-not-restarted"})
_NO_CURE = "saved-not-loaded", "loaded-not-restarted", "postfix-not-running"


class Look(msgspec.Struct):
    """*whole*: the page is wanted with everything in it, for a browser without scripts; *fresh*: looked at now."""

    whole: bool = False
    fresh: bool = False


async def show(asked: Asked[Look]) -> Response:
    """The frame, with what was seen lately; the rest comes as parts."""
    values: dict[str, Any] = {"standing": None, "check": None}
    if asked.given.whole:
        values = {**await _status(asked, STATUS_LASTS), **await _check(asked, CHECK_LASTS)}
    else:
        asked.console.looks.hear(asked.console.saved())
        if seen := asked.console.looks.within("status", STATUS_LASTS):
            values["standing"] = seen
        if seen := asked.console.looks.within("check", CHECK_LASTS):
            values |= {"check": seen, "cards": cards(seen.document)}
    return asked.page("now.html", **values)


async def standing(asked: Asked[Look]) -> Response:
    """Saved, loaded, running, delivering."""
    fresh = asked.given.fresh
    return asked.page(
        "_now_standing.html",
        **await _status(asked, 1.0 if fresh else STATUS_LASTS, 0.0 if fresh else _MEANWHILE),
    )


async def findings(asked: Asked[Look]) -> Response:
    """What every check says; it may take a while, and says so meanwhile."""
    return asked.page("_now_findings.html", **await _check(asked, 1.0 if asked.given.fresh else CHECK_LASTS))


async def again(asked: Asked[Nothing]) -> Response:
    """Whatever was seen is forgotten, and looked at anew."""
    asked.console.looks.forget()
    return RedirectResponse("/", 303)


async def _status(asked: Asked[Any], within: float, meanwhile: float = 0.0) -> dict[str, Any]:
    return {"standing": await asked.console.seen(asked.person, "status", within=within, meanwhile=meanwhile)}


async def _check(asked: Asked[Any], within: float) -> dict[str, Any]:
    seen = await asked.console.seen(asked.person, "check", within=within)
    return {"check": seen, "cards": await asked.console.run(cards, seen.document)}


def cards(check: Shape | None) -> dict[str, Any]:
    """The findings of check/1 as a person goes through them: causes with what to do, what is unknown, what is fine.

    `problems`: one entry a cause, real refusals before what may cause them, as the screen of check has it.
    """
    from mailmend.ui.commands.knowing import applied, cause_pages

    if check is None:
        return {"problems": [], "unknown": [], "fine": []}
    found = sorted(check["findings"], key=lambda f: (f["check"] != "receiver-log", f["check"] or ""))
    pages, grouped = cause_pages(), dict[str, list[Shape]]()
    for finding in found:
        if finding["standing"] in ("measured", "reported"):
            grouped.setdefault(finding["cause"], []).append(finding)
    problems = []
    for cause, group in grouped.items():
        page = pages.get(cause)
        cured = page is not None and bool(applied().intersection(page.remedies)) and cause not in _NO_CURE
        problems.append(
            {
                "cause": cause,
                "title": page.title if page else cause,
                "steps": list(page.steps) if page else [],
                "who": list(page.who) if page else [],
                "findings": group,
                "act": "activate" if cause in _BY_ACTIVATION else "fix" if cured else None,
                "receiver": next((f["receiver"] for f in group if f["receiver"]), None),
            }
        )
    return {
        "problems": problems,
        "unknown": [f for f in found if f["standing"] == "unknown"],
        "fine": [f for f in found if f["standing"] == "cleared"],
    }


ENDPOINTS = (
    Endpoint("/", show, "What is, and what is wrong with it.", takes=Look),
    Endpoint("/now/standing", standing, "Saved, loaded, running, delivering.", takes=Look, watching=True),
    Endpoint("/now/findings", findings, "What every check found.", takes=Look, watching=True),
    Endpoint("/now/again", again, "Look at everything again.", "POST"),
)
