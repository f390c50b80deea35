"""Screens keep addresses, codes and records whole, at any width, and colour only what is a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from mailmend.ui import terminal
from mailmend.ui.terminal import columns, difference, fill, mark, numbered, pairs, say, verbatim, words

ADDRESS = "2001:db8:1111:2222:3333:4444:5555:6666"


def paper(width: int = 40, *, tty: bool = False, encoding: str = "utf-8") -> tuple[Console, io.TextIOWrapper]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    return Console(file=file, width=width, force_terminal=tty, color_system="standard" if tty else None,
                   markup=False, emoji=False, highlight=False, soft_wrap=True), file  # fmt: skip


def read(file: io.TextIOWrapper) -> str:
    buffer = file.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(file.encoding)


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_no_address_is_broken(width: int) -> None:
    target, file = paper(width)
    say(target, f"The address {ADDRESS} has no name at all", indent=2, first="1. ")
    assert ADDRESS in read(file)


def test_markup_of_a_stranger_is_text() -> None:
    target, file = paper(tty=True)
    say(target, "[red]no[/red] :smile: [link=https://example.org]x[/link]")
    assert read(file).split() == ["[red]no[/red]", ":smile:", "[link=https://example.org]x[/link]"]


@pytest.mark.parametrize("block", ["say", "verbatim", "pairs", "columns", "numbered", "difference"])
def test_no_block_lets_an_escape_through(block: str) -> None:
    evil = "x\x1b]0;owned\x07\x9b31m\u202ey"
    target, file = paper(tty=False)
    {
        "say": lambda: say(target, evil, first=evil),
        "verbatim": lambda: verbatim(target, evil),
        "pairs": lambda: pairs(target, [(evil, evil)]),
        "columns": lambda: columns(target, [(evil, evil)], head=(evil, evil)),
        "numbered": lambda: numbered(target, [evil]),
        "difference": lambda: difference(target, f"+{evil}\n-{evil}\n"),
    }[block]()
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(read(file))
    assert "\\x1b]0;owned\\x07\\x9b31m\\u202ey" in read(file)


def test_text_hangs_under_itself() -> None:
    target, file = paper(26)
    numbered(target, ["one two three four five"])
    assert read(file) == "  1. one two three four\n     five\n"


def test_columns_align_and_the_last_hangs() -> None:
    target, file = paper(30)
    columns(target, [("a", "bb", "one two three four five"), ("aaa", "b", "six")], head=("h", "", "says"))
    assert read(file).splitlines() == [
        "  h        says",
        "  a    bb  one two three four",
        "           five",
        "  aaa  b   six",
    ]


def test_running_text_is_not_wider_than_can_be_read() -> None:
    target, file = paper(300)
    say(target, "word " * 60)
    assert max(map(len, read(file).splitlines())) <= terminal.WIDEST


def test_wide_characters_count_twice() -> None:
    assert [line.plain for line in fill(Text("你好 你好 你好"), 9)] == ["你好 你好", "你好"]


def test_a_wide_last_word_does_not_lose_its_style() -> None:
    line = fill(words("a bb", "bold") + Text(" ccc"), 4)[0]
    assert line.style == "bold" or any(span.style == "bold" for span in line.spans)


def test_where_only_ascii_can_be_written_the_marks_are_ascii() -> None:
    target, _ = paper(encoding="ascii")
    assert {mark(target, name).plain for name in terminal.MARKS} <= {"x", "?", "+", "."}


def test_a_difference_keeps_every_line_whole() -> None:
    target, file = paper(20)
    difference(target, f"--- a\n+++ a\n@@ -1 +1 @@\n-x\n+mynetworks = {ADDRESS} {ADDRESS}\n", indent=0)
    assert read(file).splitlines()[-1] == f"+mynetworks = {ADDRESS} {ADDRESS}"


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        "sys.stdout", type("Tty", (io.StringIO,), {"isatty": lambda _: True, "encoding": "utf-8"})()
    )
    drawn = terminal.drawn(lambda target: say(target, words("bad", "red")))
    assert ("\x1b[31m" in drawn) is coloured


def test_nothing_is_coloured_when_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert terminal.drawn(lambda target: say(target, words("bad", "bold red"))) == "bad\n"
