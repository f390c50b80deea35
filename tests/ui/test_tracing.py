"""A message's life on the screen: readable at 80 columns and at 120, and harmless whoever wrote the mail."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from mailmend.jobs import trace as job
from mailmend.jobs.here import here
from mailmend.ui import cli, says
from mailmend.ui.screens import tracing

HEAD = "Nov 22 10:00:{:02} relay postfix/{}[7]: 4F1A2B3: "
ESCAPES = "\x1b[2J\x1b]0;owned\x07\u202e"
REPLY = "host mx.example.net[2001:db8::9] said: 451 4.7.1 <b@example.net>: Greylisted, please try again"


def log(*lines: tuple[str, str]) -> str:
    return "".join(HEAD.format(n, service) + text + "\n" for n, (service, text) in enumerate(lines))


def tried(status: str, reply: str) -> tuple[str, str]:
    where = "relay=mx.example.net[2001:db8::9]:25, delay=300, delays=290/1/4/5, dsn=4.7.1"
    return "smtp", f"to=<b@example.net>, orig_to=<list@example.org>, {where}, status={status} ({reply})"


BORN = (
    ("smtpd", "client=pc.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=carol"),
    ("cleanup", "message-id=<a@example.org>"),
    ("qmgr", "from=<carol@example.org>, size=123456, nrcpt=1 (queue active)"),
)


def mailmend(*arguments: str) -> Result:
    return CliRunner().invoke(cli.mailmend, arguments, standalone_mode=False, env={"COLUMNS": "80"})


def drawn(text: str, tmp_path: Path, asked: str = "4F1A2B3", width: int = 80, encoding: str = "utf-8") -> str:
    path = tmp_path / "mail.log"
    path.write_text(text, "utf-8", "surrogateescape")
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    target = Console(file=file, width=width, markup=False, emoji=False, highlight=False, soft_wrap=True)
    tracing.traced(target, job.trace(asked, here(), [str(path)]))
    file.flush()
    return file.buffer.read().decode(encoding) if file.buffer.seek(0) == 0 else ""


# ---- what must not be shown ---------------------------------------------------------------


def test_nothing_that_a_stranger_wrote_moves_the_terminal(tmp_path: Path) -> None:
    text = log(
        ("smtpd", "client=pc.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=ca" + ESCAPES),
        ("cleanup", f"message-id=<{ESCAPES}a@example.org>"),
        ("cleanup", f"warning: header Subject: {ESCAPES}"),
        tried("bounced", REPLY + ESCAPES),
    )
    shown = drawn(text, tmp_path)
    assert not set(shown) & set("\x1b\x07\u202e")
    assert "\\x1b[2J" in shown


def test_a_terminal_that_only_has_ascii_gets_ascii(tmp_path: Path) -> None:
    assert drawn(log(*BORN, tried("bounced", REPLY)), tmp_path, encoding="ascii").startswith(
        "x 4F1A2B3  bounced"
    )


def test_a_hundred_tries_that_went_alike_are_not_a_hundred_paragraphs(tmp_path: Path) -> None:
    shown = drawn(log(*BORN, *[tried("deferred", REPLY)] * 57), tmp_path)
    assert "for the 57th time" in shown
    assert shown.count("Greylisted") == 1
    assert len(shown.splitlines()) < 30
    assert "its end is not in the log, tried 57 times" in shown


# ---- what must ----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
def test_a_life_is_told_from_its_client_to_its_end(width: int, tmp_path: Path) -> None:
    end = ("qmgr", "removed")
    shown = drawn(log(*BORN, tried("deferred", REPLY), tried("sent", "250 ok"), end), tmp_path, width=width)
    assert all(len(line) <= width for line in shown.splitlines())
    flat = " ".join(shown.split())
    for part in (
        "4F1A2B3 delivered after 5 s",
        "received from pc.example.org [192.0.2.7], authenticated as carol",
        "in the queue: 123 kB for 1 recipient",
        "b@example.net (written to list@example.org) deferred by mx.example.net [2001:db8::9] over IPv6",
        "after 5 min (5 min of it before this try)",
        "451 4.7.1 <b@example.net>: Greylisted, please try again",
        "greylisted: ",
        "removed from the queue",
        "mailmend explain --cause greylisted",
    ):
        assert part in flat
    assert "dsn=" not in flat


def test_many_messages_are_a_table_with_the_newest_whole(tmp_path: Path) -> None:
    one = log(*BORN, tried("sent", "250 ok"), ("qmgr", "removed"))
    shown = drawn("".join(one.replace("4F1A2B3", f"4F1A2B{n}") for n in range(6)), tmp_path, "b@example.net")
    assert shown.startswith("6 messages about b@example.net")
    assert shown.count("delivered") == 7
    assert shown.count("received from") == 1


def test_nothing_found_says_what_was_searched(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_text(log(*BORN))
    done = mailmend("trace", "5C0FFEE", str(path))
    assert done.exit_code == 1
    assert f"Nothing about 5C0FFEE in {path}" in " ".join(done.stdout.split())
    late = mailmend("--json", "trace", "4F1A2B3", str(path), "--since", "2100-01-01")
    document = json.loads(late.stdout)
    assert (late.exit_code, document["messages"], document["schema"]) == (1, [], "mailmend.trace/1")
    assert document["searched"]["bytes"] == path.stat().st_size


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.02, "0.02 s"), (1, "1 s"), (45.4, "45 s"), (300, "5 min"), (9000, "2.5 h"), (432000, "5.0 days")],
)
def test_spans(seconds: float, said: str) -> None:
    assert says.span(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1st"), (3, "3rd"), (12, "12th"), (22, "22nd"), (111, "111th")]
)
def test_ordinals(count: int, said: str) -> None:
    assert says.nth(count) == said
