"""Bounces and DNS in Chromium: the plot is drawn, a bounce is explained in place, and strangers' words stay words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser import chromium
from mailmend.jobs.here import Here
from mailmend.ui.helper.sessions import Sessions
from mailmend.ui.web import serve
from mailmend.ui.web.console import Console
from ui.web.consoles import HOSTILE, REFUSED, log, served
from worlds import world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SAYS = f"host mx.example.net[2607:f8b0:400e:c00::1a] said: 550 5.7.1 {HOSTILE} (in reply to DATA)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@contextmanager
def visited(browser: Browser, folder: Path, *, width: int = 1280) -> Iterator[Page]:
    """Somebody who is logged in; nothing may go wrong on any page that is looked at."""
    told = world.load("gmail-refuses-ipv6")
    told.data["settings"]["maillog_file"] = str(folder / "mail.log")
    told.data["dns"]["relay.example.org TXT"] = [f"v=spf1 {HOSTILE}"]
    sessions = Sessions()
    console = Console(sessions, serve.LOCAL, look=lambda: Here(told.probe(), None, folder / "state"))
    with served(console) as address:
        page = browser.new_page(viewport={"width": width, "height": 900}, base_url=address)
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
        page.goto("/login")
        page.fill("#code", sessions.login_code())
        page.click("main button")
        page.wait_for_url("**/")
        yield page
        page.context.close()
        assert wrong == []


def no_markup_of_strangers(page: Page) -> None:
    assert page.locator("main img, main script, main [onerror], main [style*=evil]").count() == 0
    text = page.inner_text("main")
    assert "\u202e" not in text
    assert "\x9b" not in text


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 360])
def test_the_plot_is_drawn_and_nothing_is_wider_than_the_screen(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    log(tmp_path / "mail.log")
    with visited(browser, tmp_path, width=width) as page:
        page.goto("/bounces")
        page.wait_for_selector(".plot canvas")
        assert page.locator(".plot .u-legend .u-label", has_text="IPv6").count() == 1
        page.wait_for_function(
            """() => { const c = document.querySelector(".plot canvas");
            return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some(each => each > 0); }"""
        )
        for path in ("/bounces", "/bounces/group?cause=ipv6-ptr-or-auth&receiver=google", "/dns"):
            page.goto(path)
            page.wait_for_selector("main:not(:has([aria-busy]))")
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)


def test_a_bounce_is_explained_in_place_and_dropped_as_well(browser: Browser, tmp_path: Path) -> None:
    log(tmp_path / "mail.log")
    with visited(browser, tmp_path) as page:
        page.goto("/bounces/explain")
        page.fill("#bounce", "Dear Ann, see you at ten.")
        page.click("text=Explain >> nth=-1")
        page.wait_for_selector("text=No refusal found in it")
        dropped = page.evaluate_handle(
            """text => { const all = new DataTransfer();
            all.items.add(new File([text], "bounce.eml")); return all; }""",
            REFUSED.partition("said: ")[2],
        )
        page.dispatch_event("form.drop", "drop", {"dataTransfer": dropped})
        page.wait_for_selector("text=ipv6-ptr-or-auth")
        assert page.url.endswith("/bounces/explain"), "the page stays"
        assert page.input_value("#bounce") == "Dear Ann, see you at ten."


def test_what_strangers_wrote_becomes_no_markup(browser: Browser, tmp_path: Path) -> None:
    log(tmp_path / "mail.log", says=SAYS.replace("\x00", "\\0"))
    with visited(browser, tmp_path) as page:
        for path in (
            "/bounces",
            "/bounces/group?cause=unknown&receiver=google&family=ipv6",
            "/bounces/trace?what=ABCDE00000",
            "/bounces?receiver=%3Cimg%20src=x%20onerror=alert(1)%3E",
            "/dns",
        ):
            page.goto(path)
            page.wait_for_selector("main:not(:has([aria-busy]))")
            no_markup_of_strangers(page)
        page.goto("/bounces/explain")
        page.fill("#bounce", SAYS.replace("\x00", "") + "x" * 200_000)
        page.click("main form button")
        page.wait_for_selector("#explained article, #explained .failed, #explained .card")
        no_markup_of_strangers(page)


def test_the_pages_work_without_scripts(browser: Browser, tmp_path: Path) -> None:
    log(tmp_path / "mail.log")
    with visited(browser, tmp_path) as page:
        cookies = page.context.cookies()
        address = page.url
        plain = browser.new_context(java_script_enabled=False, base_url=address)
        plain.add_cookies(cookies)  # type: ignore[arg-type]
        other = plain.new_page()
        other.goto("/bounces/explain")
        other.fill("#bounce", REFUSED.partition("said: ")[2])
        other.click("main form button")
        assert "ipv6-ptr-or-auth" in other.inner_text("main")
        other.goto("/bounces")
        other.wait_for_selector("text=Why, where, how often")  # the page comes again until it is there
        other.select_option("#by-family", "ipv4")
        other.click("text=Show >> nth=-1")
        assert "family=ipv4" in other.url
        plain.close()
