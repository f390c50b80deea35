"""The story as anybody can play it: in the lab on real Postfix, or where that cannot be, from a recording."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from mailmend import lab as lab_room
from mailmend.jobs.demo import demo
from mailmend.jobs.stage import LabStage, RecordedStage
from mailmend.model import CannotLook
from mailmend.ui import show
from mailmend.ui.cli import mailmend


def shape(thing: Any) -> Any:
    """The keys of a document, all the way down; lists by their first element."""
    if isinstance(thing, dict):
        return {
            key: shape(value) for key, value in thing.items() if key not in ("answer", "question", "evidence")
        }
    if isinstance(thing, list):
        return [shape(thing[0])] if thing else []
    return None


@pytest.fixture(scope="module")
def told(lab: Any) -> dict[str, Any]:
    """The document of one run in the lab."""
    document: dict[str, Any] = json.loads(json.dumps(show.demo(demo(LabStage(lab), lambda *_: None))))
    return document


def open_sockets(listeners: list[dict[str, Any]]) -> list[tuple[str, int]]:
    assert all(isinstance(item["pid"], int) and isinstance(item["fd"], int) for item in listeners)
    return [(item["address"], item["port"]) for item in listeners]


# ---- in the lab ---------------------------------------------------------------------------


@pytest.mark.lab
def test_before_half_is_bounced_over_ipv6_and_half_sent_over_ipv4(told: dict[str, Any]) -> None:
    assert {(d["status"], d["family"]) for d in told["before"]["deliveries"]} == {
        ("bounced", "ipv6"),
        ("sent", "ipv4"),
    }
    assert all(
        "IPv6 sending guidelines" in d["reply"]
        for d in told["before"]["deliveries"]
        if d["status"] == "bounced"
    )


@pytest.mark.lab
def test_the_bounce_is_explained_and_the_cause_measured(told: dict[str, Any]) -> None:
    refusal = told["explanation"]["refusals"][0]
    assert refusal["cause"] == "ipv6-ptr-or-auth"
    assert refusal["receiver"] == "google"
    assert refusal["forwarded"] is True
    assert {"ptr-missing", "spf-fail"} <= set(refusal["ambiguous"])
    measured = {(f["cause"], f["subject"]) for f in told["findings"] if f["standing"] == "measured"}
    assert ("ptr-missing", "2001:db8:1::10") in measured


@pytest.mark.lab
def test_after_the_default_remedy_all_are_sent(told: dict[str, Any]) -> None:
    assert told["plan"]["remedy"] == "ipv4-for-receiver"
    assert "smtp_dns_reply_filter" in told["plan"]["diff"]
    assert len(told["after"]["deliveries"]) >= 12
    assert {(d["status"], d["family"]) for d in told["after"]["deliveries"]} == {("sent", "ipv4")}
    assert open_sockets(told["after"]["listeners"]) == open_sockets(told["before"]["listeners"])


@pytest.mark.lab
def test_the_kludge_needs_stop_and_start(told: dict[str, Any]) -> None:
    seed = told["seed"]
    assert ("::", 25) in open_sockets(seed["before"])
    assert ("::", 25) in open_sockets(seed["reloaded"])
    assert open_sockets(seed["after"]) == [("0.0.0.0", 25)]
    assert "[::1]" in seed["mynetworks"]["before"]
    assert "[" not in seed["mynetworks"]["after"]


@pytest.mark.lab
def test_both_remedies_are_undone_byte_for_byte_and_every_proof_holds(told: dict[str, Any]) -> None:
    assert told["undo"]["identical"] is True
    assert told["recorded"] is False
    assert [says for says, held in told["proofs"].items() if not held] == []


# ---- from the recording -------------------------------------------------------------------


def test_a_recording_says_that_it_is_one_and_concludes_anew() -> None:
    replayed = show.demo(demo(RecordedStage(), lambda *_: None))
    assert replayed["recorded"] is True
    assert replayed["schema"] == "mailmend.demo/1"
    assert [says for says, held in replayed["proofs"].items() if not held] == []
    assert replayed["plan"]["remedy"] == "ipv4-for-receiver"


@pytest.mark.lab
def test_the_recording_is_of_this_mailmend(told: dict[str, Any]) -> None:
    """Same shape, same plan; otherwise it wants to be recorded anew (CONTRIBUTING.md)."""
    replayed = show.demo(demo(RecordedStage(), lambda *_: None))
    assert shape({**replayed, "strict": None}) == shape({**told, "strict": None})
    assert replayed["plan"]["changes"] == told["plan"]["changes"]
    assert replayed["plan"]["diff"] == told["plan"]["diff"]
    seen = {(f["cause"], f["standing"]) for f in replayed["findings"]}
    assert seen == {(f["cause"], f["standing"]) for f in told["findings"]}


def test_without_namespaces_the_command_replays_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: Any, **__: Any) -> Any:
        raise CannotLook("the lab needs root")

    monkeypatch.setattr(lab_room, "open_lab", closed)
    done = CliRunner().invoke(mailmend, ["demo", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["recorded"] is True
    assert "the lab needs root" in CliRunner().invoke(mailmend, ["demo"]).output
