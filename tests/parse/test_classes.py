"""What is spelled out matches what was written, and nothing more."""

from __future__ import annotations

import random
import re

import pytest

from mailmend.parse import logscan, queued
from mailmend.parse.classes import spelled

EVERY = bytes(range(256))


@pytest.mark.parametrize(
    "pattern", [rb"\[", rb"\\", rb"abc", rb"\[\^a", rb".", rb"\.", rb"[^\n]", rb"\x5b", rb"(?:a|)"]
)
def test_what_is_no_class_or_quick_already_stays_as_it_is(pattern: bytes) -> None:
    assert spelled(pattern) == pattern


@pytest.mark.parametrize(
    "piece",
    [
        rb"[^,\n]", rb"[^ \n]", rb"[^\[ \n/]", rb"[^\]\s]", rb"[^\\\n\"]", rb"[0-9A-Za-z]", rb"[:\w-]", rb"[.:]",
        rb"[\]a]", rb"[^]a]", rb"[]a]", rb"[^-a]", rb"[a^]", rb"[\d@]", rb"\d", rb"[^\x00-\x7f]", rb"[^\^]",
    ],
)  # fmt: skip
def test_a_class_holds_the_same_bytes(piece: bytes) -> None:
    assert b"^" not in spelled(piece).replace(rb"[^\^]", b"") or piece == rb"[^\^]"
    assert re.findall(spelled(piece), EVERY) == re.findall(piece, EVERY)
    ascii_only = re.findall(spelled(piece, 128), EVERY[:128])
    assert ascii_only == re.findall(piece, EVERY[:128])


def test_a_class_after_an_escaped_bracket_is_one() -> None:
    assert re.fullmatch(spelled(rb"\[[^,\n]+\]\[[^,]"), b"[a b][x")
    assert not re.fullmatch(spelled(rb"\[[^,\n]+\]\[[^,]"), b"[a,b][x")


@pytest.mark.parametrize("pattern", [queued._TOLD, queued._UNTOLD, logscan._HEAD, logscan._ENDING])
def test_what_reads_the_log_matches_the_same_in_what_strangers_may_write(pattern: bytes) -> None:
    dice = random.Random(5)  # noqa: S311
    parts = [
        b"\nNov 22 10:00:01 mx1 postfix/smtp[77]: 4ABC: ", b"\n", b"Nov 22 10:00:01 mx1 postfix/smtp[77]: 4ABC", b": ",
        b"from=<", b'"a b\\"', b"@x.org>, s", b"removed", b"[1]: [ID 1 mail.info] 4A: ", b", dsn=5.1.1",
        b", status=bounced ", b"\xff", b"\r", b"<", b"]",
    ]  # fmt: skip
    plain, quick = re.compile(pattern), re.compile(spelled(pattern))
    found = 0
    for _ in range(3000):
        text = b"".join(dice.choices(parts, k=dice.randint(2, 14)))
        assert quick.findall(text) == plain.findall(text), text
        found += plain.search(text) is not None
    assert found > 20
