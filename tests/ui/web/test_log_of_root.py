"""A log that only root may read, as postlogd(8) and Fedora's syslog keep it: the pages show what is in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ui.helper.conftest import Asking, grant, relay, start
from ui.web.on_a_relay import PATIENCE, console

pytestmark = pytest.mark.lab
LOG = "/var/log/mail.log"
__all__ = ["grant", "relay", "start"]  # fixtures


@pytest.fixture
def ask(relay: Any) -> Asking:
    return Asking(relay)


def for_root_alone(relay: Any) -> None:
    relay.run(["chown", "root:root", LOG])
    relay.run(["chmod", "600", LOG])


def test_the_helper_reads_no_file_that_is_named_to_it_and_no_more_than_a_month(
    ask: Asking, grant: str
) -> None:
    for more in ({"files": [LOG]}, {"path": LOG}, {"since": "2020-01-01T00:00:00Z"}, {"days": 31}):
        assert "no request" in ask.refused(**({"verb": "report", "grant": grant, "days": 7} | more))


def test_the_helper_counts_the_log_and_gives_no_line_of_it(
    lab: Any, relay: Any, ask: Asking, grant: str
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=3)
    relay.write(f"{LOG}.1", f"{long_ago.isoformat()} mx1 postfix/qmgr[9]: 4F1A2B3C4D: removed\n")
    lab.outcomes(lab.send(count=4))
    for_root_alone(relay)
    told = ask.done(verb="report", grant=grant, days=1)["told"]["report"]
    assert sum(row["count"] for row in told["rows"]) >= 4
    assert told["hours"]
    assert relay.mailmend("ingest").returncode == 0
    stored = ask.done(verb="report", grant=grant, days=1)["told"]
    assert stored["store"], "it knows as much, so no log is read"
    assert sum(row["count"] for row in stored["report"]["rows"]) == sum(row["count"] for row in told["rows"])
    relay.run(["rm", f"{LOG}.1"])
    relay.run(["mv", LOG, f"{LOG}.gone"])
    error = ask(verb="report", grant=grant, days=1)["error"]
    relay.run(["mv", f"{LOG}.gone", LOG])
    assert error["kind"] == "cannot-look"
    assert LOG in error["reason"]


def test_the_page_has_the_plot_the_groups_and_the_trace_and_says_who_read_it(lab: Any) -> None:
    with console(lab) as told:
        lab.outcomes(lab.send(count=12))
        for_root_alone(lab.relay)
        page = told.browser.new_page(base_url=told.address)
        page.set_default_timeout(PATIENCE)
        told.log_in(page)
        page.goto("/bounces?days=0")
        page.wait_for_selector("canvas")
        said = page.inner_text("#by-root")
        assert f"{LOG} cannot be read" in said or "Not readable from here" in said
        assert "30 days" in said
        assert "over IPv6" in page.inner_text("main")
        page.click("a[href^='/bounces/group']")
        page.wait_for_url("**/bounces/group**")
        assert "PTR" in page.inner_text("main")
        queue_id = (
            lab.relay.read(LOG).partition("status=bounced")[0].rpartition(": to=")[0].rpartition(" ")[2]
        )
        page.goto(f"/bounces/trace?what={queue_id}")
        page.wait_for_selector(f"main :text('{queue_id}')")
        page.wait_for_selector("[aria-busy]", state="detached")
        assert "Permission" not in page.inner_text("main")
