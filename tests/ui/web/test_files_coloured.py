"""The colours of a file are what Postfix takes its pieces for, and lose no character of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailmend.ui.web.pages import files_coloured


@given(st.text("ab= \t\n#-o{}\r\x0b\x00é", max_size=80))
def test_no_character_comes_or_goes(text: str) -> None:
    for coloured in (files_coloured.main, files_coloured.master):
        lines = ["".join(piece for _, piece in spans) for spans in coloured(text)]
        assert "\n".join(lines) == text.removesuffix("\n")


def test_a_continuation_is_a_value_and_a_comment_within_it_is_none() -> None:
    assert files_coloured.main("a.b = x\n# c = d\n  e = f\nno equals\n") == [
        [("name", "a.b"), ("is", " = "), ("value", "x")],
        [("comment", "# c = d")],
        [("value", "  e = f")],
        [("broken", "no equals")],
    ]
    assert files_coloured.main("a =\n  b\n") == [
        [("name", "a"), ("is", " =")],
        [("is", "  "), ("value", "b")],
    ]


def test_a_service_is_told_by_its_columns_its_program_and_its_options() -> None:
    text = "smtps inet n - y - - smtpd -v\n  -o { a = b c }\n  -oq=1 x\nsmtp unix -\n"
    first, second, third, fourth = files_coloured.master(text)
    told = [(kind, piece) for kind, piece in first if piece.strip()]
    assert [piece for kind, piece in told if kind == "name"] == ["smtps", "inet"]
    assert [piece for kind, piece in told if kind == "column"] == ["n", "-", "y", "-", "-"]
    assert ("program", "smtpd") in told
    assert ("value", " -v") in told
    assert second == [("value", "  "), ("option", "-o { a = b c }")]
    assert third == [("value", "  "), ("option", "-oq=1"), ("value", " x")]
    assert fourth == [("broken", "smtp unix -")]
