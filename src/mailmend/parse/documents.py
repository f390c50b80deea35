"""JSON as people have it -> its documents: one, one a line, many one after the other, or the beginning of one.

What was cut is read as far as it goes, and what follows the last document is not its own: SNS puts a footer there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

MOST = 20_000
DEPTH_CAP = 30  # of a document that was cut
MENDED_CAP = 128 * 1024  # characters of a document that was cut

_DECODER = json.JSONDecoder(strict=False)
_BETWEEN = re.compile(r"[\s,]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*("?)|[{}\[\],]', re.DOTALL)
_CLOSES = {"{": "}", "[": "]"}


def read(text: str) -> Iterator[Any]:
    """The documents of *text*, 20,000 at most; an array of many is given as its items where it was cut."""
    text = text.lstrip()
    if text[:1] not in _CLOSES:
        return
    first, newline, rest = text.partition("\n")
    if (
        newline
        and rest.lstrip()[:1] in _CLOSES
        and first[-1:] != ","
        and (document := one(first)) is not None
    ):
        yield document
        for line in rest.split("\n", MOST)[: MOST - 1]:
            if line and not line.isspace() and (document := one(line)) is not None:
                yield document
        return
    # Old gateways break lines of more than 998 characters with a `!`.
    yield from _sequence(text.replace("!\n ", "") if "!\n " in text else text)


def one(text: str) -> Any:
    """The document that *text* begins with; None where it begins with none."""
    try:
        return _DECODER.raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError):
        return None


def _sequence(text: str) -> Iterator[Any]:
    at, items = 0, text[:1] == "["
    for number in range(MOST):
        try:
            document, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            if number or not items:
                yield _mended(text[at : at + MENDED_CAP])
                return
            at = 1  # of an array that was cut the items are read
        else:
            yield document
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if text[at : at + 1] not in _CLOSES:
            return


def _mended(text: str) -> Any:
    """A document that was cut, with what it opened closed: after its last letter, or else after its last value."""
    opened: list[str] = []
    inside, whole, still_open = "", 0, opened
    for token in _TOKEN.finditer(text):
        sign = token[0][0]
        if sign == '"':
            inside = "" if token[1] else '"'
        elif sign in _CLOSES:
            if len(opened) == DEPTH_CAP:
                return None
            opened.append(_CLOSES[sign])
        elif sign == "," or (opened and opened[-1] == sign):
            if sign != ",":
                opened.pop()
            whole, still_open = (token.start() if sign == "," else token.end()), opened[::-1]
        else:
            return None
    as_it_is = one(f"{text.rstrip(chr(92))}{inside}{''.join(reversed(opened))}")
    return one(text[:whole] + "".join(still_open)) if as_it_is is None else as_it_is
