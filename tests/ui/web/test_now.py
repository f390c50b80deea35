"""Now and Changes over a host that is written down: what is wrong with its cure, and what is not known as unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmend.ui.web.pages.now import cards
from ui.web.consoles import Visitor, log, looks


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    log(tmp_path / "mail.log")
    return Visitor(looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path / "state"))


def test_the_frame_waits_for_no_look(visitor: Visitor) -> None:
    page = visitor.get("/")
    assert 'hx-get="/now/standing"' in page
    assert "Looking at configuration" in page


def test_without_scripts_the_page_has_everything(visitor: Visitor) -> None:
    page = visitor.get("/?whole=true")
    assert "What is wrong" in page
    assert "Looking at configuration" not in page
    assert "This console only reads" in page


def test_what_could_not_be_seen_is_said_to_be_unknown(visitor: Visitor) -> None:
    assert "could not look:</span> SocketListing" in visitor.get("/now/standing")


def test_where_it_only_reads_the_cure_is_a_command(visitor: Visitor) -> None:
    page = visitor.get("/now/findings")
    assert "mailmend fix" in page
    assert "<button" not in page


def test_a_history_that_is_empty_says_so(visitor: Visitor) -> None:
    assert "mailmend has changed nothing here" in visitor.get("/changes")


def test_an_entry_that_is_not_there_is_refused_in_a_line(visitor: Visitor) -> None:
    answer = visitor.client.get("/changes/20260101-000000-none")
    assert answer.status_code == 409
    assert "no entry" in answer.text


def test_real_refusals_come_before_what_may_cause_them() -> None:
    def finding(check: str, cause: str, standing: str = "measured") -> dict[str, object]:
        return {"check": check, "cause": cause, "standing": standing, "receiver": None}

    told = cards(
        {
            "findings": [
                finding("loaded", "saved-not-loaded"),
                finding("ptr", "ptr-missing"),
                finding("receiver-log", "ipv6-ptr-or-auth"),
                finding("helo", "helo-unresolvable", "unknown"),
            ]
        }
    )
    acts = [(each["cause"], each["act"]) for each in told["problems"]]
    assert acts == [("ipv6-ptr-or-auth", "fix"), ("saved-not-loaded", "activate"), ("ptr-missing", "fix")]
    assert [each["cause"] for each in told["unknown"]] == ["helo-unresolvable"]
