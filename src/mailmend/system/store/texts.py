"""A reply -> what it has in common with others, and what is its own: thousands of replies are a few hundred texts."""

from __future__ import annotations

import hashlib
import re

GAP = "\0"  # in a template, where the text had something of its own
_DIGIT = re.compile(r"\d")
_LONG = 10  # characters of a word that may be an id
_LONG_WORDS = re.compile(rf"([^ ]{{{_LONG},}})")  # few of a text's: the others are no ids
_WORDS = 50_000  # that are remembered


class _Words(dict[str, str]):
    """A long word -> itself, or a gap where it is one of many: an id, an address. Links and codes are not."""

    def __missing__(self, word: str) -> str:
        own = "://" not in word and "#" not in word
        kept = GAP if own and ("@" in word or _DIGIT.search(word)) else word
        if len(self) > _WORDS:
            self.clear()
        self[word] = kept
        return kept


_words = _Words()


def taken_apart(text: str, relay: str) -> tuple[str, str]:
    """*text* -> its template with gaps, and what stood in them; *relay* (`host[ip]`) is said shorter."""
    pieces = _LONG_WORDS.split(text)
    words = pieces[1::2]
    common = [_words[word] for word in words]
    if GAP not in common or GAP in text:
        return text, ""
    pieces[1::2] = common
    own = [word for word, kept in zip(words, common, strict=True) if kept is GAP]
    return "".join(pieces), " ".join([GAP if word == relay else word for word in own])


def filled(template: str, given: str, relay: str) -> str:
    """The text that `taken_apart` took apart."""
    if not given:
        return template
    gaps = iter(given.split(" "))
    first, *others = template.split(GAP)
    return first + "".join(
        (relay if gap == GAP else gap) + other for gap, other in zip(gaps, others, strict=True)
    )


def identity(template: str) -> int:
    """A number of 63 bits for *template*, the same in every store and at every start."""
    digest = hashlib.blake2b(template.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
