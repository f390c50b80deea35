"""A rehearsal on the screen and in JSON, and who is asked after it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from mailmend.jobs.here import Here
from mailmend.model import Plan
from mailmend.rehearsal import Fate, LeftOut, Passage, Rehearsal
from mailmend.ui import cli, show
from mailmend.ui.screens import fixing, rehearsing
from ui import nouns
from worlds.world import load

SENT = Fate("sent", "ipv4", "gmail-smtp-in.l.google.com[198.51.100.27]", "250 2.0.0 OK", 7)
REFUSED = Fate(
    "bounced", "ipv6", "gmail-smtp-in.l.google.com[2001:db8::1a]", "host said: 550-5.7.1 " + "no " * 90, 4
)
HELD = Rehearsal(
    passages=(
        Passage("gmail", "mail of this host to Gmail", "someone@gmail.com", (REFUSED, replace(SENT, count=3)), (SENT,)),
        Passage("local", "a stranger's mail to a local mailbox", "postmaster@a.example", (SENT,), (SENT,)),
    ),
    listeners=(("0.0.0.0:25", "[::]:25"), ("0.0.0.0:25", "127.0.0.1:587")),
    complaints=("postfix/smtp: warning: x\x1b[2J\u202e",),
    failures=(),
    left_out=(LeftOut("milter /run/opendkim.sock", "a stand-in accepted every message and changed none"),),
    version="3.7.11",
    lab_version="3.7.11",
    at=nouns.AT,
)  # fmt: skip
FAILED = replace(
    HELD,
    passages=(Passage("gmail", "mail of this host to Gmail", "someone@gmail.com", (SENT,), (REFUSED,)),
              Passage("local", "a stranger's mail", "postmaster@a.example", (SENT,), ())),
    failures=("mail of this host to Gmail gets through less: host said no", "with the change Postfix does not start"),
)  # fmt: skip


def drawn(screen: Callable[[Console], Any], width: int = 80) -> str:
    file = io.StringIO()
    screen(Console(file=file, width=width, markup=False, emoji=False, highlight=False, soft_wrap=True))
    return file.getvalue()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[bool]]:
    """A host on which fix asks for approval, and a rehearsal ends as told. Returns the answers."""
    monkeypatch.setattr(cli, "this_host", lambda: Here(load("gmail-refuses-ipv6").probe(), state=tmp_path))

    def ends(held: Rehearsal) -> list[bool]:
        answers: list[bool] = []

        def fix(_: Here, __: Any, *, dry_run: bool, approve: Callable[[Plan], bool], **___: Any) -> Any:
            if not dry_run:
                answers.append(approve(nouns.PLAN))
            kept = bool(answers and answers[-1])
            return nouns.FIXED if kept else replace(nouns.FIXED, state="planned", record=None, proof=None)

        monkeypatch.setattr("mailmend.jobs.fix.fix", fix)
        monkeypatch.setattr("mailmend.jobs.rehearse.rehearse", lambda *_: held)
        return answers

    return ends


def mailmend(*argv: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli.mailmend, list(argv), input=stdin)


# ---- what must not happen -----------------------------------------------------------------


def test_a_rehearsal_that_fails_is_not_applied_although_it_was_approved(host: Any) -> None:
    answers = host(FAILED)
    result = mailmend("fix", "--yes", "--rehearse", "--json")
    assert (answers, result.exit_code) == ([], 4)
    told = json.loads(result.stdout)["error"]
    assert told["reason"] == f"the rehearsal failed: {FAILED.failures[0]}, and 1 more"
    assert "nothing was changed" in told["next_step"]


def test_a_script_that_forgot_yes_gets_the_plan_with_its_rehearsal(host: Any) -> None:
    answers = host(FAILED)
    result = mailmend("fix", "--rehearse", "--json")
    assert (answers, result.exit_code) == ([False], 4)
    assert json.loads(result.stdout)["plan"]["rehearsal"]["holds"] is False


def test_nothing_is_rehearsed_unasked(host: Any) -> None:
    host(FAILED)
    result = mailmend("fix", "--yes", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["plan"]["rehearsal"] is None


def test_no_stranger_writes_on_the_terminal() -> None:
    text = drawn(lambda t: rehearsing.rehearsed(t, HELD))
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("held", [HELD, FAILED], ids=["holds", "fails"])
def test_no_line_is_wider_than_the_terminal(held: Rehearsal, width: int) -> None:
    for line in drawn(lambda t: rehearsing.rehearsed(t, held), width).splitlines():
        assert len(line) <= width or len(line.split()) <= 2, line


# ---- what is told -------------------------------------------------------------------------


def test_what_is_rehearsed_first_is_applied_and_stands_in_the_plan(host: Any) -> None:
    answers = host(HELD)
    result = mailmend("fix", "--yes", "--rehearse", "--json")
    assert (answers, result.exit_code) == ([True], 0)
    told = json.loads(result.stdout)["plan"]["rehearsal"]
    assert told["holds"]
    assert told["passages"][0]["verdict"] == "better"
    assert told["passages"][0]["before"][0]["family"] == "ipv6"


def test_a_dry_run_can_be_rehearsed(host: Any) -> None:
    host(FAILED)
    result = mailmend("fix", "--dry-run", "--rehearse", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["plan"]["rehearsal"]["failures"] == list(FAILED.failures)


@pytest.mark.parametrize(
    ("stdin", "approved"), [("r\ny\n", True), ("r\nn\n", False), ("r\nr\n", False), ("y\n", True)]
)
def test_a_person_may_have_it_rehearsed_before_they_say_yes(
    host: Any, monkeypatch: pytest.MonkeyPatch, stdin: str, approved: bool
) -> None:
    answers = host(HELD)
    monkeypatch.setattr("mailmend.ui.terminal.is_tty", lambda: True)
    result = mailmend("fix", stdin=stdin)
    assert answers == [approved]
    assert "r rehearses it first" in result.stderr
    assert ("The rehearsal holds" in result.stdout) == stdin.startswith("r")


def test_the_screen_has_both_nights_the_listeners_and_what_is_not_known() -> None:
    text = drawn(lambda t: rehearsing.rehearsed(t, HELD))
    assert "as it is  4 bounced over IPv6, 3 sent over IPv4" in text
    assert "changed   7 sent over IPv4" in text
    assert "[::]:25        closes" in text
    assert "127.0.0.1:587  opens" in text
    assert "milter /run/opendkim.sock: a stand-in" in text
    assert text.strip().splitlines()[-1].startswith("The rehearsal holds")


def test_what_fails_is_read_last() -> None:
    text = drawn(lambda t: rehearsing.rehearsed(t, FAILED))
    assert "not tried: Postfix did not come so far" in text
    assert text.index("The rehearsal fails:") > text.index("Not known")
    assert "does not start" in text.splitlines()[-1]


def test_the_plan_shows_it() -> None:
    text = drawn(lambda t: fixing.planned(t, replace(nouns.PLAN, rehearsal=HELD)))
    assert "The rehearsal holds" in text
    assert show.plan(replace(nouns.PLAN, rehearsal=HELD))["rehearsal"]["listeners"]["after"] == [
        "0.0.0.0:25", "127.0.0.1:587",
    ]  # fmt: skip
