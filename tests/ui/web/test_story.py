"""An operator's evening on the pages, in Chromium, against the lab's real Postfix: seen, cured, proven, taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ui.web.on_a_relay import PATIENCE, console

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.lab
MAIN = "/etc/postfix/main.cf"


@pytest.fixture
def page(lab: Any) -> Iterator[Page]:
    """Somebody who is logged in by the code that `mailmend web` has printed; no script failed until the end."""
    with console(lab) as told:
        opened = told.browser.new_page(base_url=told.address)
        opened.set_default_timeout(PATIENCE)
        wrong: list[str] = []
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        told.log_in(opened)
        yield opened
        assert wrong == []


def applied(page: Page) -> str:
    """Approve what is shown; what the page says when it has ended."""
    page.click("#apply")
    page.wait_for_selector("#outcome, .failed")
    assert page.locator(".failed").all_inner_texts() == []
    page.wait_for_selector("#outcome:not([data-ended=''])")
    return page.inner_text("#outcome h2")


def test_the_bounce_that_he_got_is_pasted_and_explained_and_the_random_ones_are_seen(
    lab: Any, page: Page
) -> None:
    lab.outcomes(lab.send(count=12))
    for _ in range(200):  # it comes back a moment later
        if returned := lab.sender.received():
            break
        page.wait_for_timeout(100)
    page.goto("/bounces/explain")
    page.fill("#bounce", returned[-1].message)
    page.click("text=Explain >> nth=-1")
    page.wait_for_selector("#explained article")
    assert "ipv6-ptr-or-auth" in page.inner_text("#explained")
    page.goto("/bounces")
    page.wait_for_selector("canvas")
    assert "over IPv6" in page.inner_text("main")


def test_from_what_is_wrong_to_a_proven_cure_and_back(lab: Any, page: Page) -> None:
    relay = lab.relay
    before = relay.read(MAIN)
    lab.outcomes(lab.send(count=12))
    page.click("text=Look again")
    page.wait_for_selector("#finding-ipv6-ptr-or-auth")
    assert "[::]:25" in page.inner_text("#listeners")
    page.click(".cure button")
    page.wait_for_url("**/proposal/*")
    assert "smtp_dns_reply_filter" in page.inner_text(".diff")
    assert relay.read(MAIN) == before
    assert applied(page) == "fix: done and proven"
    assert "holds" in page.inner_text(".proof")
    assert "smtp_dns_reply_filter" in relay.read(MAIN)
    assert "console:" in relay.mailmend("history").stdout
    page.click("#outcome >> text=Undo")
    page.wait_for_url("**/proposal/*")
    assert applied(page).startswith("undo: done")
    assert relay.read(MAIN) == before
    page.goto("/changes")
    assert "taken back" in page.inner_text("#changes")


def test_a_setting_that_needs_a_restart_is_restarted_confirmed_and_its_socket_gone(
    lab: Any, page: Page
) -> None:
    page.goto("/settings/inet_protocols")
    page.fill("#value", "ipv4")
    page.click(".edit button")
    page.wait_for_url("**/proposal/*")
    assert "stopped and started" in page.inner_text("#activation")
    assert applied(page).endswith("on trial")
    page.click("#act #confirm")
    page.wait_for_url("**/changes/*")
    assert "in force" in page.inner_text("main")
    assert "[::]:25" not in lab.relay.listeners_ss()


def test_whoever_edits_the_file_behind_its_back_the_page_says_that_it_is_not_live(
    lab: Any, page: Page
) -> None:
    relay = lab.relay
    page.wait_for_selector("#listeners")
    relay.run(["postconf", "-e", "inet_protocols=ipv4"])
    page.wait_for_selector("#not-live")
    assert "inet_protocols" in page.inner_text("#not-live")
    page.click("#not-live button")
    page.wait_for_url("**/proposal/*")
    assert "stopped and started" in page.inner_text("#activation")
    assert page.is_visible("#code"), "what somebody else saved may be anything"
    told = json.loads(relay.mailmend("--json", "web", "--code").stdout)
    assert told["for"] == "change"
    page.fill("#code", told["code"])
    assert applied(page).startswith("activate: done")
    assert "[::]:25" not in relay.listeners_ss()
    page.goto("/")
    page.wait_for_selector("#listeners")
    assert "[::]:25" not in page.inner_text("#listeners")
    page.wait_for_selector("#not-live", state="detached")


def test_a_connection_that_is_lost_meanwhile_ends_nothing_and_finds_it_again(lab: Any, page: Page) -> None:
    lab.outcomes(lab.send(count=12))
    page.click("text=Look again")
    page.wait_for_selector(".cure button")
    page.click(".cure button")
    page.wait_for_url("**/proposal/*")
    page.click("#apply")
    page.wait_for_url("**/under-way")
    page.context.set_offline(True)
    lab.relay.wait_log("reload -- version")
    page.context.set_offline(False)
    page.goto("/under-way")
    page.wait_for_selector("#outcome[data-ended=done]")
    assert page.inner_text("#outcome h2") == "fix: done and proven"
    change = (page.get_attribute("#outcome a", "href") or "").removeprefix("/changes/")
    assert change in lab.relay.mailmend("history").stdout.split()
