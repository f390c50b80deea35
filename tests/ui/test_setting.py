"""set at the terminal: what a setting means and would do stands before the question, the way back on the last line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from mailmend.jobs.here import Here
from mailmend.jobs.set import Done
from mailmend.model import Change, FileEdit, Objection, Plan, Proposal
from mailmend.road.about import Subject
from mailmend.ui import cli, show
from mailmend.ui.screens import setting
from ui import nouns
from worlds.world import load

SUBJECT = Subject(
    target="inet_protocols",
    kind="setting",
    tier="P",
    concerns="listeners",
    meaning="Which of IPv4 and IPv6 Postfix uses at all.",
    manual="The Internet protocols Postfix will attempt to use when making or accepting connections.",
    default="all",
    written=None,
    effective="all",
    wanted="ipv4",
    would_be="ipv4",
    set_by="the default",
    why="a plain setting",
    overridden=(("smtp/unix", "ipv6"),),
    activation="restart",
    source="postconf(5)",
    already=False,
)
ROOT = replace(
    SUBJECT, target="debugger_command", tier="R", why="whoever sets it can run anything as root", wanted="$x",
    would_be="y", manual=None, meaning="", overridden=(), effective=None, default=None,
)  # fmt: skip
PLAN = Plan(
    Proposal(
        "set",
        "cures",
        (Change("setting", "inet_protocols", None, "ipv4", "restart"),),
        objections=(Objection("mynetworks loses its IPv6 networks", "look at it", blocking=False),),
    ),
    (),
    (FileEdit("/etc/postfix/main.cf", "a = b\n", "a = b\ninet_protocols = ipv4\n"),),
    "--- /etc/postfix/main.cf\n+++ /etc/postfix/main.cf\n@@ -1 +1,2 @@\n a = b\n+inet_protocols = ipv4\n",
    "0" * 64,
    reason="set by name: inet_protocols",
)
DONE = Done(
    PLAN, (SUBJECT, ROOT), "kept", replace(nouns.RECORD, remedy="set"), nouns.PROOF, PLAN.reason, "listeners"
)
DRY = replace(DONE, state="planned", record=None, proof=None)


def drawn(screen: Callable[..., None], done: Done, width: int) -> str:
    target = Console(width=width, force_terminal=False, markup=False, soft_wrap=True, color_system=None)
    with target.capture() as captured:
        screen(target, done)
    return captured.get()


@pytest.mark.parametrize("width", [80, 120])
def test_everything_that_is_known_stands_before_the_question(width: int) -> None:
    text = drawn(setting.planned, DRY, width)
    assert all(len(line) <= width for line in text.splitlines())
    flat = " ".join(text.split())
    for said in (
        SUBJECT.meaning,
        "postconf(5) The Internet protocols",
        "default all",
        "now all (the default)",
        "wanted ipv4",
        "smtp/unix has its own: ipv6",
        "equal to root: whoever sets it can run anything as root",
        "$x (that is y)",
        "not known here",
        "+inet_protocols = ipv4",
        "Postfix is stopped and started",
        "listeners: taken back by itself unless confirmed",
        "mynetworks loses its IPv6 networks",
    ):
        assert said in flat, said


def test_what_is_plain_is_not_called_dangerous() -> None:
    text = drawn(setting.planned, replace(DRY, subjects=(SUBJECT,)), 80)
    assert "danger" not in text


def test_the_way_back_is_the_last_line() -> None:
    last = drawn(setting.ended, DONE, 80).strip().splitlines()[-1]
    assert last == f"To take it back: mailmend undo {nouns.RECORD.id}"


def test_what_is_so_already_says_so_and_nothing_else() -> None:
    done = replace(DONE, state="in-place", record=None, subjects=(replace(SUBJECT, already=True),))
    assert drawn(setting.ended, done, 80) == "inet_protocols is so already: ipv4\nNothing was changed.\n"


def test_nothing_is_left_out_of_the_document() -> None:
    document = json.loads(json.dumps(show.was_set(DONE)))
    assert document["schema"] == "mailmend.set/1"
    assert {f.name for f in fields(Subject)} <= set(document["settings"][0])
    assert document["settings"][1]["step_up"] is True
    assert document["plan"]["remedy"] == "set"
    assert {f.name for f in fields(Done)} - {"subjects", "record"} <= set(document)


# ---- the command -------------------------------------------------------------------------------


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Stand in for the job; what it was asked for is kept."""
    monkeypatch.setattr(cli, "this_host", lambda: Here(load("all-is-well").probe(), state=tmp_path))
    asked: list[Any] = []

    def set_(_: Here, assignments: Any, *, dry_run: bool, approve: Any, trial: Any, progress: Any) -> Done:
        asked.append((assignments, trial))
        return DRY if dry_run or not approve(DRY) else DONE

    monkeypatch.setattr("mailmend.jobs.set.set_", set_)
    return asked


def mailmend(*argv: str) -> Result:
    return CliRunner().invoke(cli.mailmend, list(argv))


def test_nothing_is_applied_unasked(job: list[Any]) -> None:
    done = mailmend("set", "inet_protocols=ipv4")
    assert done.exit_code != 0
    assert "Done" not in done.output


def test_what_was_typed_reaches_the_job_as_it_was_typed(job: list[Any]) -> None:
    mailmend("set", "inet_protocols=ipv4", "smtp/inet/wakeup=-", "-X", "biff", "--yes", "--confirm")
    ((assignments, trial),) = job
    assert [(a.target, a.value) for a in assignments] == [
        ("inet_protocols", "ipv4"),
        ("smtp/inet/wakeup", "-"),
        ("biff", None),
    ]
    assert trial is None


def test_what_is_known_is_listed() -> None:
    document = json.loads(mailmend("--json", "list", "settings").stdout)
    by_id = {entry["id"]: entry for entry in document["settings"]}
    assert by_id["inet_protocols"]["activation"] == "restart"
    assert by_id["daemon_directory"]["tier"] == "R"
    assert "smtpd_*_restrictions" in by_id
