"""A list value of main.cf -> its words (postconf(5): separated by commas and white space, `{ ... }` one word)."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """A list value split at commas and white space; `{ ... }` stays one word."""
    out: list[str] = []
    word, depth = "", 0
    for char in text + " ":
        depth += (char == "{") - (char == "}")
        if depth <= 0 and (char.isspace() or char == ","):
            if word:
                out.append(word)
            word = ""
        else:
            word += char
    if word.strip():
        out.append(word.strip())
    return tuple(out)
