"""How soon a page says that what was saved is not live, and how much there is to load before one sees anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from browser import chromium
from mailmend.jobs.here import Here
from mailmend.ui.helper.sessions import Sessions
from mailmend.ui.web import serve
from mailmend.ui.web.console import Console
from mailmend.ui.web.endpoint import Asked
from mailmend.ui.web.pages import live
from mailmend.ui.web.sessions import COOKIE
from ui.web.consoles import Visitor, log, looks, served
from worlds import world

DEADLINE = 2.0  # seconds after an edit
FIRST_PAGE = 250_000  # bytes, uncompressed, with everything that it loads


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds that a page's stream waits between its looks; here they pass at once."""
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(live, "asyncio", SimpleNamespace(sleep=pause))
    yield waits


def test_an_edit_behind_its_back_is_told_within_two_seconds(tmp_path: Path, slept: list[float]) -> None:
    main = tmp_path / "main.cf"
    main.write_text("inet_protocols = all\n")
    before, after = world.load("all-is-well"), world.load("saved-not-loaded")

    def look() -> Here:
        edited = "ipv4" in main.read_text()
        return Here((after if edited else before).probe(), None, tmp_path / "state")

    visitor = Visitor(look)
    console = replace(visitor.console, config_directory=str(tmp_path))

    async def stays() -> bool:
        return False

    request: Any = SimpleNamespace(
        cookies={COOKIE: visitor.client.cookies[COOKIE]}, is_disconnected=stays, url=None
    )

    async def story() -> None:
        said = live._events(Asked(request, console, live.Watch(), visitor.session))
        async for event in said:
            if event.startswith("event: standing"):
                break
            assert "not-live" not in event
        main.write_text("inet_protocols = ipv4\n")
        slept.clear()
        told = await anext(said)
        assert "Saved just now" in told, "before it is looked at, which may take longer"
        assert sum(slept) < DEADLINE
        told = await anext(said)
        assert 'id="not-live"' in told
        assert "Saved just now" not in told

    asyncio.run(story())


def test_the_first_page_weighs_no_more_than_250_kb(tmp_path: Path) -> None:
    log(tmp_path / "mail.log")
    sessions = Sessions()
    console = Console(
        sessions, serve.LOCAL, look=looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path / "state")
    )
    with served(console) as address, chromium() as browser:
        page = browser.new_page(base_url=address)
        weighed: dict[str, int] = {}
        named: dict[str, str] = {}
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on(
            "Network.requestWillBeSent",
            lambda told: named.update({told["requestId"]: told["request"]["url"]}),
        )

        def came(told: Any) -> None:
            url = named[told["requestId"]]
            weighed[url] = weighed.get(url, 0) + told["dataLength"]

        network.on("Network.dataReceived", came)
        page.goto("/login")
        page.fill("#code", sessions.login_code())
        page.click("main button")
        page.wait_for_url("**/")
        page.wait_for_selector("#listeners")
        page.wait_for_selector("#findings article")
    for wanted in ("/login", "/static/htmx.min.js", "/static/console.css", "/now/findings"):
        assert any(url.endswith(wanted) for url in weighed), weighed
    assert sum(weighed.values()) <= FIRST_PAGE, weighed
