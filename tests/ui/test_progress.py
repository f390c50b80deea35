"""What takes a second needs no word; what takes longer says on stderr what it does, and cleans up after itself."""

from __future__ import annotations

import time

import pytest

from mailmend.ui import progress as module
from mailmend.ui.progress import bar, progress


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)


def test_what_is_quick_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 30)
    with progress() as step:
        step("looking")
    assert capsys.readouterr() == ("", "")


def test_what_takes_longer_tells_its_steps_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as step:
        step("looking \x1b[31m")
        time.sleep(0.2)
        step("planning")
    assert capsys.readouterr() == ("", "mailmend: looking \\x1b[31m\nmailmend: planning\n")


def test_while_somebody_answers_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as step:
        step("looking")
        time.sleep(0.2)
        step.pause()
        time.sleep(0.2)
    assert capsys.readouterr().err == "mailmend: looking\n"


def test_an_error_leaves_no_spinner(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), progress() as step:
        step("looking")
        raise RuntimeError
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_a_short_input_draws_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("explaining") as advance:
        advance(1, 2)
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_long_input_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINE", 0.0)
    with bar("explaining") as advance:
        advance(7, 0)
        time.sleep(0.2)
        advance(50, 200)
    reading, explaining = capsys.readouterr().err.splitlines()
    assert reading == "mailmend: reading, 7 read"
    assert explaining.startswith("mailmend: explaining [######..................] 50 of 200, ")
    assert explaining.endswith(" s left")
