"""A queue id, a Message-ID or an address -> what became of the message, from the log; by the helper where need be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.responses import Response

from mailmend.jobs.trace import asked_for
from mailmend.model import CannotLook, MailmendError, Refused
from mailmend.ui.web.endpoint import Asked, Endpoint
from mailmend.ui.web.works import patience, works

if TYPE_CHECKING:
    from mailmend.ui.show import Shape
    from mailmend.ui.web.console import Console
    from mailmend.ui.web.works import Says

_LASTS = 10.0
_PATIENCE = 0.3
_EVENTS = 200  # of one message
_STATES = {
    "removed": ("done, and out of the queue", ""),
    "waiting": ("still in the queue", "warn"),
    "gone": ("out of the queue, its end is not in the log", ""),
    "unknown": ("whether it still waits could not be seen", "warn"),
}


class Sought(msgspec.Struct):
    """*what* names a message; *again*: the log is searched anew."""

    what: Annotated[str, msgspec.Meta(max_length=400)] = ""
    again: bool = False


async def trace(asked: Asked[Sought]) -> Response:
    """The life of a message, or the form that asks for one."""
    return await _answer(asked, "bounces_trace.html")


async def traced(asked: Asked[Sought]) -> Response:
    """The same without its frame: the page asks until it is there."""
    return await _answer(asked, "_bounces_traced.html")


async def _answer(asked: Asked[Sought], template: str) -> Response:
    what = asked.given.what.strip()
    values: dict[str, Any] = {"what": what, "told": None, "work": None, "failure": None}
    values |= {"STATES": _STATES, "EVENTS": _EVENTS}
    if not what:
        return asked.page(template, **values)
    try:
        asked_for(what)
        console, grant = asked.console, asked.person.grant
        work = works(asked).ask(
            f"trace {what}",
            "trace",
            lambda says: _told(console, grant, what, says),
            lasts=_LASTS,
            anew=asked.given.again,
        )
        values["work"] = work
        if await patience(work, _PATIENCE):
            values["told"] = work.result
    except MailmendError as failure:
        values["failure"] = failure
    return asked.page(template, **values)


def _told(console: Console, grant: str, what: str, says: Says) -> Shape:
    """trace/1: searched for here, or by the helper where this process may not read the log."""
    from mailmend.jobs.trace import trace as job
    from mailmend.ui.helper.client import Helper
    from mailmend.ui.show import traces

    def progress(done: int, total: int) -> None:
        says(f"{done:,} of {total:,} MB of the log are searched" if total else "searching the log")

    try:
        return traces.trace(job(what, console.here(), progress=progress))
    except CannotLook as failure:
        if console.helper is None:
            raise
        says("root's helper searches the log")
        try:
            return Helper(console.helper).trace(grant, what)
        except Refused as refused:
            raise Refused(refused.reason, refused.next_step or failure.reason) from None


ENDPOINTS = (
    Endpoint("/bounces/trace", trace, "What became of a message.", takes=Sought),
    Endpoint("/bounces/traced", traced, "The same, or how far the search is.", takes=Sought, watching=True),
)
