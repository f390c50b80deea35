"""The raw files on a page: read as they are; an edit is a list of settings, and what is equal to root is only told."""

from __future__ import annotations

import html
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
    return Postconf(lab, f"\n# {HOSTILE.replace(chr(0), '')}\nmynetworks =\n\t127.0.0.0/8\n")


@pytest.fixture
def visitor(probe: Postconf) -> Visitor:
    anybody: Any = probe
    look: Callable[[], Here] = lambda: Here(anybody, None, Path("/nonexistent"))  # noqa: E731
    return Visitor(look)


def test_what_strangers_wrote_into_a_file_is_no_markup(visitor: Visitor) -> None:
    text = visitor.get("/files")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    shown = text[text.index('<table class="code">') :]
    assert "\u202e" not in shown
    assert "\x9b" not in shown


def test_what_makes_root_of_whoever_sets_it_is_told_with_its_command(
    visitor: Visitor, probe: Postconf
) -> None:
    text = visitor.post("/files/changes", text=probe.main + "daemon_directory = /tmp/x\n")
    assert "mailmend set daemon_directory=/tmp/x" in text
    assert 'name="value"' not in text


def test_the_file_as_it_was_given_changes_nothing(visitor: Visitor, probe: Postconf) -> None:
    page = visitor.get("/files")
    area = page[page.index('<textarea id="text"') :]
    given = html.unescape(area[area.index(">") + 1 : area.index("</textarea>")]).removeprefix("\n")
    assert given == probe.main  # a tab, and what is hidden, comes back as it is
    assert "No setting" in visitor.post("/files/changes", text=given.replace("\n", "\r\n"))


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
