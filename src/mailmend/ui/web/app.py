"""The console as an ASGI application: who may ask, what is asked, and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from mailmend import __version__
from mailmend.model import CannotLook, MailmendError, ParseError, Refused
from mailmend.ui.web.console import HERE, Console
from mailmend.ui.web.endpoint import FORM, Asked, Endpoint, given, openapi, wants_a_part
from mailmend.ui.web.pages import ENDPOINTS
from mailmend.ui.web.security import Doorkeeper
from mailmend.ui.web.sessions import COOKIE, Session

_STATUS: tuple[tuple[type[MailmendError], int], ...] = ((ParseError, 422), (CannotLook, 424), (Refused, 409))


def application(console: Console) -> ASGIApp:
    """All of it, with what stands before it."""

    async def api(_: Request) -> Response:
        return JSONResponse(openapi(ENDPOINTS, __version__))

    async def icon(_: Request) -> Response:
        return RedirectResponse("/static/icon.svg", 308)

    described = Endpoint("/openapi.json", lambda asked: api(asked.request), "What the console can be asked.")
    routes = [
        *(
            Route(each.path, _answering(each, console), methods=[each.method])
            for each in (*ENDPOINTS, described)
        ),
        Route("/favicon.ico", icon),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http(console)})  # type: ignore[dict-item]
    return Doorkeeper(app, console.hosts, console.origins)


def _answering(endpoint: Endpoint, console: Console) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        session = console.sessions.find(request.cookies.get(COOKIE))
        if session is None and not endpoint.public:
            return _nobody(request)
        try:
            if endpoint.method == "POST":
                await _require_ours(request, session, endpoint)
            if session is not None and not endpoint.public and not endpoint.watching:
                await _still_there(console, request, session)
            asked = Asked(request, console, await given(request, endpoint), session)
            return await endpoint.act(asked)
        except MailmendError as failure:
            return _failed(console, request, session, failure)

    return answer


async def _require_ours(request: Request, session: Session | None, endpoint: Endpoint) -> None:
    """Refuse a form that is too long, or is not from a page that we gave to this very session."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > FORM:
        raise HTTPException(413 if length.isdigit() else 411)
    if endpoint.public:
        return
    token = request.headers.get("x-token")
    if token is None:
        sent = (await request.form(max_files=1, max_fields=2000, max_part_size=FORM)).get("token")
        token = sent if isinstance(sent, str) else ""
    if session is None or not session.holds(token):
        raise HTTPException(403, "This page is from another session: load it again.")


async def _still_there(console: Console, request: Request, session: Session) -> None:
    """A person is there; the helper is told, and may know that it is over."""
    try:
        await console.run(console.authority.keep, session.grant)
    except Refused:
        console.sessions.end(request.cookies.get(COOKIE))
        raise HTTPException(401, "The session is over.") from None
    console.sessions.keep(session)


def _nobody(request: Request) -> Response:
    """To the login; htmx is told to go there with the whole page, an event stream that it is over."""
    if wants_a_part(request) or "text/event-stream" in request.headers.get("accept", ""):
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/login", 303)
    return Response("Nobody is logged in.\n", 401, media_type="text/plain")


def _failed(console: Console, request: Request, session: Session | None, failure: MailmendError) -> Response:
    status = next((code for kind, code in _STATUS if isinstance(failure, kind)), 409)
    return _told(console, request, session, status, reason=failure.reason, next_step=failure.next_step)


def _told(
    console: Console,
    request: Request,
    session: Session | None,
    status: int,
    *,
    reason: str,
    next_step: str = "",
) -> Response:
    template = "_failure.html" if wants_a_part(request) else "failure.html"
    return console.render(
        template, status, request=request, session=session, reason=reason, next_step=next_step
    )


def _http(console: Console) -> Callable[[Request, HTTPException], Awaitable[Response]]:
    async def answer(request: Request, failure: HTTPException) -> Response:
        session = console.sessions.find(request.cookies.get(COOKIE))
        if failure.status_code == 401:
            return _nobody(request)
        words = {
            404: "There is no such page.",
            405: "That cannot be done here.",
            413: "That is more than is read.",
        }
        return _told(
            console,
            request,
            session,
            failure.status_code,
            reason=words.get(failure.status_code, failure.detail),
        )

    return answer
