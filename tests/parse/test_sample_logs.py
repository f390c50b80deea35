"""Logs of real servers: what is counted in them is what somebody counted by hand, with grep, sed and awk."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from mailmend.parse.logscan import Scanner
from mailmend.parse.outcomes import BareKey, Key

# A folder of logs that real servers wrote, where somebody has them.
SAMPLES = Path(os.environ.get("MAILMEND_SAMPLE_LOGS", "/nonexistent"))
GOOGLE, WORKSPACE, OTHER, SENDER, V6ONLY = (
    "gmail-smtp-in.l.google.com",
    "aspmx.l.google.com",
    "aspmx2.googlemail.com",
    "mail.sender.example",
    "mx6.v6only.example",
)
V4, V6 = ".", ":"
REFUSED, SENT, PUT_OFF = ("5.7.1", "bounced"), ("2.0.0", "sent"), ("4.7.1", "deferred")
# Of each log: its lines, the messages that left the queue, 4xx before another address was tried, the outcomes.
COUNTED: dict[str, tuple[int, int, int, dict[tuple[str, str, str, str], int]]] = {
    "5.7.26-v4.log": (12, 2, 0, {(GOOGLE, V4, "5.7.26", "bounced"): 1, (SENDER, V4, *SENT): 1}),
    "debug_peer.log": (107, 2, 0, {(GOOGLE, V6, *REFUSED): 1, (SENDER, V6, *SENT): 1}),
    "defer-flush.log": (
        30,
        2,
        0,
        {
            (WORKSPACE, V4, *SENT): 1,
            (WORKSPACE, V6, *PUT_OFF): 1,
            (GOOGLE, V4, *SENT): 1,
            (GOOGLE, V6, *PUT_OFF): 1,
        },
    ),
    "drift.log": (30, 3, 0, {(GOOGLE, V4, *SENT): 3}),
    "forward-v6.log": (12, 2, 0, {(GOOGLE, V6, *REFUSED): 1, (SENDER, V6, *SENT): 1}),
    "local-submit.log": (10, 2, 0, {(GOOGLE, V6, *REFUSED): 1, (SENDER, V6, *SENT): 1}),
    "longqid-syslogname.log": (14, 2, 0, {(GOOGLE, V6, *REFUSED): 1, (SENDER, V6, *SENT): 1}),
    "null-sender.log": (7, 1, 0, {(GOOGLE, V6, *REFUSED): 1}),
    "random-any.log": (
        382,
        60,
        0,
        {
            (GOOGLE, V4, *SENT): 20,
            (GOOGLE, V6, *REFUSED): 20,
            (SENDER, V4, *SENT): 12,
            (SENDER, V6, *SENT): 8,
        },
    ),
    "remedy-a-inet_protocols-ipv4.log": (
        272,
        35,
        0,
        {
            (WORKSPACE, V4, *SENT): 2,
            (OTHER, V4, *SENT): 2,
            (GOOGLE, V4, *SENT): 27,
            (GOOGLE, V6, *REFUSED): 1,
            (SENDER, V4, *SENT): 2,
            ("none", "", "5.4.4", "bounced"): 1,
        },
    ),
    "remedy-e3-regexp.log": (
        500,
        63,
        0,
        {
            (WORKSPACE, V4, *SENT): 4,
            (OTHER, V4, *SENT): 4,
            (GOOGLE, V4, *SENT): 33,
            (GOOGLE, V6, *REFUSED): 10,
            (SENDER, V4, *SENT): 5,
            (SENDER, V6, *SENT): 5,
            (V6ONLY, V6, *SENT): 2,
        },
    ),
    "remedy-j-smtp_delivery_status_filter.log": (
        387,
        34,
        0,
        {
            (WORKSPACE, V6, *PUT_OFF): 4,
            (OTHER, V4, *SENT): 2,
            (OTHER, V6, *PUT_OFF): 2,
            (GOOGLE, V4, *SENT): 18,
            (GOOGLE, V6, *PUT_OFF): 19,
            (GOOGLE, V6, *REFUSED): 6,
            (SENDER, V4, *SENT): 5,
            (SENDER, V6, *SENT): 1,
            (V6ONLY, V6, *SENT): 2,
        },
    ),
    "soft_bounce.log": (8, 1, 0, {(GOOGLE, V4, *SENT): 1}),
    "tempfail-v6-falls-to-v4.log": (8, 1, 1, {(GOOGLE, V4, *SENT): 1}),
    "v6-unreachable.log": (8, 1, 0, {(GOOGLE, V4, *SENT): 1}),
    "workspace.log": (24, 4, 0, {(WORKSPACE, V6, *REFUSED): 1, (OTHER, V6, *REFUSED): 1, (SENDER, V6, *SENT): 2}),
}  # fmt: skip

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="MAILMEND_SAMPLE_LOGS names no folder")


@pytest.mark.parametrize("name", COUNTED)
def test_what_was_counted_by_hand(name: str) -> None:
    lines, messages, passed_on, outcomes = COUNTED[name]
    text = (SAMPLES / name).read_bytes()
    scanner, bare = Scanner(), Scanner(bare=True)
    seen = scanner.scan(text)
    bare.scan(text)
    found: Counter[tuple[str, ...]] = Counter()
    for each, count in scanner.counts.items():
        key = Key(*each)
        found[tuple(part.decode() for part in (key.relay, key.family, key.dsn, key.status))] += count
    assert found == outcomes
    least = {tuple(part.decode() for part in BareKey(*key)): count for key, count in bare.counts.items()}
    assert least == outcomes
    assert (seen.lines, seen.messages, len(seen.passed_on)) == (lines, messages, passed_on)
    assert (seen.unparsed, seen.rejected) == (0, [])


def test_every_log_of_the_folder_was_counted() -> None:
    assert {path.name for path in SAMPLES.glob("*.log")} <= COUNTED.keys()
