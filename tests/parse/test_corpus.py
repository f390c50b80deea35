"""729 bounces of other projects' collections, where they are at hand: whose mail did not arrive is found in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailmend.model import Delivery
from mailmend.parse import paste

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"no corpus at {CORPUS}")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CORPUS / "dsn.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def found(rows: list[dict[str, Any]]) -> dict[str, tuple[Delivery, ...]]:
    return {row["file"]: paste.deliveries((CORPUS / row["file"]).read_bytes()) for row in rows}


def stated(row: dict[str, Any]) -> set[str]:
    """The addresses that the collection states, or else those of the machine-readable part."""
    expected = (row["expected"] or {}).get("recipients") or []
    for recipients in (expected, row["machine"]["recipients"]):
        names = {one["recipient"].lower() for one in recipients if one.get("recipient")}
        if names:
            return names
    return set()


def named(deliveries: tuple[Delivery, ...]) -> set[str]:
    return {d.recipient.lower() for d in deliveries if d.recipient}


def test_what_is_no_bounce_is_none(
    rows: list[dict[str, Any]], found: dict[str, tuple[Delivery, ...]]
) -> None:
    for row in rows:
        if row["kind"] == "not_bounce":
            assert found[row["file"]] == (), row["file"]


def test_recipients_are_found_and_no_others(
    rows: list[dict[str, Any]], found: dict[str, tuple[Delivery, ...]]
) -> None:
    pairs = [(stated(row), named(found[row["file"]])) for row in rows if stated(row)]
    assert len(pairs) >= 432
    both = sum(len(told & got) for told, got in pairs)
    assert both / sum(len(told) for told, _ in pairs) >= 0.97
    assert both / sum(len(got) for _, got in pairs) >= 0.97


def test_elsewhere_there_are_as_many_as_stated(
    rows: list[dict[str, Any]], found: dict[str, tuple[Delivery, ...]]
) -> None:
    counts = [
        (row["expected"]["n_recipients"], len({d.recipient for d in found[row["file"]]}))
        for row in rows
        if not stated(row) and row["expected"] and "n_recipients" in row["expected"]
    ]
    assert len(counts) >= 200
    assert sum(told == got for told, got in counts) / len(counts) >= 0.97


def test_line_ends_change_nothing(found: dict[str, tuple[Delivery, ...]]) -> None:
    def told(deliveries: tuple[Delivery, ...]) -> list[object]:
        return [(d.recipient, d.severity, d.reply, d.relay) for d in deliveries]

    twins = 0
    for name, deliveries in found.items():
        if "sisimai-newline" in name:
            original = f"dsn/sisimai-set-of-emails__{name.partition('__')[2]}"
            if original in found:
                twins += 1
                assert told(deliveries) == told(found[original]), name
    assert twins >= 100
