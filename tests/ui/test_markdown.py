"""The pages that we write come out whole: nothing is cut, and a command can be copied from the screen."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mailmend import catalogue
from mailmend.ui.markdown import blocks, page

LONG = "postmap -q " + "x" * 120
PAGE = f"""## What happened

A `PTR` is *really* **missing**,
on two lines.

- one, which
  goes on
- two
1. first

    dig -x 2001:db8::1

    {LONG}

```
fenced  # with a comment
```
After.
"""


def drawn(text: str, *, tty: bool, width: int = 60) -> str:
    file = io.StringIO()
    page(
        Console(
            file=file,
            width=width,
            force_terminal=tty,
            color_system="standard" if tty else None,
            soft_wrap=True,
        ),
        text,
    )
    return file.getvalue()


def test_the_blocks_of_a_page() -> None:
    assert list(blocks(PAGE)) == [
        ("heading", "What happened"),
        ("paragraph", "A `PTR` is *really* **missing**, on two lines."),
        ("item", "- one, which goes on"),
        ("item", "- two"),
        ("item", "1. first"),
        ("code", f"dig -x 2001:db8::1\n\n{LONG}"),
        ("code", "fenced  # with a comment"),
        ("paragraph", "After."),
    ]


def test_marks_are_drawn_on_a_terminal_and_kept_elsewhere() -> None:
    assert "A `PTR` is *really* **missing**" in drawn(PAGE, tty=False)
    coloured = drawn(PAGE, tty=True)
    assert "`" not in coloured
    assert "*" not in coloured
    assert "\x1b[1mmissing\x1b[0m" in coloured


@pytest.mark.parametrize("name", list(catalogue.load().causes))
def test_every_word_of_every_page_reaches_the_screen(name: str) -> None:
    cause = catalogue.load().causes[name]
    text = drawn(cause.page, tty=False, width=50)
    shown = "".join(text.split())
    for kind, content in blocks(cause.page):
        assert "".join(content.split()) in shown, kind
    for line in (c for kind, content in blocks(cause.page) if kind == "code" for c in content.splitlines()):
        assert line.strip() in text
