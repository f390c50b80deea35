"""Draws on a terminal: width-aware, coloured only where there is one (NO_COLOR holds), plain when piped.

The building blocks of every screen. Text is broken at spaces only: an address, a code or a record stays
whole, so that it can be copied, even where it is wider than the terminal.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mailmend.ui.encode import lines, printable

WIDEST = 100  # columns of running text; lines longer than that are hard to read
BAD, WARN, GOOD, FAINT, STRONG, NAME = "red", "yellow", "green", "dim", "bold", "cyan"
# verdicts, standings and outcomes -> mark, the same where only ASCII can be written, style
MARKS = {
    "problem": ("✗", "x", BAD),
    "fails": ("✗", "x", BAD),
    "unknown": ("?", "?", WARN),
    "pending": ("…", ".", WARN),
    "fine": ("✓", "+", GOOD),
    "holds": ("✓", "+", GOOD),
}
_MARKED = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)")
_WORD = re.compile(r"\S+\s*|\s+")


def console(*, stderr: bool = False) -> Console:
    """Markup, emoji codes and highlighting are off: nobody's text is interpreted."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


def drawn(screen: Callable[[Console], None]) -> str:
    """What *screen* draws, as the bytes of this stdout: its width, its colours."""
    target = console()
    with target.capture() as captured:
        screen(target)
    return captured.get()


def words(text: str, style: str = "") -> Text:
    """Anybody's text, made printable, on one line."""
    return Text(printable(text), style)


def joined(*parts: str | Text) -> Text:
    """Parts put side by side; a plain one is made printable."""
    return Text.assemble(*(words(part) if isinstance(part, str) else part for part in parts))


def fill(text: Text, width: int) -> list[Text]:
    """*text* in lines of at most *width* cells where its words allow it; never broken inside a word."""
    breaks: list[int] = []
    used = 0
    for match in _WORD.finditer(text.plain):
        word = match.group()
        if used and used + cell_len(word.rstrip()) > width:
            breaks.append(match.start())
            used = 0
        used += cell_len(word)
    out = list(text.divide(breaks)) if breaks else [text.copy()]
    for line in out:
        line.rstrip()
    return out


def say(target: Console, text: str | Text, *, indent: int = 0, first: str | Text = "") -> None:
    """A paragraph. *first* stands before its first line; what follows hangs under the text."""
    body = words(text) if isinstance(text, str) else text
    lead = words(first) if isinstance(first, str) else first
    margin = indent + lead.cell_len
    width = max(min(target.width, WIDEST) - margin, 20)
    for number, line in enumerate(fill(body, width)):
        start = joined(" " * indent, lead) if number == 0 else Text(" " * margin)
        whole = start + line
        whole.rstrip()
        target.print(whole)


def verbatim(target: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """Somebody's own lines as they are, each printable."""
    for line in lines(text):
        target.print(Text(" " * indent + line, style))


def heading(target: Console, text: str) -> None:
    target.print()
    say(target, words(text, STRONG))


def pairs(target: Console, rows: Iterable[tuple[str, str | Text]], *, indent: int = 2) -> None:
    """Labels in one column, what they stand for beside them."""
    known = [(label, text) for label, text in rows if len(text)]
    width = max((len(label) for label, _ in known), default=0)
    for label, text in known:
        say(target, text, indent=indent, first=words(label.ljust(width + 2), FAINT))


def numbered(target: Console, steps: Iterable[str], *, indent: int = 2) -> None:
    for number, step in enumerate(steps, 1):
        say(target, prose(target, step), indent=indent, first=words(f"{number}. ", STRONG))


def prose(target: Console, text: str) -> Text:
    """Our own sentences: `code`, **strong** and *emphasis* drawn; where there is none, they keep their marks."""
    if target.color_system is None:
        return words(text)
    out = Text()
    for part in _MARKED.split(text):
        if part.startswith("`"):
            out += words(part.strip("`"), NAME)
        elif part.startswith("*") and part.endswith("*") and len(part) > 2:
            out += words(part.strip("*"), STRONG if part.startswith("**") else "italic")
        else:
            out += words(part)
    return out


def mark(target: Console, standing: str) -> Text:
    """✓ ✗ ? … in its colour, or their ASCII stand-ins where the terminal has no others."""
    sign, ascii_sign, style = MARKS[standing]
    return Text(sign if target.encoding.lower().startswith("utf") else ascii_sign, f"{STRONG} {style}")


def columns(
    target: Console, rows: Sequence[Sequence[str | Text]], *, head: Sequence[str] = (), indent: int = 2
) -> None:
    """Rows with aligned columns; the last column is running text that hangs under itself."""
    table = [[words(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    titles = [words(title, FAINT) for title in head]
    every = [titles, *table] if titles else table
    if not every:
        return
    widths = [max(row[i].cell_len for row in every) for i in range(len(every[0]) - 1)]
    for row in every:
        lead = Text()
        for cell, width in zip(row, widths, strict=False):
            lead += cell + Text(" " * (width - cell.cell_len + 2))
        say(target, row[-1], indent=indent, first=lead)


def difference(target: Console, diff: str, *, indent: int = 2) -> None:
    """A unified difference in the colours that everybody knows."""
    for line in lines(diff.removesuffix("\n")):
        style = ""
        if line.startswith(("+++", "---")):
            style = STRONG
        elif line.startswith("@@"):
            style = NAME
        elif line.startswith("+"):
            style = GOOD
        elif line.startswith("-"):
            style = BAD
        target.print(Text(" " * indent + line, style))


def command(text: str) -> Text:
    """A command line to type."""
    return words(text, NAME)


def is_tty() -> bool:
    """Whether somebody can be asked: both to read the question and to answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()
