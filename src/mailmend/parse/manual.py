"""The postconf(5) page, as roff or HTML -> what it says first of one parameter, as one line of plain text.

Only text comes out: requests, tags and escapes that are not known are dropped, nothing is run or fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailmend.parse import html

LONGEST = 600  # characters of a paragraph; the manual's own are shorter, but for a few
_GLYPHS = {"bu": "-", "aq": "'", "dq": '"', "em": "-", "en": "-", "lq": '"', "rq": '"', "oq": "'", "cq": "'",
           "ti": "~", "ha": "^", "rs": "\\", "bs": "\\", "co": "(c)", "<=": "<=", ">=": ">="}  # fmt: skip
_OF_A_TRANSPORT = re.compile(
    r".+?(_(?:(?:initial_)?destination|extra_recipient|recipient|minimum|delivery_slot|transport|time)_.+)"
)
_FONT = re.compile(r"\\f(?:\[[^\]]{0,20}\]|\(..|.)")
_GLYPH = re.compile(r"\\(?:\((..)|\[([^\]]{1,20})\])")
_PLAIN = {
    "-": "-",
    "e": "\\",
    "&": "",
    "|": "",
    "^": "",
    " ": " ",
    "'": "'",
    "`": "`",
    "0": " ",
    "~": " ",
    "c": "",
}
_ESCAPE = re.compile(r"\\(.)")
_TEXT = (".B", ".I", ".BR", ".IR", ".RB", ".RI", ".BI", ".IB", ".SM", ".R")
_ENDS = (".PP", ".P", ".LP", ".IP", ".TP", ".HP", ".SH", ".SS", ".sp", ".in", ".nf", ".TH")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def paragraph(page: str, name: str) -> str:
    """The first paragraph on *name* in *page*; "" where the page does not have it.

    What Postfix makes up for each transport (`smtp_recipient_limit`) stands there as `transport_recipient_limit`.
    """
    section = _html if page.lstrip()[:1] == "<" else _roff
    rendered = section(page, name)
    if not rendered and (made_up := _OF_A_TRANSPORT.fullmatch(name)):
        rendered = section(page, f"transport{made_up[1]}")
    text = " ".join(_CONTROL.sub(" ", rendered).split())
    if len(text) <= LONGEST:
        return text
    cut = text[:LONGEST]
    stop = max(cut.rfind(". "), cut.rfind(": "))
    return cut[: stop + 1] if stop > 0 else f"{cut[: cut.rfind(' ')]} ..."


def _roff(page: str, name: str) -> str:
    heading = re.search(rf"^\.SH {re.escape(name).replace('-', chr(92) * 3 + '?-')} \(", page, re.MULTILINE)
    if heading is None:
        return ""
    out: list[str] = []
    for line in page[heading.end() : heading.end() + 20_000].split("\n")[1:]:
        request = line.split(" ", 1)[0]
        if request in _ENDS:
            if out:
                break
        elif request in _TEXT:
            out.append(line[len(request) :].replace('"', ""))
        elif not line.startswith((".", "'")):
            out.append(line)
    return _unescaped(out)


def _unescaped(lines: Iterable[str]) -> str:
    text = _FONT.sub("", " ".join(lines))
    text = _GLYPH.sub(lambda glyph: _GLYPHS.get(glyph[1] or glyph[2], ""), text)
    return _ESCAPE.sub(lambda escape: _PLAIN.get(escape[1], escape[1]), text)


def _html(page: str, name: str) -> str:
    """`<DT><b><a name="NAME">NAME</a> (default: ...)</b></DT><DD>` and then paragraphs."""
    heading = re.search(rf'<a name="{re.escape(name)}">', page, re.IGNORECASE)
    if heading is None:
        return ""
    rest = page[heading.end() : heading.end() + 40_000]
    body = re.search(r"<dd>", rest, re.IGNORECASE)
    for part in re.split(
        r"</?(?:p|dt|dd|dl|ul|pre|blockquote|table)\b[^<>]{0,200}>",
        rest[body.end() :] if body else "",
        flags=re.I,
    ):
        if text := html.text(re.sub(r"</?(?:tt|code|i|b|a|em)\b[^<>]{0,500}>", "", part, flags=re.I)).strip():
            return text
    return ""
