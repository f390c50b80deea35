"""A way of mail is judged by what gets through: chance between two addresses is neither better nor worse."""

from __future__ import annotations

import pytest

from mailmend.rehearsal import Fate, Passage


def fates(text: str) -> tuple[Fate, ...]:
    """`3 bounced, 4 sent` -> fates."""
    words = [part.split() for part in text.split(", ")] if text else []
    return tuple(Fate(status, None, None, "", int(count)) for count, status in words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("7 sent", "7 sent", "same"),
        ("3 bounced, 4 sent", "5 bounced, 2 sent", "same"),
        ("1 deferred", "1 bounced", "worse"),
        ("3 bounced, 4 sent", "7 sent", "better"),
        ("7 bounced", "3 bounced, 4 sent", "better"),
        ("7 sent", "1 bounced, 6 sent", "worse"),
        ("3 bounced, 4 sent", "7 bounced", "worse"),
        ("1 sent", "1 rejected", "worse"),
        ("1 sent", "1 lost", "worse"),
        ("1 sent", "", "worse"),
        ("1 bounced", "", "worse"),
    ],
)
def test_the_verdict(before: str, after: str, verdict: str) -> None:
    assert Passage("way", "mail", "a@b.example", fates(before), fates(after)).verdict == verdict
