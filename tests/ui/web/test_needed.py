"""SRS asked for from a page, on a real Postfix: what it needs first is listed, to be copied; then it is proposed."""

from __future__ import annotations

from typing import Any

import pytest

from facts import srs_relay
from ui.web.on_a_relay import PATIENCE, console
from ui.web.test_every_page import serious

pytestmark = pytest.mark.lab
REFUSED = (
    "550-5.7.26 Your email has been blocked because the sender is unauthenticated. Gmail requires all senders to "
    "authenticate with either SPF or DKIM."
)


def forwarded(lab: Any) -> None:
    """Forwards were refused over both families, for their envelope."""
    lab.receiver.world("strict")
    lab.outcomes(lab.send(count=12))


def test_what_srs_needs_is_listed_whole_and_once_it_is_there_srs_is_proposed(lab: Any) -> None:
    with console(lab, before=lambda _: forwarded(lab)) as told:
        page = told.browser.new_page(base_url=told.address)
        page.set_default_timeout(PATIENCE)
        told.log_in(page)

        # The button on the first page: IPv4 alone cures nothing here.
        page.click(".cure button")
        page.wait_for_selector("#needed")
        first = page.locator("#needed > ol > li").first.inner_text()
        assert first.startswith("postsrsd is not installed")
        assert "apt-get install postsrsd" in first
        assert page.locator("#needed dd code").all_inner_texts() == [
            "srs.example.org", "MX", "10 relay.example.org.",
            "srs.example.org", "TXT", "v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all",
        ]  # fmt: skip
        assert page.locator("#apply").count() == 0
        assert "nothing to change" not in page.inner_text("main")
        assert serious(page) == []

        # The same from the explanation of a bounce.
        page.goto("/bounces/explain")
        page.fill("textarea", REFUSED)
        page.click("main form button")
        page.locator(".cures li", has_text="srs").locator("button").click()
        page.wait_for_selector("#needed")

        lab.dns.publish(*srs_relay.RECORDS)
        srs_relay.postsrsd(lab.relay)
        page.click("#needed button:has-text('Look again')")
        page.wait_for_url("**/proposal/*")
        assert page.inner_text("section.card h2") == "srs"
        page.wait_for_selector("#apply")
