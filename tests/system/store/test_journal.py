"""The journal is read on behind its cursor, and where that was thrown away, from what came after it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailmend.system.store import journal
from system.programs import for_programs

LINES = (
    "2026-11-22T10:00:00+00:00 mx1 postfix/smtp[7]: one\n2026-11-22T10:00:01+00:00 mx1 postfix/smtp[7]: two\n"
)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal whose oldest entry is `s=1;i=5` and whose last is `s=1;i=9`; what it was asked for, one call a line."""
    program, calls = tmp_path / "bin/journalctl", tmp_path / "calls"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{calls}\n'
        'case "$*" in\n'
        f"*--lines=1*) printf '%s' '{LINES[:57]}'; echo '-- cursor: s=1;i=5' ;;\n"
        f"*) printf '%s' '{LINES}'; echo '-- cursor: s=1;i=9' ;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    for_programs(monkeypatch, f"{program.parent}:{os.environ['PATH']}")
    return calls


def test_what_was_before_comes_in_the_order_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/journalctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho \"$*\" >{tmp_path}/asked\nprintf 'three\\ntwo\\none\\n'\n")
    program.chmod(0o755)
    for_programs(monkeypatch, f"{program.parent}:{os.environ['PATH']}")
    assert journal.before("s=1;i=5", 8000) == b"one\ntwo\nthree\n"
    assert (tmp_path / "asked").read_text().endswith(" --cursor=s=1;i=5 --reverse --lines=100\n")
    assert journal.before("s=1;i=5", 11) == b"two\nthree\n"  # half a line is none


@pytest.mark.parametrize(
    ("cursor", "begins"),
    [("", None), ("s=1;i=5", "--after-cursor=s=1;i=5"), ("s=1;i=3", "--cursor=s=1;i=3")],
)
def test_where_it_is_read_on(asked: Path, cursor: str, begins: str | None) -> None:
    told = list(journal.blocks(cursor))
    assert b"".join(block for block, _ in told).decode() == LINES
    assert told[-1][1] == "s=1;i=9"
    options = asked.read_text().splitlines()[-1].split()
    assert [each for each in options if "cursor=" in each] == ([begins] if begins else [])
