"""A remote sender writes into the log; what the operator sees must not move, hide or reorder anything."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmend.ui.encode import lines, printable


@pytest.mark.parametrize(
    "text",
    ["550 5.7.1 no", "Grüße, 你好, здравствуйте", "naïve café", "[red]not markup[/red]", "2001:db8::1", ""],
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\x1b[2Jb", "a\\x1b[2Jb", id="escape clears the screen"),
        pytest.param("a\x9b2Jb", "a\\x9b2Jb", id="U+009B does it without an escape"),
        pytest.param("a\x9d0;title\x9cb", "a\\x9d0;title\\x9cb", id="C1 sets the title"),
        pytest.param("moc.elgoog\u202e", "moc.elgoog\\u202e", id="right-to-left override"),
        pytest.param("a\u2066b\u2069", "a\\u2066b\\u2069", id="isolates"),
        pytest.param("goo\u200bgle", "goo\\u200bgle", id="zero width space"),
        pytest.param("a\U000e0041", "a\\U000e0041", id="invisible tag characters"),
        pytest.param("a\rb", "a\\x0db", id="carriage return overwrites"),
        pytest.param("a\bb\x7f", "a\\x08b\\x7f", id="backspace and delete"),
        pytest.param("a\nb", "a\\x0ab", id="a line break forges a line"),
        pytest.param("a\u2028b", "a\\u2028b", id="line separator"),
        pytest.param("a\udce9b", "a\\xe9b", id="a byte that is not UTF-8"),
        pytest.param("a\tb", "a b", id="a tab is a space"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_but_visible_text_and_spaces_is_left(text: str) -> None:
    for character in printable(text):
        assert unicodedata.category(character)[0] in "LMNPSZ"
        assert unicodedata.category(character) not in ("Zl", "Zp")


def test_lines_end_as_they_do_in_mail() -> None:
    assert lines("one\r\ntwo\nthr\ree") == ["one", "two", "thr\\x0dee"]
