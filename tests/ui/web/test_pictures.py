"""Every page as it looks, light and dark, wide and on a telephone: none is wider than the screen, or unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from browser import chromium
from mailmend.ui.helper.sessions import Sessions
from mailmend.ui.web import serve
from mailmend.ui.web.console import PAGES, Console
from ui.web.consoles import log, looks, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDE, NARROW = 1280, 360


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@contextmanager
def visited(browser: Browser, folder: Path, width: int, colours: Literal["light", "dark"]) -> Iterator[Page]:
    log(folder / "mail.log")
    sessions = Sessions()
    console = Console(
        sessions, serve.LOCAL, look=looks("gmail-refuses-ipv6", folder / "mail.log", folder / "state")
    )
    with served(console) as address:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, base_url=address, color_scheme=colours
        )
        page.set_default_timeout(60_000)
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        # A host that is written down has no postconf(1) to ask: 424 is how a part of a page says so.
        page.on(
            "console",
            lambda said: (
                wrong.append(said.text) if said.type == "error" and " 424 " not in said.text else None
            ),
        )
        page.goto("/login")
        page.fill("#code", sessions.login_code())
        page.click("main button")
        page.wait_for_url("**/")
        yield page
        page.close()
        assert wrong == []


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or worse, with where it is."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_now_and_changes_fit_and_can_be_read(
    browser: Browser, tmp_path: Path, width: int, colours: Literal["light", "dark"]
) -> None:
    with visited(browser, tmp_path, width, colours) as page:
        for path in ("/", "/changes"):
            page.goto(path)
            if path == "/":
                page.wait_for_selector("#listeners")
                page.wait_for_selector("#findings article")
            page.screenshot(
                path=tmp_path / f"{path.strip('/') or 'now'}-{width}-{colours}.png", full_page=True
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert serious(page) == [], path


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
def test_every_page_fits_a_telephone(browser: Browser, tmp_path: Path, path: str) -> None:
    with visited(browser, tmp_path, NARROW, "light") as page:
        page.goto(path)
        page.wait_for_selector("h1")
        page.screenshot(path=tmp_path / f"page-{NARROW}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
