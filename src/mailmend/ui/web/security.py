"""What stands before every page: which names it is asked by, from where a write comes, and what a browser may load.

The console runs on a mail server, and its pages show what strangers wrote. So: Host from a list (DNS rebinding),
writes only from its own pages (Origin, Sec-Fetch-Site, and a token in `app`), no script and no style but its own files.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
SAFE = ("GET", "HEAD", "OPTIONS")
POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
        "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # no-referrer would make browsers send "Origin: null" with our own forms (Fetch, section 3.2).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}


class Doorkeeper:
    """ASGI around *app*, which answers for *hosts* only (names and addresses without their port).

    *origins* are those of a proxy with TLS in front (`https://NAME`): what a browser is at, where we see plain HTTP.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], origins: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = _with_headers(send, static=str(scope["path"]).startswith("/static/"))
        if reason := self.objection(scope["method"], Headers(scope=scope), scope.get("scheme", "http")):
            await PlainTextResponse(f"{reason}\n", 403)(scope, receive, sent)
            return
        await self._app(scope, receive, sent)

    def objection(self, method: str, headers: Headers, scheme: str) -> str | None:
        """Why the request is not let in; None: it is."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            return "This console is not asked by that name; mailmend web --name adds one that it answers to."
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not _comes_by_a_link(
            method, headers
        ):
            return "Another site asked for this."
        if method in SAFE:
            return None
        origins = headers.getlist("origin")
        ours = {f"{scheme}://{hosts[0]}".lower()} | self._origins
        if len(origins) != 1 or origins[0].lower() not in ours:
            return "A change is asked for by a page of this console, and by nothing else."
        return None


def _comes_by_a_link(method: str, headers: Headers) -> bool:
    """A person followed a link to a page: no cookie comes with it (SameSite=Strict), so it tells nothing."""
    return (
        method == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _name(host: str) -> str:
    """The Host header's name or address in lower case, without its port; "" where it is none (RFC 9112 3.2)."""
    found = _HOST.fullmatch(host)
    return found[1].lower().strip("[]") if found else ""


def _with_headers(send: Send, *, static: bool) -> Callable[[Message], Awaitable[None]]:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if not static:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sent
