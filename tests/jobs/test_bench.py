"""bench explain: somebody's labelled refusals in, how often explain is right out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailmend.jobs import bench
from mailmend.model import ParseError

PTR = "550 5.7.25 The IP address sending this message does not have a PTR record - gsmtp"
BOTH = "550 5.7.1 This message does not meet IPv6 sending guidelines - gsmtp"
ODD = "550 5.0.0 we did not like it today"


def rows(*given: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in given).encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"550 no", "x: line 1: Expecting value|x: line 1: Extra data"),
        (b'\n{"cause": "spf-fail"}', "x: line 2: no `text`"),
        (b'["text"]', "x: line 1: no `text`"),
        (b'{"text": "550 no"}', "x: no row has a `cause`"),
        (b"", "no row has a `cause`"),
        (b'{"text": "550 no", "cause": "bad-luck"}', "there is no cause bad-luck"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(data: bytes, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        bench.explain("x", data)


def test_what_is_not_explained_is_not_right_and_not_covered() -> None:
    measure = bench.explain("x", rows({"text": ODD, "cause": "ptr-missing"}))
    assert (measure.coverage.right, measure.fine.right, measure.coarse.right, measure.who.right) == (
        0,
        0,
        0,
        0,
    )
    assert measure.confusion == (("ptr-missing", "unknown", 1),)
    assert measure.macro_f1 == 0


def test_the_wrong_cause_may_still_be_of_the_right_class_or_for_the_same_people() -> None:
    row = {"text": PTR, "cause": "fcrdns_mismatch", "coarse": "ptr", "who": ["own_mta", "sender_dns"]}
    measure = bench.explain("x", rows(row))
    assert (measure.coverage.right, measure.fine.right) == (1, 0)
    assert (measure.coarse.right, measure.who.right) == (1, 1)


def test_a_cause_that_an_ambiguous_reply_names_is_acceptable_and_not_fine() -> None:
    measure = bench.explain("x", rows({"text": BOTH, "cause": "spf-fail"}))
    assert (measure.fine.right, measure.acceptable.right) == (0, 1)


def test_what_is_right_is_right_by_either_spelling() -> None:
    measure = bench.explain(
        "x",
        rows(
            {"text": PTR, "cause": "ptr_missing", "receiver": "google"}, {"text": BOTH, "cause": "spf-fail"}
        ),
    )
    assert (measure.rows, measure.fine.right, measure.fine.share) == (2, 1, 0.5)
    assert (measure.receiver.right, measure.receiver.total) == (1, 1)


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    measure = bench.explain("x", rows({"text": ODD}, {"text": PTR, "cause": "ptr-missing"}))
    assert (measure.rows, measure.skipped) == (1, 1)


def test_rare_causes_weigh_as_much_as_frequent_ones() -> None:
    frequent = [{"text": PTR, "cause": "ptr-missing"}] * 9
    measure = bench.explain("x", rows(*frequent, {"text": ODD, "cause": "virus"}))
    assert measure.fine.share == 0.9
    assert measure.macro_f1 == 0.5


def test_it_is_told_how_far_it_is() -> None:
    seen: list[tuple[int, int]] = []
    row = {"text": PTR, "cause": "ptr-missing"}
    bench.explain("x", rows(row, row), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
