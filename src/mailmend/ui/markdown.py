"""Our own pages, written in Markdown -> what a terminal shows: headings at the left, commands that can be copied."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text

from mailmend.ui.terminal import NAME, STRONG


class _Heading(Heading):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.text.plain, STRONG)


class _Code(CodeBlock):
    """Unbroken, uncoloured by syntax: a line of it may be wider than the page."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in str(self.text).rstrip().split("\n"):
            yield Text(f"    {line}", NAME, no_wrap=True, overflow="ignore")


class _Page(Markdown):
    elements: ClassVar = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
    }


def rendered(page: str) -> Markdown:
    """*page* as rich draws it in these elements; links are written out, not hidden behind their text."""
    return _Page(page, hyperlinks=False)
