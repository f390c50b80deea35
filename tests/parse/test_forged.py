"""Whatever strangers write into a log, its counts are the truth, and what nobody can read is counted as that."""

from __future__ import annotations

from collections import Counter

import pytest

from mailmend.parse.logscan import BareKey, Scanned, Scanner
from parse.forged import Log, Truth

BLOCK = 100_000


def check(log: Log) -> None:
    truth = log.truth
    for bare in (True, False):
        scanner, every = Scanner(bare=bare), list[Scanned]()
        text = bytes(log.text)
        start = 0
        while start < len(text):
            end = text.find(b"\n", min(start + BLOCK, len(text) - 1)) + 1 or len(text)
            every.append(scanner.scan(text[start:end]))
            start = end
        assert outcomes(scanner, bare=bare) == truth.outcomes
        assert sum(seen.unparsed for seen in every) == truth.unparsed
    assert sum(seen.lines for seen in every) == truth.lines
    failed = [one for seen in every for one in seen.failed]
    assert Counter(one.sender for one in failed) == truth.senders
    assert Counter(one.status for one in failed) == statuses(truth)
    assert sum(len(seen.rejected) for seen in every) == truth.rejected
    assert sum(len(seen.passed_on) for seen in every) == truth.passed_on
    assert sum(seen.messages for seen in every) == truth.messages


def outcomes(scanner: Scanner, *, bare: bool) -> Counter[tuple[str, ...]]:
    out = Counter[tuple[str, ...]]()
    for key, count in scanner.counts.items():
        if bare:
            told = BareKey(*key)
        else:
            (_, _, _, relay, family, dsn, status, _) = key
            told = BareKey(relay, family, dsn, status)
        out[tuple(part.decode() for part in told)] += count
    return out


def statuses(truth: Truth) -> Counter[str]:
    out = Counter[str]()
    for (_, _, _, status), count in truth.outcomes.items():
        if status != "sent":
            out[status] += count
    return out


@pytest.mark.parametrize("rfc3339", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_the_truth(seed: int, rfc3339: bool) -> None:
    check(Log(seed, rfc3339=rfc3339).fill(2500))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_counts_are_the_truth_of_more_logs(seed: int) -> None:
    check(Log(seed, rfc3339=seed % 2 > 0).fill(5000))


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_counts_are_the_truth_of_many_logs(seed: int) -> None:
    check(Log(seed, rfc3339=seed % 2 > 0).fill(10_000))
