"""master.cf edited on the page Files, on a real Postfix: shown, activated, in force, taken back to the last byte."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ui.web.on_a_relay import PATIENCE, console

pytestmark = pytest.mark.lab
MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
BANNER = "import socket; s = socket.create_connection(('127.0.0.1', 25), 30); print(s.recv(500).decode())"


def applied(page: Any) -> str:
    page.click("#apply")
    page.wait_for_selector("#outcome, .failed")
    assert page.locator(".failed").all_inner_texts() == []
    page.wait_for_selector("#outcome:not([data-ended=''])")
    told: str = page.inner_text("#outcome h2")
    return told


def edit(page: Any, name: str, text: str) -> None:
    page.goto("/files")
    page.click(f"text=Edit {name}")
    page.locator(f"form:has(input[value='{name}']) textarea").fill(text)
    page.click(f"form:has(input[value='{name}']) button")
    page.wait_for_url("**/files/changes")


@pytest.mark.slow
def test_an_override_of_the_smtp_server_and_what_somebody_else_saves_afterwards(lab: Any) -> None:
    with console(lab) as told:
        relay = lab.relay
        before = relay.read(MASTER)
        line = next(each for each in before.splitlines() if each.split()[:2] == ["smtp", "inet"])
        banner = lambda: relay.run([sys.executable, "-c", BANNER]).stdout  # noqa: E731
        page = told.browser.new_page(base_url=told.address)
        page.set_default_timeout(PATIENCE)
        told.log_in(page)

        edit(
            page,
            "master.cf",
            before.replace(line, f"# mine\n{line}\n  -o {{ smtpd_banner = from.the.page ESMTP }}"),
        )
        assert "smtp/inet/smtpd_banner" in page.inner_text("form table")
        assert "a comment is not saved from here" in page.inner_text("main")
        assert relay.read(MASTER) == before
        page.click("text=See the difference")
        page.wait_for_url("**/proposal/*")
        assert "smtpd_banner" in page.inner_text(".diff")
        assert applied(page) == "set: done and proven"
        assert "# mine" not in relay.read(MASTER)
        assert "220 from.the.page ESMTP" in banner()
        page.goto("/files")
        assert "loaded" in page.inner_text("[id='runs-master.cf']")
        page.goto("/under-way")
        page.click("#outcome >> text=Undo")
        page.wait_for_url("**/proposal/*")
        assert applied(page).startswith("undo: done")
        assert relay.read(MASTER) == before
        assert "from.the.page" not in banner()

        page.goto("/files")
        page.wait_for_selector("[id='runs-main.cf'] .good")
        relay.run(["postconf", "-P", "smtp/inet/smtpd_timeout=77s"])
        relay.run(["postconf", "-e", "delay_warning_time=4h"])
        page.goto("/files")
        runs = page.inner_text("[id='runs-master.cf']")
        assert "saved, not live" in runs
        assert "smtpd_timeout=77s" in page.inner_text("[id='runs-master.cf'] .diff")
        # Nothing of ours was ever saved there, but it was seen when it was loaded.
        assert "+delay_warning_time = 4h" in page.inner_text("[id='runs-main.cf'] .diff")
        page.goto("/settings?only=not-live")
        assert page.locator("table.services tbody tr").all_inner_texts()[0].startswith("smtp/inet")
        assert "delay_warning_time" in page.inner_text("#rows")
        page.click("table.services a")
        page.wait_for_url("**/service?name=**")
        assert page.input_value("input[aria-label='New value of smtpd_timeout']") == "77s"
