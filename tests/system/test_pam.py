"""What PAM is told: whose rules are asked, and one hidden question answered once."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from mailmend.model import Refused
from mailmend.system import pam

HIDDEN, SHOWN, ERROR, TOLD = 1, 2, 3, 4


def asked(*styles: int, times: int = 1) -> list[tuple[int, list[bytes | None]]]:
    """What the conversation says to the same questions, so many times: its status, and the answers."""
    libc = pam._load()[1]  # the test is of what PAM calls back, which nothing else does
    answer = pam._Answer(pam._once(libc, b"secret"))
    messages = [pam._Message(style, b"?") for style in styles]
    table = (ctypes.POINTER(pam._Message) * len(styles))(*(ctypes.pointer(m) for m in messages))
    said = []
    for _ in range(times):
        responses = ctypes.POINTER(pam._Response)()
        status = answer(len(styles), table, ctypes.pointer(responses), None)
        texts = [responses[n].text for n in range(len(styles))] if status == 0 else []
        said.append((status, [ctypes.string_at(text) if text else None for text in texts]))
    return said


def test_a_question_whose_answer_is_shown_gets_none() -> None:
    assert asked(SHOWN) == [(19, [])]


def test_a_second_question_gets_nothing_and_no_second_password() -> None:
    assert asked(HIDDEN, HIDDEN) == [(19, [])]
    assert asked(HIDDEN, times=2) == [(0, [b"secret"]), (19, [])]


def test_what_is_only_told_is_heard() -> None:
    assert asked(TOLD, ERROR) == [(0, [None, None])]
    assert asked(TOLD, HIDDEN) == [(0, [None, b"secret"])]


def test_the_rules_of_other_are_nobodys_choice(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    with pytest.raises(Refused, match="no rules for mailmend"):
        pam.service((str(tmp_path),))


def test_rules_of_its_own_win_over_those_of_login(tmp_path: Path) -> None:
    vendor, own = tmp_path / "vendor", tmp_path / "own"
    for folder in (vendor, own):
        folder.mkdir()
    (own / "login").touch()
    assert pam.service((str(own), str(vendor))) == "login"
    (vendor / "mailmend").touch()
    assert pam.service((str(own), str(vendor))) == "mailmend"
