"""Which of some thousand phrases are in a text, in time that grows with the text alone.

Each phrase is found by four letters of it: a text is cut at every second letter into fours, and only the phrases
of which such a four is among them are looked for. As a phrase may begin at an odd letter as well, it is kept under
two neighbouring fours, its rarest. Pure Python, no pattern, so nothing that a sender writes can make it slow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from operator import add

_LETTERS = 4
_STEP = 2
_PLAINLY = 64  # texts for which building the index takes longer than it saves


class Index:
    """The phrases, already as they are compared."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = tuple(dict.fromkeys(phrases))
        self._short = tuple(phrase for phrase in self._phrases if len(phrase) <= _LETTERS)
        self._asked = 0
        self._by_letters: dict[str, list[str]] = {}
        self._letters: frozenset[str] | None = None

    def within(self, text: str) -> list[str]:
        """The phrases that *text* contains; one that is there twice may be named twice."""
        if self._letters is None:
            self._asked += 1
            if self._asked <= _PLAINLY:
                return [phrase for phrase in self._phrases if phrase in text]
            self._letters = self._build()
        found = [phrase for phrase in self._short if phrase in text]
        fours = {text[at : at + _LETTERS] for at in range(0, len(text) - _LETTERS + 1, _STEP)}
        for letters in self._letters & fours:
            for phrase in self._by_letters[letters]:
                if phrase in text:
                    found.append(phrase)  # a list for each four costs more
        return found

    def _build(self) -> frozenset[str]:
        cut = {phrase: _fours(phrase) for phrase in self._phrases if len(phrase) > _LETTERS}
        common = Counter(chain.from_iterable(map(set, cut.values())))
        for phrase, fours in cut.items():
            times = [common[letters] for letters in fours]
            of_pairs = list(map(add, times, times[1:]))
            least = min(of_pairs)
            rarest = min(fours[at : at + _STEP] for at, both in enumerate(of_pairs) if both == least)
            for letters in dict.fromkeys(rarest):
                self._by_letters.setdefault(letters, []).append(phrase)
        return frozenset(self._by_letters)


def _fours(text: str) -> list[str]:
    return [text[at : at + _LETTERS] for at in range(len(text) - _LETTERS + 1)]
