"""The screens of looking and proving, at widths that people have."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from mailmend.jobs.apply import Applied
from mailmend.jobs.prove import Proven
from mailmend.jobs.undo import Undone
from mailmend.model import Judgement, Proof
from mailmend.ui.screens import checking, explaining, fixing, past, playing, proving, standing
from ui import nouns

SCREENS: dict[str, Callable[[Console], Any]] = {
    "explain": lambda t: explaining.explained(t, [nouns.REFUSAL, nouns.UNKNOWN], nouns.FINDINGS, "a"),
    "page": lambda t: explaining.page(t, nouns.CAUSE),
    "check": lambda t: checking.checked(t, nouns.FINDINGS, {nouns.CAUSE.id: nouns.CAUSE}, "mail.example.org"),
    "status": lambda t: standing.status(t, nouns.STATUS),
    "history": lambda t: past.history(t, [nouns.RECORD]),
    "one change": lambda t: past.change(t, nouns.RECORD, "--- a\n+++ b\n"),
    "fix": lambda t: fixing.planned(t, nouns.PLAN),
    "prove": lambda t: proving.proven(t, Proven(nouns.RECORD, nouns.PROOF, ())),
    "undo": lambda t: proving.undone(t, Undone(nouns.RECORD, nouns.PROOF, True, False)),
    "apply": lambda t: proving.applied(t, Applied("reload", nouns.FINDINGS, nouns.PROOF)),
    "demo": lambda t: playing.chapter(t, "Random bounces", "7 of 12"),
}


def drawn(screen: Callable[[Console], Any], width: int = 80) -> str:
    file = io.StringIO()
    screen(Console(file=file, width=width, markup=False, emoji=False, highlight=False, soft_wrap=True))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", SCREENS)
def test_no_line_is_wider_than_the_terminal_but_for_one_long_word(name: str, width: int) -> None:
    for line in drawn(SCREENS[name], width).splitlines():
        assert len(line) <= width or len(line.split()) <= 2, line
        assert line == line.rstrip()


def test_worst_comes_first() -> None:
    text = drawn(SCREENS["check"])
    assert text.splitlines()[0] == "mail.example.org: 2 problems, 1 could not be looked at, 2 fine"
    places = [text.index(mark) for mark in ("✗  receiver-log", "✗  ptr", "?  spf", "✓  listeners")]
    assert places == sorted(places)
    assert text.index("What to do") > places[-1]


def test_listeners_are_written_as_ss_writes_them() -> None:
    text = drawn(SCREENS["status"])
    assert '0.0.0.0:25  users:(("master",pid=812,fd=13))' in text
    assert '[::]:25     users:(("master",pid=812,fd=14))' in text
    assert "mynetworks       127.0.0.0/8 [::1]/128" in text
    assert "IPv4  on     yes     port 25    on           20 sent" in text
    assert "IPv6  on     yes     port 25    smtp         20 bounced" in text


def test_no_listener_and_no_knowledge_are_not_the_same() -> None:
    assert "nobody can deliver" in drawn(lambda t: standing.status(t, replace(nouns.STATUS, listeners=())))
    blind = drawn(
        lambda t: standing.status(t, replace(nouns.STATUS, listeners=None, errors=("no permission",)))
    )
    assert "nobody can deliver" not in blind
    assert "could not look: no permission" in blind


def test_refusals_of_one_kind_are_told_once() -> None:
    several = [
        replace(nouns.REFUSAL, delivery=replace(nouns.BOUNCED, recipient=f"r{n}@example.net"))
        for n in range(9)
    ]
    text = drawn(lambda t: explaining.explained(t, several, None, "a"))
    assert text.count("What to do") == 1
    assert "r2@example.net" in text
    assert "r3@example.net" not in text
    assert "and 6 more like these" in text


def test_the_words_that_decided_stand_out() -> None:
    told = explaining.marked(nouns.REFUSAL)
    marked = [told.plain[span.start : span.end] for span in told.spans if "bold" in str(span.style)]
    assert marked == ["does not meet IPv6 sending guidelines", "p=IPv6AuthError"]


def test_pending_is_no_failure_and_unknown_no_success() -> None:
    pending = Proof((Judgement(nouns.PROOF.judgements[0].expectation, "pending"),), nouns.AT)
    assert "holds" in drawn(lambda t: proving.proven(t, Proven(None, pending, ()))).splitlines()[0]
    unknown = Proof((Judgement(nouns.PROOF.judgements[0].expectation, "unknown"),), nouns.AT)
    assert "does not hold" in drawn(lambda t: proving.proven(t, Proven(None, unknown, ()))).splitlines()[0]


def test_an_empty_history_says_so() -> None:
    assert drawn(lambda t: past.history(t, [])) == "mailmend has changed nothing here.\n"


def test_what_was_undone_before_is_not_undone_again() -> None:
    text = drawn(lambda t: proving.undone(t, Undone(nouns.RECORD, None, True, already=True)))
    assert "nothing was changed" in text


# ---- the way back, and what was interrupted ---------------------------------------------------


def test_the_way_back_is_named_only_where_nothing_is_in_its_way() -> None:
    (way,) = nouns.STATUS.ways_back
    closed = drawn(lambda t: standing.status(t, nouns.STATUS))
    assert "mailmend undo" not in closed
    assert way.proof.judgements[0].expectation.subject in closed
    seen = replace(way.proof, judgements=tuple(replace(j, verdict="holds") for j in way.proof.judgements))
    for still, offered in ((nouns.STILL, False), ((), True)):
        status = replace(nouns.STATUS, ways_back=(replace(way, proof=seen, still=still),))
        text = drawn(lambda t, status=status: standing.status(t, status))
        assert (f"mailmend undo {way.record.id}" in text) is offered
        assert ("ptr: " in text) is not offered


def test_an_interrupted_change_is_shown_with_the_command_that_puts_it_right() -> None:
    begun = replace(nouns.RECORD, state="intent")
    text = drawn(lambda t: standing.status(t, replace(nouns.STATUS, interrupted=begun)))
    assert f"The change {begun.id} was interrupted" in text
    assert f"mailmend undo {begun.id}" in text
    taking = replace(begun, id="20261122-150000-undo-x", undoes=begun.id)
    text = drawn(lambda t: standing.status(t, replace(nouns.STATUS, interrupted=taking)))
    assert f"mailmend undo {begun.id}" in text


def test_a_table_that_stays_is_told() -> None:
    kept = "/etc/postfix/x is kept: /etc/postfix/master.cf still names it"
    text = drawn(lambda t: proving.undone(t, Undone(nouns.RECORD, None, False, False, kept)))
    assert f"{kept}." in text


def test_what_was_only_watched_is_no_longer_watched() -> None:
    watched = replace(nouns.RECORD, files=())
    text = drawn(lambda t: proving.undone(t, Undone(watched, None, True, False)))
    assert "no longer watched" in text
    assert "byte for byte" not in text


def test_what_could_not_be_looked_at_is_not_said_to_be_refused() -> None:
    (way,) = nouns.STATUS.ways_back
    seen = replace(way.proof, judgements=tuple(replace(j, verdict="holds") for j in way.proof.judgements))
    still = tuple(replace(f, standing="unknown") for f in nouns.STILL)
    status = replace(nouns.STATUS, ways_back=(replace(way, proof=seen, still=still),))
    text = drawn(lambda t: standing.status(t, status))
    assert "Not known" in text
    assert "would still be refused" not in text
    assert "mailmend undo" not in text
