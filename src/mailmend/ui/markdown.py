"""The pages of causes/, in the Markdown that they are written in -> a terminal: nothing cut, commands can be copied.

Headings, paragraphs, lists, code (indented or fenced), `code` and **strong** inside text. Anything else is text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.text import Text

from mailmend.ui.terminal import NAME, STRONG, heading, joined, prose, say, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

_ITEM = re.compile(r"(?:[-*]|(\d+)\.) +(.*)")


def page(target: Console, text: str) -> None:
    """Draw *text*; code stands unbroken, however wide it is."""
    before = ""
    for kind, content in blocks(text):
        if kind != "heading" and before and (kind, before) != ("item", "item") and before != "heading":
            target.print()
        if kind == "heading":
            heading(target, content)
        elif kind == "code":
            verbatim(target, content, indent=4, style=NAME)
        elif kind == "item":
            lead, _, item = content.partition(" ")
            say(target, prose(target, item), indent=2, first=joined(Text(lead, STRONG), " "))
        else:
            say(target, prose(target, content))
        before = kind


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(kind, content) in order: heading, code, item (`- text`, `1. text`), paragraph."""
    lines = text.strip("\n").split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.strip():
            continue
        if line.startswith("#"):
            yield "heading", line.lstrip("#").strip()
        elif line.startswith("```"):
            end = next((i for i in range(at, len(lines)) if lines[i].startswith("```")), len(lines))
            yield "code", "\n".join(lines[at:end])
            at = end + 1
        elif line.startswith("    "):
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield "code", "\n".join(each[4:] for each in lines[at - 1 : end]).rstrip()
            at = end
        else:
            # A list item goes on in lines that are indented; a paragraph in any that begin nothing new.
            item = _ITEM.match(line)
            end = at
            while end < len(lines) and lines[end].strip() and not _begins(lines[end], item is not None):
                end += 1
            whole = " ".join(each.strip() for each in lines[at - 1 : end])
            at = end
            if item:
                yield "item", whole if item.group(1) else f"- {whole[1:].lstrip()}"
            else:
                yield "paragraph", whole


def _begins(line: str, in_item: bool) -> bool:
    if line.startswith(("#", "```")) or _ITEM.match(line):
        return True
    return in_item and not line.startswith(" ")
