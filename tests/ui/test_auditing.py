"""The audit by sender as an operator reads it: who is lost, who is cured by what, what nobody knows."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from mailmend.facts.forward_outcome import Prediction
from mailmend.facts.sender_audit import Judged, Kind
from mailmend.jobs.sender_audit import Audit, Row
from mailmend.jobs.sender_audit_stored import Stored
from mailmend.ui.screens.auditing import audited
from mailmend.ui.show import audits

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LOST = Judged("refused", cause="dmarc-reject", why="spf-only", author="shop.example", policy="reject")
CURED = Judged(
    "refused", cause="unauthenticated", why="unsigned", cures=("srs",), author="club.example", policy=""
)
FINE = Judged("accepted", author="bank.example", policy="reject")
EITHER = Judged(
    "unknown",
    cause="unauthenticated",
    why="signature-unknown",
    cures=("srs",),
    if_signed=Prediction("accepted"),
    if_unsigned=Prediction("refused", "unauthenticated", ("srs",)),
    assumed=True,
    author="news.example",
    policy="none",
)


def row(sender: str, judged: Judged, count: int = 4, refused: int = 0, **kind: Any) -> Row:
    known: dict[str, Any] = {
        "author": judged.author,
        "verified": (),
        "signed": False,
        "receiver": "google",
    } | kind
    return Row(Kind(sender, **known), count, refused, 0, (), "someone@gmail.com", judged)


def seen(*rows: Row, **known: Any) -> Audit:
    told: dict[str, Any] = {"own": 0, "nobody": 0, "beyond": (0, 0), "span": (NOON, NOON)} | known
    return Audit(rows, sum(r.count for r in rows), **told)


def screen(audit: Audit, width: int = 80) -> str:
    out = io.StringIO()
    audited(
        Console(file=out, width=width, markup=False, highlight=False, soft_wrap=True), audit, "mx.example.org"
    )
    return out.getvalue()


# ---- what is not said ----------------------------------------------------------------------


def test_where_all_is_well_nothing_is_asked_of_anybody() -> None:
    told = screen(seen(row("bank.example", FINE, verified=("bank.example",), signed=True)))
    assert "4 from bank.example" in told
    for word in ("Cannot be forwarded", "cure", "Depends", "header_checks", "--message", "Google's"):
        assert word not in told


def test_nothing_forwarded_is_one_line() -> None:
    assert screen(seen(span=(None, None))) == "mx.example.org: nothing was forwarded.\n"


def test_a_policy_is_not_blamed_where_only_a_signature_is_missing() -> None:
    assert "p=reject" not in screen(seen(row("club.example", CURED, refused=4)))


# ---- what is -------------------------------------------------------------------------------


def test_who_is_lost_comes_first_and_is_told_so() -> None:
    told = screen(
        seen(row("shop.example", LOST, 6, 6), row("club.example", CURED, 3, 1), row("bank.example", FINE, 1))
    )
    assert "10 forwarded" in told
    assert "7 refused (70 %)" in told.replace("\n", " ")
    assert (
        told.index("Cannot be forwarded") < told.index("shop.example") < told.index("fetch them another way")
    )
    assert told.index("Will be refused, until it is cured") < told.index("mailmend fix --remedy srs")
    assert told.index("mailmend fix") < told.index("Accepted")
    assert "60.0 %" in told


def test_both_outcomes_are_told_and_how_to_learn_which() -> None:
    told = " ".join(
        screen(seen(row("news.example", EITHER, author=None, verified=None, signed=None))).split()
    )
    assert "refused unless it arrives signed; otherwise srs cures it" in told
    assert "Whether mail arrives signed is not in this log." in told


def test_what_was_left_out_is_counted() -> None:
    audit = seen(row("bank.example", FINE), own=2, nobody=3, beyond=(7, 900), stored=Stored(NOON, 5, 8, 11))
    told = " ".join(screen(audit).split())
    assert "2 of them from this host's own senders" in told
    assert "of 3 the log does not show the sender" in told
    assert "7 rarer domains (900 messages) were not looked at" in told
    assert (
        "the delivery store tells: 8 taken and 5 refused, and 11 taken of whose senders it knows nothing"
        in told
    )


def test_of_many_senders_the_worst_are_shown_and_the_rest_counted() -> None:
    told = screen(seen(*[row(f"shop{n}.example", LOST, 1, 1) for n in range(40)]))
    assert sum(".example: " in line for line in told.splitlines()) == 15
    assert "and 25 more: --json has all" in told


def test_receivers_are_told_apart_where_there_are_several() -> None:
    both = (row("shop.example", LOST, 1, 1), row("shop.example", LOST, 1, 1, receiver="mx.example.net"))
    told = screen(seen(*both), 120)
    assert "shop.example to google" in told
    assert "shop.example to mx.example.net" in told
    assert "the rules are Google's" in told


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = (
        row("shop.example", LOST, 1234567, 1234567),
        row("news.example", EITHER, verified=None, signed=None),
    )
    assert max(map(len, screen(seen(*rows), width).splitlines())) <= width


def test_the_document_says_the_same() -> None:
    told = audits.audited(
        seen(row("shop.example", LOST, 6, 6), row("news.example", EITHER, verified=None)), "mx"
    )
    assert (told["schema"], told["forwarded"], told["refused"]) == ("mailmend.sender-audit/1", 10, 6)
    lost, either = told["senders"]
    assert (lost["verdict"], lost["another_way"], lost["cures"], lost["share"]) == ("refused", True, [], 0.6)
    assert (either["another_way"], either["verified"]) == (False, None)
    assert either["if_unsigned"] == {"verdict": "refused", "cause": "unauthenticated", "cures": ["srs"]}
    assert either["if_signed"] == {"verdict": "accepted", "cause": None, "cures": []}
