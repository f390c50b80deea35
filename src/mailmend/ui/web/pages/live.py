"""What goes on while a page is open, as server-sent events: the banner, the steps of a change, that there is news."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from mailmend.model import MailmendError
from mailmend.ui.show import Shape
from mailmend.ui.web.console import Console
from mailmend.ui.web.endpoint import Asked, Endpoint
from mailmend.ui.web.pages.proposals import latest
from mailmend.ui.web.sessions import COOKIE, Session

_TICK, _BUSY = 1.0, 0.3  # seconds between two looks at the files, and at a change that is under way
_GLANCE = 0.1  # seconds between two glances at whether the files were saved: two stat(2)
_UNSETTLED, _SETTLED = 5.0, 60.0  # seconds between two looks at the host, as long as something waits and else
_SILENCE = 15.0  # seconds after which a proxy is told that this goes on
_NOT_LIVE = ("loaded-not-restarted", "saved-not-loaded")


class Watch(msgspec.Struct):
    """*act*: the page shows the change that is under way."""

    act: bool = False


async def live(asked: Asked[Watch]) -> Response:
    """Until the page is closed, or the session is over."""
    return StreamingResponse(
        _events(asked), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def banner(asked: Asked[Watch]) -> Response:
    """What has to be known on every page, for a browser without scripts."""
    news = await look(asked.console, asked.person)
    return asked.page("_banner.html", **news)


async def _events(asked: Asked[Watch]) -> AsyncIterator[str]:
    console, session, request = asked.console, asked.person, asked.request
    sent: dict[str, str] = {}
    stamp: tuple[int, ...] | None = None
    going, last = False, time.monotonic()
    yield "retry: 2000\n\n"
    while not await request.is_disconnected():
        if console.sessions.find(request.cookies.get(COOKIE)) is not session:
            yield _event("over", "")
            return
        now = await console.run(console.saved)
        if stamp is not None and now != stamp and not going:
            # A look takes a second or two: that it is looked at is told before.
            sent["banner"] = _drawn(console, session, "_saved.html") + sent.get("banner", "")
            yield _event("banner", sent["banner"])
        stamp = now
        news = await look(console, session)
        going = news["under_way"]
        told = {"banner": _drawn(console, session, "_banner.html", **news)}
        if asked.given.act:
            told["act"] = _drawn(console, session, "_act.html", act=news["act"])
        told["standing"] = str(news["standing"].at.isoformat()) if news["standing"] else ""
        for name, text in told.items():
            if sent.get(name) != text:
                yield _event(name, text)
                sent[name], last = text, time.monotonic()
        if time.monotonic() - last > _SILENCE:
            yield ": still there\n\n"
            last = time.monotonic()
        if going:
            await asyncio.sleep(_BUSY)
        else:
            await _until_saved(console, stamp)


async def _until_saved(console: Console, stamp: tuple[int, ...]) -> None:
    """Until a file is another than *stamp* tells, or the next tick."""
    for _ in range(int(_TICK / _GLANCE)):
        await asyncio.sleep(_GLANCE)
        if await console.run(console.saved) != stamp:
            return


async def look(console: Console, session: Session) -> dict[str, Any]:
    """`standing`: the status as seen; `act`: the latest change from a page; `under_way`; and what waits."""
    act: dict[str, Any] | None = None
    helper = console.asks
    if helper:
        try:
            act = latest(await console.run(helper.status, session.grant))
        except MailmendError:
            act = None  # every page says so where it is asked for
    going = act is not None and act["ended"] is None
    before = console.looks.latest("status")
    waits = before is not None and _waits(before.document)
    # A change that is under way has no standing yet, and says itself what it does.
    seen = (
        before if going else await console.seen(session, "status", within=_UNSETTLED if waits else _SETTLED)
    )
    return {"standing": seen, "act": act, "under_way": going, **_waiting(seen.document if seen else None)}


def _waiting(status: Shape | None) -> dict[str, Any]:
    """Of status/1: what is saved and not live, what is on trial, what was interrupted."""
    if status is None:
        return {"not_live": [], "trials": [], "interrupted": None}
    measured = [f for f in status["findings"] if f["standing"] == "measured"]
    return {
        "not_live": [f for cause in _NOT_LIVE for f in measured if f["cause"] == cause],
        "trials": [r for r in status["changes"] if r["state"] == "trial"],
        "interrupted": status["interrupted"],
    }


def _waits(status: Shape | None) -> bool:
    return any(_waiting(status).values())


def _drawn(console: Console, session: Session, template: str, **values: Any) -> str:
    return console.templates.get_template(template).render(console=console, session=session, **values)


def _event(name: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


ENDPOINTS = (
    Endpoint("/live", live, "What goes on, as server-sent events.", takes=Watch, watching=True),
    Endpoint("/banner", banner, "What has to be known on every page.", takes=Watch, watching=True),
)
