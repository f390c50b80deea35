"""fix at the terminal: nothing happens unasked, everything is shown first, and the way back is the last line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dns import rdatatype, zone

from mailmend.jobs.fix import Fixed
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, Delivery, Plan, Refused, Relay, Reply
from mailmend.ui import cli
from mailmend.ui.screens.fixing import zone_line
from mailmend.ui.terminal import is_tty
from ui import nouns
from worlds.world import load

DRY = replace(nouns.FIXED, state="planned", record=None, proof=None)
NOTHING = Fixed(
    Plan(None, (), (), "", "0" * 64, reason="nothing measured needs a remedy"), nouns.CASE, (), "nothing", None, None,
    "nothing measured needs a remedy",
)  # fmt: skip


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[bool]]:
    """Stand in for the job: it asks for approval as the real one does, and ends as told. Returns the answers."""
    monkeypatch.setattr(cli, "this_host", lambda: Here(load("gmail-refuses-ipv6").probe(), state=tmp_path))

    def ends(approved: Fixed | Exception, plan: Plan = nouns.PLAN) -> list[bool]:
        answers: list[bool] = []

        def fix(_: Here, __: Any, *, dry_run: bool, approve: Any, progress: Any, **_more: Any) -> Fixed:
            progress("looking")
            if isinstance(approved, Exception):
                raise approved
            if approved.state == "nothing" or dry_run:
                return approved if approved.state == "nothing" else DRY
            answers.append(approve(plan))
            return approved if answers[-1] else DRY

        monkeypatch.setattr("mailmend.jobs.fix.fix", fix)
        return answers

    return ends


def mailmend(*argv: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli.mailmend, list(argv), input=stdin)


# ---- what must not happen -----------------------------------------------------------------


@pytest.mark.parametrize("typed", ["", "y\n"], ids=["nothing on stdin", "a pipe that says y"])
def test_without_a_terminal_and_without_yes_nothing_is_changed(job: Any, typed: str) -> None:
    answers = job(nouns.FIXED)
    result = mailmend("fix", stdin=typed)
    assert (answers, result.exit_code) == ([False], 4)
    assert "+smtp_dns_reply_filter = " in result.stdout
    assert (
        result.stderr
        == "mailmend: nothing was changed: the plan was not approved; mailmend fix --yes approves it\n"
    )


@pytest.mark.parametrize("typed", ["", "n\n", "\n", "maybe\n", "yy\n"])
def test_whatever_is_not_yes_is_no(job: Any, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("mailmend.ui.terminal.is_tty", lambda: True)
    answers = job(nouns.FIXED)
    result = mailmend("fix", stdin=typed)
    assert (answers, result.exit_code) == ([False], 4)


def test_a_script_that_forgot_yes_gets_the_plan_and_nothing_changed(job: Any) -> None:
    job(nouns.FIXED)
    result = mailmend("fix", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["state"], document["plan"]["remedy"]) == (
        4,
        "planned",
        "ipv4-for-receiver",
    )
    assert document["change"] is None


def test_a_dry_run_asks_nobody(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailmend.ui.terminal.is_tty", lambda: True)
    answers = job(nouns.FIXED)
    result = mailmend("fix", "--dry-run")
    assert (answers, result.exit_code) == ([], 0)
    assert "nothing was changed" in result.stdout
    assert "Apply this?" not in result.output


def test_nothing_to_fix_is_clean(job: Any) -> None:
    job(NOTHING)
    result = mailmend("fix")
    assert result.exit_code == 0
    assert result.stdout.strip() == "Nothing was changed: nothing measured needs a remedy"


def test_an_ill_that_no_remedy_may_touch_is_not_clean(job: Any) -> None:
    job(replace(NOTHING, plan=replace(NOTHING.plan, declined=nouns.DECLINED[:1])))
    result = mailmend("fix")
    assert result.exit_code == 1
    assert "no other IPv6 address here has a good name" in result.stdout


@pytest.mark.parametrize(
    ("error", "status"), [(Refused("this needs root", "sudo"), 4), (CannotLook("no Postfix"), 3)]
)
def test_what_the_job_refuses_is_one_line(job: Any, error: Exception, status: int) -> None:
    job(error)
    result = mailmend("fix", "--yes")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (status, "", 1)


def test_no_message_is_sent_where_the_change_did_not_stand(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a message was sent")

    monkeypatch.setattr("mailmend.jobs.prove.prove", never)
    job(nouns.ROLLED_BACK)
    assert mailmend("fix", "--yes", "--to", "a@example.net").exit_code == 4


# ---- what must happen ---------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["y\n", "yes\n", "Y\n"])
def test_yes_at_the_terminal_applies_it(job: Any, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("mailmend.ui.terminal.is_tty", lambda: True)
    answers = job(nouns.FIXED)
    result = mailmend("fix", stdin=typed)
    assert (answers, result.exit_code) == ([True], 0)
    assert "Apply this? [y/N]" in result.stderr


def test_the_screen_tells_everything_in_order_and_how_to_undo_it_last(job: Any) -> None:
    job(nouns.FIXED)
    result = mailmend("fix", "--yes")
    assert result.exit_code == 0
    chapters = (
        "What was measured", "The remedy", "contains the fault", "why", "cost", "activation", "What changes",
        "DNS records to publish", nouns.REVERSE, "Weighed and not taken", "Known, and not proposed",
        "smtp_address_preference", "Proof, by fresh looks", "Done and proven",
    )  # fmt: skip
    places = [result.stdout.index(chapter) for chapter in chapters]
    assert places == sorted(places)
    assert result.stdout.splitlines()[-1] == f"To take it back: mailmend undo {nouns.RECORD.id}"


def test_a_failed_proof_is_refused_and_says_that_the_old_bytes_are_back(job: Any) -> None:
    job(nouns.ROLLED_BACK)
    result = mailmend("fix", "--yes")
    assert result.exit_code == 4
    assert "✗  running  [::]:25 is still open" in result.stdout
    assert "taken back" in result.stdout.splitlines()[-2]


def test_json_has_the_plan_the_proof_and_the_change(job: Any) -> None:
    job(nouns.FIXED)
    document = json.loads(mailmend("--json", "fix", "--yes").stdout)
    assert document["schema"] == "mailmend.fix/1"
    assert document["state"] == "kept"
    assert document["plan"]["diff"].startswith("--- /dev/null")
    assert document["plan"]["changes"][0]["activation"] == "reload"
    assert document["proof"]["holds"] is True
    assert document["change"]["id"] == nouns.RECORD.id
    assert {c["target"] for p in document["pending"] for c in p["changes"]} >= {f"{nouns.REVERSE} PTR"}


def test_one_message_is_followed_where_an_address_was_given(
    job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mailmend.jobs.prove import Proven

    sent = Delivery(
        "delivered", "a@example.net", Reply(250, "2.0.0", "taken"), Relay("mx.example.net", "192.0.2.9")
    )
    monkeypatch.setattr("mailmend.jobs.prove.prove", lambda *_, **__: Proven(None, nouns.PROOF, (sent,)))
    job(nouns.FIXED)
    result = mailmend("fix", "--yes", "--to", "a@example.net")
    assert result.exit_code == 0
    assert "delivered to a@example.net by mx.example.net: taken" in result.stdout
    refused = replace(sent, severity="bounced")
    monkeypatch.setattr("mailmend.jobs.prove.prove", lambda *_, **__: Proven(None, nouns.PROOF, (refused,)))
    assert mailmend("fix", "--yes", "--to", "a@example.net").exit_code == 1


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("change", nouns.PENDING.changes, ids=lambda change: change.target.split()[1])
def test_a_record_can_be_pasted_into_a_zone(width: int, change: Any) -> None:
    name, _, kind = change.target.rpartition(" ")
    line = zone_line(name, kind, change.after, width)
    read = zone.from_text(f"$TTL 60\n{line}\n", origin=".", relativize=False, check_origin=False)
    rdata = next(iter(read.find_rdataset(f"{name}.", rdatatype.from_text(kind))))
    assert str(rdata).strip('"') == change.after


@pytest.mark.parametrize("width", [20, 80, 500])
@pytest.mark.parametrize("length", [200, 255, 256, 410])
def test_a_long_text_is_pasted_in_strings_that_are_one(width: int, length: int) -> None:
    data = "v=DKIM1; k=rsa; p=" + "A" * (length - 18)
    line = zone_line("mailmend._domainkey.example.org", "TXT", data, width)
    read = zone.from_text(f"$TTL 60\n{line}\n", origin=".", relativize=False, check_origin=False)
    rdata = next(iter(read.find_rdataset("mailmend._domainkey.example.org.", rdatatype.TXT)))
    assert b"".join(rdata.strings).decode() == data
    assert length <= 255 or all(len(each) <= max(width, 28) for each in line.splitlines()[1:])


def test_somebody_is_there_only_where_both_ends_are_terminals() -> None:
    assert not is_tty()
