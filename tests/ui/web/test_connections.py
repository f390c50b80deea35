"""Who holds connections open, says nothing or says it slowly, keeps nobody from the console."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from mailmend.ui.web import connections
from ui.web.consoles import Visitor, log, looks, served

HEADS = {
    "silent": b"",
    "half a head": b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    "a body that does not come": b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n\r\nco",
    "kept alive": b"GET /static/icon.svg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    log(tmp_path / "mail.log", refused=1, sent=1)
    with served(
        Visitor(looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path / "state")).console
    ) as at:
        yield at


def opened(address: str, says: bytes) -> socket.socket:
    place = urlsplit(address)
    line = socket.create_connection((place.hostname, place.port or 0), timeout=60)
    line.sendall(says)
    return line


def test_a_page_that_is_open_meanwhile_keeps_its_connection(address: str) -> None:
    with httpx.Client(base_url=address) as visitor, ExitStack() as held:
        port = visitor.get("/login").extensions["network_stream"].get_extra_info("client_addr")[1]
        for _ in range(connections.MOST // 2):
            held.enter_context(opened(address, b""))
        again = visitor.get("/login")
        assert again.status_code == 200
        assert again.extensions["network_stream"].get_extra_info("client_addr")[1] == port


@pytest.mark.parametrize("says", HEADS.values(), ids=HEADS)
def test_with_250_that_wait_whoever_asks_is_answered(address: str, says: bytes) -> None:
    with ExitStack() as held:
        for _ in range(250):
            held.enter_context(opened(address, says))
        for _ in range(3):
            assert httpx.get(f"{address}/login", timeout=60).status_code == 200


@pytest.mark.parametrize("says", HEADS.values(), ids=HEADS)
def test_a_request_that_never_gets_whole_is_given_up(
    address: str, monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.2)
    with opened(address, says) as line:
        try:
            while line.recv(65536):
                pass
        except ConnectionResetError:
            pass  # that is an end as well; a connection that stays runs into the test's own patience


def test_a_stream_is_no_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.2)
    log(tmp_path / "mail.log", refused=1, sent=1)
    visitor = Visitor(looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path / "state"))
    with (
        served(visitor.console) as address,
        httpx.Client(cookies=dict(visitor.client.cookies), timeout=60) as client,
        client.stream("GET", f"{address}/live") as answer,
    ):
        said = answer.iter_lines()
        while not next(said).startswith("event: standing"):
            pass
        # Nobody's patience ends while it goes on: the next thing that is said comes by the same answer.
        visitor.console.looks.forget()
        while not next(said).startswith("event: standing"):
            pass
