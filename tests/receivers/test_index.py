"""The index finds what a plain look at every phrase finds, soon and late, and takes no longer for a hostile text."""

from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from mailmend.receivers.index import Index

LETTERS = st.text("abc", min_size=1, max_size=9)


@settings(max_examples=200, deadline=None)
@given(st.lists(LETTERS, max_size=30), st.text("abc", max_size=60))
def test_it_finds_what_is_there_whether_or_not_it_was_built(phrases: list[str], text: str) -> None:
    index = Index(phrases)
    there = {phrase for phrase in phrases if phrase in text}
    for _ in range(70):  # the first texts are looked through plainly
        assert set(index.within(text)) == there


def test_twice_the_text_takes_twice_the_time() -> None:
    chance = random.Random(1)  # noqa: S311
    phrases = ["".join(chance.choices("abcdefgh", k=chance.randint(4, 40))) for _ in range(3000)]
    index = Index(phrases)
    for _ in range(70):
        index.within("warm")
    short = "".join(phrases)[:4000]

    def took(text: str) -> float:
        times = []
        for _ in range(9):
            begun = time.process_time()
            index.within(text)
            times.append(time.process_time() - begun)
        return min(times)

    # A text made of nothing but phrases is the worst there is.
    assert took(short * 2) < 3.0 * took(short)
    assert took(short * 2) < 0.25
