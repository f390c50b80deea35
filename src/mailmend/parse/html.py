"""HTML, or what is left of it after copying -> the text that a reader saw, in one pass and without its scripts."""

from __future__ import annotations

import re

_TAG = re.compile(
    r"</?(?:p|br|div|span|b|i|u|pre|blockquote|html|head|body|a|td|tr|th|table|tbody|thead|font|code|tt|strong|em|li|ul|ol"
    r"|h[1-6]|hr|img|meta|link|center|small|dl|dt|dd|section|o:p)(?:\s[^<>]{0,1000})?/?>|<!(?:--|doctype)[^<>]{0,1000}>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br ?/?>[ \t]{0,8}\n", re.IGNORECASE)  # one line's end, not two
_UNSEEN = re.compile(r"<(style|script|title)\b[^<>]{0,200}>[^<]{0,20000}(?:</\1>)?", re.IGNORECASE)


def looks_like(text: str) -> bool:
    """Whether there is any tag or entity in *text* that copying may have left there."""
    return _TAG.search(text) is not None or "&" in text


def text(page: str) -> str:
    """*page* without tags, entities read; what stood in a block of its own stands in a line of its own."""
    from html import unescape

    return unescape(_TAG.sub(_instead, _BREAK.sub("<br>", _UNSEEN.sub("", page)))).replace("\u00a0", " ")


def _instead(tag: re.Match[str]) -> str:
    """Spans do not end a line; everything else may."""
    name = tag[0].lstrip("</").lower()
    return "" if name.startswith(("span", "b>", "i>", "u>", "strong", "em>", "a ", "a>", "font")) else "\n"
