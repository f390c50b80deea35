"""Which of some thousand phrases are in a text, in time that grows with the text alone.

Each phrase is found by its rarest four letters: a text is cut into its fours, and only the phrases whose four
is among them are looked for. Pure Python, no pattern, so nothing that a sender writes can make it slow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

_LETTERS = 4
_PLAINLY = 64  # texts for which building the index takes longer than it saves


class Index:
    """The phrases, already as they are compared."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = tuple(dict.fromkeys(phrases))
        self._short = tuple(phrase for phrase in self._phrases if len(phrase) < _LETTERS)
        self._asked = 0
        self._by_letters: dict[str, list[str]] = {}
        self._letters: frozenset[str] = frozenset()

    def within(self, text: str) -> list[str]:
        """The phrases that *text* contains."""
        if not self._letters:
            self._asked += 1
            if self._asked <= _PLAINLY:
                return [phrase for phrase in self._phrases if phrase in text]
            self._build()
        fours = _fours(text)
        found = [phrase for phrase in self._short if phrase in text]
        for letters in self._letters & fours:
            for phrase in self._by_letters[letters]:
                if phrase in text:
                    found.append(phrase)  # a list for each four costs more
        return found

    def _build(self) -> None:
        cut = {phrase: _fours(phrase) for phrase in self._phrases if len(phrase) >= _LETTERS}
        common = Counter(letters for fours in cut.values() for letters in fours)
        for phrase, fours in cut.items():
            rarest = min(fours, key=lambda letters: (common[letters], letters))
            self._by_letters.setdefault(rarest, []).append(phrase)
        self._letters = frozenset(self._by_letters)


def _fours(text: str) -> set[str]:
    return {text[at : at + _LETTERS] for at in range(len(text) - _LETTERS + 1)}
