"""Text of strangers -> text that a terminal only shows: nothing in it moves, hides or reorders anything.

Bounces, logs and DNS records carry what a remote sender chose: escape sequences (ECMA-48, with the C1
controls that work without an escape character), bidirectional overrides (UAX #9), invisible characters.
Each is made visible as its escape. Rich's markup needs no escape: it is never interpreted here, because
every piece of text is a `rich.text.Text`.
"""

from __future__ import annotations

import unicodedata

# Controls, format characters (bidi, zero width, tags), lone surrogates, and what no font is agreed on.
_SHOWN_AS_ESCAPES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def printable(text: str) -> str:
    """*text* on one line: a tab becomes a space, all else that is not plainly visible its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_character, text))


def lines(text: str) -> list[str]:
    """*text* line by line, each printable; CR LF ends a line as LF does."""
    return [printable(line) for line in text.replace("\r\n", "\n").split("\n")]


def _character(character: str) -> str:
    if character == "\t":
        return " "
    if unicodedata.category(character) not in _SHOWN_AS_ESCAPES:
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was not UTF-8, as surrogateescape carries it
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
