"""What root's helper counts of a log comes out at the page as it went in, and no other way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs.report import report
from mailmend.model import CannotLook, ParseError
from mailmend.ui.helper import counted
from mailmend.ui.helper.client import Helper
from ui.helper.test_client import GRANT, answering
from ui.web.consoles import HOSTILE, log, looks


@pytest.mark.parametrize(
    "told", [{}, {"told": {}}, {"told": None}, {"told": {"report": 1, "turns": [], "store": None}}]
)
def test_what_is_no_report_is_no_answer(tmp_path: Path, told: dict[str, Any]) -> None:
    with pytest.raises(CannotLook):
        answering(tmp_path / "socket", json.dumps({"done": told}).encode() + b"\n").report(GRANT, 7)


def test_more_days_than_a_page_is_given_are_not_even_asked_for(tmp_path: Path) -> None:
    for days in (0, 31, -1):
        with pytest.raises(ParseError):
            Helper(tmp_path / "none").report(GRANT, days)


def test_what_strangers_wrote_comes_through_to_the_letter(tmp_path: Path) -> None:
    says = f"host mx.example.net[2607:f8b0:400e:c00::1a] said: 550 5.7.1 {HOSTILE} (in reply to DATA)"
    log(tmp_path / "mail.log", says=says.replace("\x00", "\\0"))
    with (tmp_path / "mail.log").open("ab") as more:
        more.write(b"2026-01-01T00:00:00+00:00 mx1 postfix/smtp[1]: \xff\xfe\n")
    look = looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path / "state")
    told = report(look, (tmp_path / "mail.log",))
    sent = json.dumps(counted.document(told), ensure_ascii=True)
    assert counted.read(json.loads(sent)) == told
