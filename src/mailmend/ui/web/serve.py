"""The console served by uvicorn: on loopback unless told otherwise, on sockets that are open before it says so."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import ParseError, Refused
from mailmend.places import STATE
from mailmend.ui.helper.client import Helper
from mailmend.ui.web.app import application
from mailmend.ui.web.console import Console
from mailmend.ui.web.sessions import Authority

if TYPE_CHECKING:
    import uvicorn

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
# Seconds that a look at the host, in a thread of its own, keeps Python's lock from the requests: ten handovers make a
# page, and with Python's own 5 ms a look of 60 ms made all pages of that time wait for 300 ms.
_TURN = 0.0005
_NAME = re.compile(r"(?P<scheme>https://)?(?P<host>[a-z0-9][a-z0-9.-]{0,252})(?P<port>:[0-9]{1,5})?/?")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket at *host*, an address. Refused: it is none of this machine, or taken."""
    try:
        address = ip_address(host)
    except ValueError:
        raise Refused(f"{host!r} is no address", "give --host an IP address, as 127.0.0.1") from None
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # asyncio sends small writes at once (TCP_NODELAY) only where the protocol is named: else 40 ms a page.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(128)
    except OSError as error:
        opened.close()
        raise Refused(
            f"nothing can listen at {host} port {port}: {error.strerror}", "choose another --port"
        ) from None
    return opened


def serve(
    opened: socket.socket,
    authority: Authority,
    *,
    helper: Path | None,
    group: str | None = None,
    names: Sequence[str] = (),
    config_directory: str | None = None,
    state: Path = STATE,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Until SIGTERM or SIGINT. *names*: what else the console is asked by, or `https://NAME` of a proxy in front.

    *group*: root and its users log in with their passwords, too, where *helper* allows it.

    ParseError: one of them is no name.
    """
    host = str(opened.getsockname()[0])
    also, origins = asked_by(names)
    console = Console(
        authority,
        LOCAL | {host.lower()} | also,
        origins,
        helper=helper,
        group=group,
        config_directory=config_directory,
        state=state,
    )
    served = server(console)
    sys.setswitchinterval(_TURN)
    ready()
    served.run(sockets=[opened])


def server(console: Console) -> uvicorn.Server:
    """What serves *console*, with the bounds of `connections`: to be run on a socket that listens."""
    import uvicorn

    from mailmend.ui.web.connections import Connection

    config = uvicorn.Config(
        application(console),
        http=Connection,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,  # nobody's word for where a request comes from
        lifespan="off",
        timeout_graceful_shutdown=5,
        limit_concurrency=200,
        h11_max_incomplete_event_size=64 << 10,
    )
    return uvicorn.Server(config)


def asked_by(names: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The hosts that *names* stand for, and the origins among them. ParseError: one is neither."""
    hosts, origins = set(), set()
    for name in names:
        found = _NAME.fullmatch(name.lower())
        if found is None:
            raise ParseError(
                f"{name!r} is no name", "write console.example.org, or https://console.example.org"
            )
        hosts.add(found["host"])
        if found["scheme"]:
            origins.add(found["scheme"] + found["host"] + (found["port"] or ""))
    return frozenset(hosts), frozenset(origins)


class ByHelper:
    """The helper at *path* knows which codes are good (sessions.Authority)."""

    def __init__(self, path: Path) -> None:
        self._helper = Helper(path)

    def login(self, code: str, source: str) -> str:
        return self._helper.begin_session(code, source or "unix")

    def require(self, grant: str) -> None:
        self._helper.require_session(grant)

    def keep(self, grant: str) -> None:
        self._helper.keep_session(grant)

    def end(self, grant: str) -> None:
        self._helper.end_session(grant)
