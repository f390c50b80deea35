"""In and out: a code that the command line showed -> a session."""

from __future__ import annotations

import msgspec
from starlette.responses import RedirectResponse, Response

from mailmend.model import Refused
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing
from mailmend.ui.web.sessions import COOKIE


class Code(msgspec.Struct):
    """What was typed."""

    code: str = ""


async def show(asked: Asked[Nothing]) -> Response:
    """The form, or where one goes who is logged in."""
    if asked.session:
        return RedirectResponse("/", 303)
    return asked.page("login.html", reason="")


async def login(asked: Asked[Code]) -> Response:
    """A new session with a cookie of its own, whatever was sent before."""
    source = asked.request.client.host if asked.request.client else ""
    try:
        grant = await asked.console.run(asked.console.authority.login, asked.given.code[:40], source)
    except Refused as failure:
        return asked.page("login.html", 409, reason=failure.reason)
    asked.console.sessions.end(asked.request.cookies.get(COOKIE))
    cookie, _ = asked.console.sessions.begin(grant, source)
    answer = RedirectResponse("/", 303)
    # The browser's own word, which the doorkeeper has held against the origins that there are.
    secure = asked.request.headers.get("origin", "").lower().startswith("https://")
    answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure)
    return answer


async def logout(asked: Asked[Nothing]) -> Response:
    """The session is over, here and with the helper."""
    await asked.console.run(asked.console.authority.end, asked.person.grant)
    asked.console.sessions.end(asked.request.cookies.get(COOKIE))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


ENDPOINTS = (
    Endpoint("/login", show, "The form that asks for a code.", public=True),
    Endpoint("/login", login, "Log in by a code.", "POST", Code, public=True),
    Endpoint("/logout", logout, "Log out.", "POST"),
)
