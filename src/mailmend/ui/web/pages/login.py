"""In and out: a code that the command line showed, or a password where that is wanted -> a session."""

from __future__ import annotations

from ipaddress import ip_address

import msgspec
from starlette.responses import RedirectResponse, Response

from mailmend.model import ParseError, Refused
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing
from mailmend.ui.web.sessions import COOKIE


class Typed(msgspec.Struct):
    """A *code*, or an account's name and *password*."""

    code: str = ""
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Without any of it."""
        return "Typed()"


async def show(asked: Asked[Nothing]) -> Response:
    """The form, or where one goes who is logged in."""
    if asked.session:
        return RedirectResponse("/", 303)
    return asked.page("login.html", reason="")


async def login(asked: Asked[Typed]) -> Response:
    """A new session with a cookie of its own, whatever was sent before."""
    source = asked.request.client.host if asked.request.client else ""
    # The browser's own word, which the doorkeeper has held against the origins that there are.
    secure = asked.request.headers.get("origin", "").lower().startswith("https://")
    try:
        if asked.given.user or asked.given.password:
            grant = await asked.console.run(_by_password, asked, source, secure)
        else:
            grant = await asked.console.run(asked.console.authority.login, asked.given.code[:40], source)
    except Refused as failure:
        return asked.page("login.html", 409, reason=failure.reason)
    asked.console.sessions.end(asked.request.cookies.get(COOKIE))
    cookie, _ = asked.console.sessions.begin(grant, source)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure)
    return answer


def _by_password(asked: Asked[Typed], source: str, secure: bool) -> str:
    """A grant of the helper's. Refused where it takes no passwords, or others could have read this one on its way."""
    helper = asked.console.asks
    if helper is None or asked.console.group is None:
        raise Refused("nobody logs in with a password here")
    if not secure and not _is_here(source):
        raise Refused("a password is not taken over a connection without TLS: log in by a code")
    try:
        return helper.begin_session_as(asked.given.user.strip(), asked.given.password, source or "unix")
    except ParseError:  # no name of an account, and no password that PAM would take
        raise Refused("that name and password do not open this console") from None


def _is_here(source: str) -> bool:
    """Whether *source* is this host: ssh(1) forwards it, a proxy asks from it, or a browser runs on it."""
    try:
        return not source or ip_address(source).is_loopback
    except ValueError:
        return False


async def logout(asked: Asked[Nothing]) -> Response:
    """The session is over, here and with the helper."""
    await asked.console.run(asked.console.authority.end, asked.person.grant)
    asked.console.sessions.end(asked.request.cookies.get(COOKIE))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


ENDPOINTS = (
    Endpoint("/login", show, "The form that asks for a code, or for a password.", public=True),
    Endpoint("/login", login, "Log in by a code or a password.", "POST", Typed, public=True),
    Endpoint("/logout", logout, "Log out.", "POST"),
)
