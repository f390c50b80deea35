"""The journal is read on behind its cursor, and where that was thrown away, from what came after it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
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


# ---- more than fits into memory --------------------------------------------------------------

# A journal of lines that are numbered from 1: the number is the cursor.
KEEPS = """#!{python}
import sys
from datetime import datetime
asked = dict(word.partition("=")[::2] for word in sys.argv[1:])
lines = open({lines!r}).read().splitlines()
first = int(asked.get("--after-cursor") or 0) + 1 if "--after-cursor" in asked else int(asked.get("--cursor") or 1)
last = 0
for number in range(first, len(lines) + 1):
    line = lines[number - 1]
    until = asked.get("--until")
    if until and datetime.fromisoformat(line.split()[0]).timestamp() > int(until[1:]):
        break
    if asked.get("--lines") == "1" and last:
        break
    last = number
    try:
        print(line)
    except BrokenPipeError:
        sys.exit(1)
if "--show-cursor" in asked and last:
    print(f"-- cursor: {{last}}")
"""


def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: list[int]) -> list[str]:
    """A journalctl over lines at these seconds after a time; the lines."""
    began = datetime(2026, 11, 20, tzinfo=UTC)
    lines = [
        f"{began + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}+00:00 mx1 postfix/smtp[7]: line {number} {'x' * 900}"
        for number, second in enumerate(seconds, 1)
    ]
    (tmp_path / "lines").write_text("".join(f"{line}\n" for line in lines))
    program = tmp_path / "bin/journalctl"
    program.parent.mkdir()
    program.write_text(KEEPS.format(python=sys.executable, lines=str(tmp_path / "lines")))
    program.chmod(0o755)
    for_programs(monkeypatch, f"{program.parent}:{os.environ['PATH']}")
    return lines


def read(pieces: journal.Pieces) -> list[tuple[str, str]]:
    """The text of each piece, and the cursor behind it."""
    return [(b"".join(piece).decode(), pieces.cursor) for piece in pieces]


def test_a_journal_without_a_line_has_no_piece_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tmp_path, monkeypatch, [])
    assert all(text.strip() == "" for text, _ in read(journal.Pieces("")))


def test_nothing_new_is_no_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path, monkeypatch, [0, 1, 2])
    assert read(journal.Pieces("3")) == []


def test_each_line_is_in_one_piece_and_each_piece_ends_with_its_cursor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crowds and gaps: many at once, then an hour of nothing, and a clock that goes back in between."""
    seconds = [*(n // 50 for n in range(2000)), *range(3700, 3760), 3710, 3711, *range(9000, 9900, 30)]
    lines = kept(tmp_path, monkeypatch, seconds)
    told = read(journal.Pieces(""))
    assert "".join(text for text, _ in told).splitlines() == lines
    assert len(told) > 3
    count = 0
    for text, cursor in told:
        count += len(text.splitlines())
        assert cursor == str(count)
    # Begun anew behind any piece, the rest comes.
    after = int(told[1][1])
    assert "".join(text for text, _ in read(journal.Pieces(str(after)))).splitlines() == lines[after:]
