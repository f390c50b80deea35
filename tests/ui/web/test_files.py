"""The raw files on a page: read as they are; an edit is a list of settings, and what is equal to root is only told."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs.here import Here
from mailmend.lab import Lab
from ui.web.consoles import HOSTILE, Visitor
from ui.web.test_settings import Postconf

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def probe(lab: Lab) -> Postconf:
    hostile = f"\n# {HOSTILE.replace(chr(0), '')}\n"
    return Postconf(lab, f"{hostile}mynetworks =\n\t127.0.0.0/8\n", f"{hostile}  -o x=<b>\n")


@pytest.fixture
def visitor(probe: Postconf) -> Visitor:
    anybody: Any = probe
    look: Callable[[], Here] = lambda: Here(anybody, None, Path("/nonexistent"))  # noqa: E731
    return Visitor(look)


def test_what_strangers_wrote_into_a_file_is_no_markup(visitor: Visitor) -> None:
    text = visitor.get("/files")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    # What is edited is sent as it is; what is read is not.
    shown = re.sub(r"(?s)<textarea.*?</textarea>", "", text)
    assert "\u202e" not in shown
    assert "\x9b" not in shown
    assert shown.count("\\u202e") == 2
    assert "<b>" not in text.partition("<h1>")[2]


def test_what_makes_root_of_whoever_sets_it_is_told_with_its_command(
    visitor: Visitor, probe: Postconf
) -> None:
    text = visitor.post("/files/changes", text=probe.main + "daemon_directory = /tmp/x\n")
    assert "mailmend set daemon_directory=/tmp/x" in text
    assert 'name="value"' not in text


def test_what_is_equal_to_root_is_in_no_command_with_the_plain_ones(
    visitor: Visitor, probe: Postconf
) -> None:
    text = visitor.post(
        "/files/changes", text=probe.main + "daemon_directory = /tmp/x\ndelay_warning_time = 4h\n"
    )
    assert "<code>mailmend set delay_warning_time=4h</code>" in text
    assert "<code>mailmend set daemon_directory=/tmp/x</code>" in text


def test_the_file_as_it_was_given_changes_nothing(visitor: Visitor, probe: Postconf) -> None:
    areas = visitor.get("/files").split("<textarea ")[1:]
    for area, text, file in zip(areas, (probe.main, probe.master), ("main.cf", "master.cf"), strict=True):
        given = html.unescape(area[area.index(">") + 1 : area.index("</textarea>")]).removeprefix("\n")
        assert given == text  # a tab, and what is hidden, comes back as it is
        says = visitor.post("/files/changes", text=given.replace("\n", "\r\n"), file=file)
        assert f"this {file} means what the saved one means" in says


def test_an_edit_is_a_list_of_settings(visitor: Visitor, probe: Postconf) -> None:
    text = visitor.post(
        "/files/changes", text=probe.main.replace("inet_protocols = all", "inet_protocols = ipv4")
    )
    assert 'href="/settings/inet_protocols"' in text
    assert "restart" in text
    assert "mailmend set inet_protocols=ipv4" in text  # this console only reads


def test_two_megabytes_are_refused_in_one_line(visitor: Visitor) -> None:
    assert "more than" in visitor.post("/files/changes", 422, text="a" * ((1 << 20) + 1))


def test_more_lines_than_anybody_edits_on_a_page_are_refused_before_they_are_compared(
    visitor: Visitor,
) -> None:
    assert "more than" in visitor.post("/files/changes", 422, text="\n" * 5001)


def test_of_master_cf_an_override_is_a_change_and_what_runs_is_told_with_its_command(
    visitor: Visitor, probe: Postconf
) -> None:
    smtpd = next(line for line in probe.master.splitlines() if line.split()[:2] == ["smtp", "inet"])
    edited = probe.master.replace(smtpd, f"{smtpd}\n  -o smtpd_timeout=99s") + "x unix - - n - - local\n"
    text = html.unescape(visitor.post("/files/changes", text=edited, file="master.cf"))
    assert "mailmend set smtp/inet/smtpd_timeout=99s" in text
    assert "mailmend set 'x/unix=x unix - - n - - local'" in text
    assert text.index("smtp/inet/smtpd_timeout") < text.index("Only in a terminal") < text.rindex("x/unix=x")


def test_another_file_than_those_two_is_none(visitor: Visitor) -> None:
    visitor.post("/files/changes", 422, text="", file="/etc/shadow")


def test_where_nobody_can_see_what_runs_it_is_said(visitor: Visitor) -> None:
    assert "not known" in visitor.get("/files")
