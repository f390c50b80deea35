"""A report tells the truth about a log, however it is read, and whatever strangers wrote into it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs import logs
from mailmend import catalogue
from mailmend.jobs import report as job
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, ParseError
from mailmend.parse import reply
from mailmend.road import report as road
from mailmend.road.causes import template
from mailmend.system import logfiles
from mailmend.ui.report_page import page
from mailmend.ui.show import reports


def nowhere() -> Here:
    raise CannotLook("the files alone are looked at")


def told(path: Path, processes: int = 1) -> job.Told:
    return job.report(nowhere, [path], processes=processes)


def written(folder: Path, seed: int, messages: int, *, rfc3339: bool = False) -> tuple[Path, logs.Truth]:
    text, truth = logs.write(seed, messages, rfc3339=rfc3339)
    path = folder / "mail.log"
    path.write_bytes(text)
    return path, truth


def agrees(found: road.Report, truth: logs.Truth) -> None:
    got: Counter[tuple[str | None, str | None, str]] = Counter()
    senders: Counter[str] = Counter()
    for row in found.rows:
        got[row.place.receiver, row.place.family, row.place.status] += row.count
        senders.update(dict(row.senders))
    assert got == truth.outcomes
    assert senders == truth.senders
    assert found.messages == truth.messages
    assert found.unparsed == truth.unparsed
    assert sum(count for _, count in found.rejected) == truth.rejected


@pytest.mark.parametrize("text", ["", "hello\n" * 1000, "Nov 22 10:00:00 mx1 sshd[12]: Accepted x\n" * 10])
def test_a_log_of_another_program_is_not_reported_on(tmp_path: Path, text: str) -> None:
    path = tmp_path / "auth.log"
    path.write_text(text)
    with pytest.raises(ParseError, match="no line of Postfix"):
        told(path)


def test_two_replies_with_one_template_have_one_cause() -> None:
    """Over every example of every rule: what is left out of a text decides nothing."""
    causes: dict[tuple[str, str, str | None], set[str]] = {}
    for receiver in catalogue.load().receivers:
        for rule in receiver.rules:
            for example in rule.examples:
                said = reply.parse(example)
                key = (receiver.id, template(example), said.status if said else None)
                causes.setdefault(key, set()).add(rule.cause)
    assert len(causes) > 1000
    assert {key: found for key, found in causes.items() if len(found) > 1} == {}


@pytest.mark.parametrize(("seed", "rfc3339"), [(1, False), (2, True)])
def test_the_counts_are_the_truth(tmp_path: Path, seed: int, rfc3339: bool) -> None:
    path, truth = written(tmp_path, seed, 3000, rfc3339=rfc3339)
    agrees(told(path).report, truth)


def test_parts_read_side_by_side_lose_no_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, truth = written(tmp_path, 3, 3000)
    monkeypatch.setattr(logfiles, "PART", 50_000)
    assert len(logfiles.parts([path])) > 10
    agrees(told(path).report, truth)
    agrees(told(path, processes=2).report, truth)


def test_what_ipv6_alone_refuses_is_a_finding_with_its_cure(tmp_path: Path) -> None:
    path, _ = written(tmp_path, 4, 3000)
    first = told(path).report.findings[0]
    assert (first.cause, first.receiver, first.family) == ("ipv6-ptr-or-auth", "google", "ipv6")
    assert "over IPv6 and 0 % over IPv4" in first.says
    assert first.command == "mailmend fix gmail.com"


def test_what_ipv4_put_off_and_ipv6_refused_is_told(tmp_path: Path) -> None:
    head = (
        "Nov 20 10:00:00 mx1 postfix/smtp[1]: 4ABCDEF012: to=<a@gmail.com>, relay=gmail-smtp-in.l.google.com"
    )
    rest = "delay=1, delays=0/0/0/1, dsn="
    path = tmp_path / "mail.log"
    later = f"{head}[2607:f8b0::1]:25, {rest}5.7.1, status=bounced (host x said: {logs.AUTH})\n"
    path.write_text(
        f"{head}[142.250.1.26]:25, {rest}4.7.0, status=deferred (host x said: 421 4.7.0 later)\n{later}"
    )
    assert any(
        "1 put off over IPv4 came back for good over IPv6" in note.says for note in told(path).report.findings
    )
    path.write_text(later)
    assert not told(path).report.findings


def test_before_and_after_a_change(tmp_path: Path) -> None:
    path, _ = written(tmp_path, 5, 2000)
    found = told(path).report
    began, ended = found.span
    assert began and ended
    middle = began + (ended - began) / 2
    turns = road.turns(found, [("c1", middle)])
    google = next(turn for turn in turns if (turn.receiver, turn.family) == ("google", "ipv6"))
    assert google.before[0] and google.after[0]
    assert road.turns(found, [("c2", ended + timedelta(days=1))]) == ()


def test_since_leaves_out_what_was_before(tmp_path: Path) -> None:
    path, _ = written(tmp_path, 6, 500)
    noon = datetime(2026, 11, 20, 2).astimezone()
    early = job.report(nowhere, [path], until=noon).report
    late = job.report(nowhere, [path], since=noon).report
    assert early.total() and late.total()
    assert early.total() + late.total() == told(path).report.total()


def test_a_strangers_words_are_only_shown(tmp_path: Path) -> None:
    line = (
        "Nov 20 10:00:00 mx1 postfix/smtp[1]: 4ABCDEF012: to=<a@<b>, relay=<script>alert(1)</script>[192.0.2.1]:25, "
        "delay=1, delays=0/0/0/1, dsn=5.0.0, status=bounced (host <img src=x> said: =cmd() <script>\x1b[2J\u202e)\n"
    )
    path = tmp_path / "mail.log"
    path.write_text(line.replace("a@<b>", "a@b>"))
    found = told(path)
    html, csv = page(found), reports.table(found)
    assert found.report.total("bounced") == 1
    assert "<script" not in html and "<img" not in html and "\x1b" not in html and "\u202e" not in html
    assert not any(cell.startswith("=") for row in csv.splitlines() for cell in row.split(","))


def test_the_command_writes_one_document_a_page_and_a_table(tmp_path: Path) -> None:
    from mailmend.ui.cli import main

    path, truth = written(tmp_path, 7, 300)
    html, csv = tmp_path / "o.html", tmp_path / "o.csv"
    argv = ["report", str(path), "--json", "--html", str(html), "--csv", str(csv)]
    runner = CliRunner()
    with runner.isolation() as streams, pytest.raises(SystemExit) as ended:
        main(argv)
    document = json.loads(streams[0].getvalue())
    assert ended.value.code == 1
    assert document["schema"] == "mailmend.report/1"
    assert sum(row["count"] for row in document["deliveries"]) == truth.outcomes.total()
    assert "<svg" in html.read_text() and csv.read_text().startswith("receiver,family,status,cause,count")
