"""A report is understood at two in the morning: what is wrong comes first, and nothing in it can act."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from jobs import logs
from mailmend.jobs import report as job
from mailmend.jobs.here import Here
from mailmend.model import CannotLook
from mailmend.road.report import Report, Turn, Waits
from mailmend.ui import figures
from mailmend.ui.report_page import page
from mailmend.ui.report_style import STYLE
from mailmend.ui.screens import reporting
from mailmend.ui.show import reports

HOSTILE = "\x1b[2J\u202e\u009b31m<script>alert(1)</script>\"'&"
NOTHING = Report(0, 0, 0, (None, None), (), (), (), (), ())


def nowhere() -> Here:
    raise CannotLook("the files alone are looked at")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> job.Told:
    """A log of a day with strangers in it, half of it after a change."""
    path = tmp_path_factory.mktemp("log") / "mail.log"
    path.write_bytes(logs.write(4, 1500, rfc3339=True)[0])
    found = job.report(nowhere, [path])
    at = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
    return replace(found, turns=(Turn("20261120-063000-x", at, "google", "ipv6", (40, 80), (0, 75)),))


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host whose clocks are ahead by five hours and a half."""
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def drawn(told: job.Told, width: int = 80, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    target = Console(file=file, width=width, markup=False, emoji=False, highlight=False, soft_wrap=True)
    reporting.reported(target, told)
    buffer = file.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(encoding)


# ---- the screen ---------------------------------------------------------------------------


def test_an_empty_log_says_so_in_a_few_lines() -> None:
    screen = drawn(job.Told(NOTHING, ()))
    assert "Nothing was logged in that time" in screen
    assert "could cure" not in screen, "nothing is known, so nothing is well"
    assert len(screen.splitlines()) < 8


def test_what_is_wrong_stands_before_any_figure(told: job.Told) -> None:
    lines = drawn(told).splitlines()
    first = next(number for number, line in enumerate(lines) if "refuses" in line)
    assert first < 8
    told_there = "\n".join(lines[first : first + 10])
    for word in ("why", "since", "hit", "cure   mailmend fix gmail.com", "forwarded"):
        assert word in told_there


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_the_terminal(told: job.Told, width: int) -> None:
    for line in drawn(told, width).splitlines():
        assert len(line) <= width or " " not in line.strip(), line


def test_where_there_is_ascii_alone_all_of_it_is_ascii(told: job.Told) -> None:
    assert drawn(told, encoding="ascii").isascii()


def test_of_hundreds_the_first_are_shown_and_the_rest_counted(told: job.Told) -> None:
    row = next(row for row in told.report.rows if row.place.status == "bounced")
    rows = tuple(replace(row, place=row.place._replace(cause=f"cause-{n}")) for n in range(300))
    screen = drawn(replace(told, report=replace(told.report, rows=rows)))
    assert "and 288 more kinds" in screen
    assert len(screen.splitlines()) < 100


def test_a_change_is_told_with_both_sides(told: job.Told) -> None:
    assert "50 % -> 0 % (40 of 80, then 0 of 75)" in drawn(told, 120)


def test_times_are_of_one_zone_and_it_is_said(told: job.Told, zone: None) -> None:
    screen = drawn(told)
    assert screen.startswith("2026-11-20 05:30 to ")
    assert ", UTC+05:30" in screen.splitlines()[0]
    assert "since  Nov 20 05:" in screen
    assert ", UTC+05:30. " in page(told)


# ---- figures ------------------------------------------------------------------------------


def test_hours_without_mail_keep_their_place() -> None:
    from mailmend.road.tally import HourPlace

    start = datetime(2026, 11, 20, 10, 23, tzinfo=UTC)  # cut by a change
    hours = tuple((HourPlace(start + timedelta(hours=n), None, None, "bounced"), 1) for n in (0, 3))
    found = replace(NOTHING, hours=hours)
    axis = figures.axis(found, 60)
    assert (axis.count, axis.says) == (4, "1 h")
    (line,) = figures.lines(found)
    assert line.shares(axis) == [1.0, None, None, 1.0]
    assert [each.total() for each in figures.failures(found, axis)[""]] == [1, 0, 0, 1]


@pytest.mark.parametrize("hours", [1, 59, 61, 24 * 40, 24 * 400, 24 * 3000])
def test_no_time_is_too_long_to_be_drawn(hours: int) -> None:
    from mailmend.road.tally import HourPlace

    start = datetime(2020, 1, 1, tzinfo=UTC)
    spread = tuple((HourPlace(start + timedelta(hours=n), None, None, "sent"), 1) for n in range(hours))
    found = replace(NOTHING, hours=spread)
    axis = figures.axis(found, 60)
    assert axis.count <= 60
    assert sum(each.total() for each in figures.by_status(found, axis)) == hours


# ---- the page -----------------------------------------------------------------------------


class Elements(HTMLParser):
    """What a page consists of; an element that is not closed in its turn is a failure."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update((name, value or "") for name, value in attrs)
        if tag not in ("meta", "rect"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self._open.pop() == tag


def hostile(told: job.Told) -> job.Told:
    """The same report where every word that a stranger can choose is one."""
    rows = tuple(
        replace(row, text=HOSTILE, domains=((HOSTILE, 1),), senders=((HOSTILE, 1),))
        for row in told.report.rows
    )
    notes = tuple(
        replace(note, domains=((HOSTILE, 1),), senders=((HOSTILE, 1),)) for note in told.report.findings
    )
    hits = tuple(replace(hit, name=HOSTILE) for hit in told.report.senders)
    waits = (Waits(None, None, "unknown", 1, 1, "4ABCDEF012", None, None, HOSTILE),)
    found = replace(
        told.report,
        rows=rows,
        findings=notes,
        domains=hits,
        senders=hits,
        waits=waits,
        rejected=((HOSTILE, 3),),
    )
    return replace(told, report=found)


def test_nothing_in_the_page_can_act(told: job.Told) -> None:
    text = page(hostile(told))
    found = Elements(text)
    assert not found.names & {
        "script",
        "img",
        "a",
        "iframe",
        "object",
        "embed",
        "form",
        "input",
        "link",
        "base",
    }
    assert not {name for name, _ in found.attributes if name.startswith("on") or name in ("href", "src")}
    policy = next(value for name, value in found.attributes if "default-src" in value)
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert text.index("Content-Security-Policy") < text.index("<style")
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text)


def test_a_strangers_words_are_shown_as_escapes_on_the_screen(told: job.Told) -> None:
    screen = drawn(hostile(told), 120)
    assert "\\x1b[2J\\u202e\\x9b31m" in screen
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", screen)


def test_the_page_of_an_empty_log_is_whole() -> None:
    text = page(job.Told(NOTHING, ()))
    assert "Nothing was logged in that time" in text
    assert "<table" not in text
    Elements(text)


def test_the_page_stands_alone_and_has_its_plots(told: job.Told) -> None:
    text = page(told)
    found = Elements(text)
    assert {"svg", "rect", "table", "figure"} <= found.names
    assert "failed over IPv6" in text
    assert "://" not in re.sub(r'<div class="text">.*?</div>', "", text)  # but in what a receiver said


def test_of_thousands_the_page_shows_the_first_folds_some_and_counts_the_rest(told: job.Told) -> None:
    row = next(row for row in told.report.rows if row.place.status == "bounced")
    few = tuple(replace(row, place=row.place._replace(cause=f"cause-{n}")) for n in range(25))
    short = page(replace(told, report=replace(told.report, rows=few, rejected=(), waits=())))
    assert "<details" not in short
    many = tuple(replace(row, place=row.place._replace(cause=f"cause-{n}")) for n in range(5000))
    text = page(replace(told, report=replace(told.report, rows=many, rejected=(), waits=())))
    seen, folded = text.split("<details", 1)
    assert "cause-24<" in seen
    assert "cause-25<" not in seen
    assert "1,000 more" in folded
    assert "cause-1024<" in folded
    assert "cause-1025<" not in folded
    assert "3,975 more are not on this page" in folded


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", block))


def _light(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    r, g, b = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _contrast(one: str, other: str) -> float:
    a, b = sorted((_light(one), _light(other)))
    return (b + 0.05) / (a + 0.05)


@pytest.mark.parametrize("which", [0, 1, 2], ids=["light", "dark", "paper"])
def test_the_colours_can_be_told_apart(which: int) -> None:
    """Text 4.5 to 1 (WCAG 2.1 1.4.3), what is drawn 3 to 1 (1.4.11); on paper sent mail may be paler."""
    colours = _colours(re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[which])
    for ground in ("paper", "card"):
        for text in ("ink", "faint"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for drawn_ in ("bounced", "deferred", "sent", "cure"):
        if (which, drawn_) != (2, "sent"):
            assert _contrast(colours[drawn_], colours["paper"]) >= 3, drawn_


# ---- JSON and CSV -------------------------------------------------------------------------


def test_the_document_tells_all_that_the_screen_does(told: job.Told) -> None:
    document = json.loads(json.dumps(reports.report(told)))
    finding = document["findings"][0]
    assert finding["cures"] is True
    assert datetime.fromisoformat(finding["first"]).tzinfo
    assert all(datetime.fromisoformat(row["hour"]).tzinfo for row in document["hours"])
    waiting = document["waiting"]
    assert sum(each["count"] for each in waiting) == told.report.total("deferred")
    assert {"domain", "count", "bounced", "deferred"} == set(document["domains"][0])
    assert document["changes"][0]["after"] == {"failed": 0, "deliveries": 75}


def test_no_cell_is_a_formula(told: job.Told, tmp_path: Path) -> None:
    import csv

    rows = tuple(replace(row, text=f"=cmd(){HOSTILE}") for row in told.report.rows)
    text = reports.table(replace(told, report=replace(told.report, rows=rows)))
    read = list(csv.DictReader(io.StringIO(text)))
    assert len(read) == len(rows)
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in read for cell in row.values())
