"""Who can be forwarded, played: foretold before, tried on real Postfix, and shown; or from a recording of that."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailmend import lab as lab_room
from mailmend.jobs import demo_forwarding
from mailmend.jobs import forwarding_stage as stage
from mailmend.jobs.demo_forwarding import Forwarded
from mailmend.lab.senders import kinds
from mailmend.model import CannotLook
from mailmend.ui.cli import mailmend


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: Any, **__: Any) -> Any:
        raise CannotLook("the lab needs root")

    monkeypatch.setattr(lab_room, "open_lab", closed)


def played(*argv: str) -> Result:
    return CliRunner().invoke(mailmend, ["demo", "forwarding", *argv])


# ---- where it must not say that all is well -------------------------------------------------


def test_a_cell_that_became_another_is_shown_and_is_no_success(
    nowhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = demo_forwarding.play(lambda _: None)
    first, *others = true.cells
    wrong = replace(first, outcome="accepted", cause="")
    story = Forwarded(False, (wrong, *others))
    monkeypatch.setattr(demo_forwarding, "play", lambda *_, **__: story)
    result = played()
    assert result.exit_code == 1
    assert "ok!" in result.stdout
    assert f"1 of {len(true.cells)} cells are not as they were foretold" in result.stdout
    assert f"{first.sender}, no cure, v4: foretold {first.cause}, became accepted" in result.stdout


def test_a_recording_is_never_made_of_a_recording(nowhere: None, tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="needs root"):
        demo_forwarding.play(lambda _: None, record=tmp_path / "never.jsonl")
    assert not (tmp_path / "never.jsonl").exists()


# ---- from the recording -----------------------------------------------------------------------


def test_without_namespaces_a_recording_is_shown_as_one(nowhere: None) -> None:
    result = played("--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["schema"], document["recorded"]) == ("mailmend.demo-forwarding/1", True)
    asked = {(cell["sender"], cell["cure"], cell["family"]) for cell in document["cells"]}
    assert asked == set(product([kind.name for kind in kinds()], stage.CURES, stage.FAMILIES))
    for cell in document["cells"]:
        assert set(cell) == {"sender", "cure", "family", "predicted", "outcome", "cause"}
        assert cell["predicted"] == cell["outcome"]
        assert (cell["cause"] is None) == (cell["outcome"] == "accepted")
    assert "the lab needs root: a recorded run is shown instead" in played().stdout


def test_what_no_cure_of_ours_cures_is_said(nowhere: None) -> None:
    screen = " ".join(played().stdout.split())
    assert "All 320 cells are as they were foretold." in screen
    assert "9 kinds of senders stay refused whatever is done here" in screen


def test_each_kind_of_sender_is_explained_below_the_matrix(nowhere: None) -> None:
    """Nobody knows our names for them: each row is told of by its name, or by what it begins with."""
    matrix, _, below = played().stdout.partition("Who they are")
    told = below.split("All 320 cells")[0]
    words = {word.strip(",") for word in told.split()}
    for kind in kinds():
        assert f"\n{kind.name} " in matrix
        assert kind.name in words or f"{kind.name.partition('-')[0]}-" in words, kind.name


def test_no_line_is_too_wide_or_ends_in_blanks(nowhere: None) -> None:
    for line in played().stdout.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 80


# ---- in the lab -------------------------------------------------------------------------------


@pytest.mark.lab
def test_what_is_measured_and_becomes_of_mail_is_what_was_recorded(lab: Any) -> None:
    """One set-up of the ten; that no cell of all is wrong is tested where the facts are."""
    stage.begin(lab, "none", "ipv4")
    measured = stage.measured(lab)
    became = demo_forwarding._became(stage.outcomes(lab))
    lab.reset()
    recorded = next(run for run in demo_forwarding._recorded() if (run.cure, run.family) == ("none", "ipv4"))
    assert measured == recorded.measured
    assert {name: one is None for name, one in became.items()} == {
        name: one is None for name, one in recorded.refusals.items()
    }
