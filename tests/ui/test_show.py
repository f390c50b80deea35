"""Scripts read the same shape everywhere: the design's keys, RFC 3339 times, null for what is not known."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mailmend import model
from mailmend.jobs.apply import Applied
from mailmend.jobs.prove import Proven
from mailmend.jobs.undo import Undone
from mailmend.ui import show
from ui import nouns

DOCUMENTS = {
    "explain": show.explanation([nouns.REFUSAL, nouns.UNKNOWN], nouns.FINDINGS),
    "status": show.status(nouns.STATUS),
    "fix": show.fixed(nouns.FIXED),
    "apply": show.applied(Applied("reload", nouns.FINDINGS, nouns.PROOF)),
    "undo": show.undone(Undone(nouns.RECORD, None, True, False)),
    "prove": show.proven(Proven(nouns.RECORD, nouns.PROOF, (nouns.BOUNCED,))),
    "error": show.error("fix", "refused", "no", ""),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_is_json_under_its_schema(name: str) -> None:
    document = json.loads(json.dumps(DOCUMENTS[name]))
    assert document["schema"] == f"mailmend.{name}/1"


def test_nothing_is_left_out_silently() -> None:
    """A field that the nouns gain is either shown or named here with the reason why not."""
    hidden = {
        # The reply has the words of the excerpt, the paste may be long and private; a notice is the refusal's cause.
        "Delivery": {"excerpt", "notice"},
        "Refusal": {"delivery"},  # its keys stand beside the others
        "Judgement": {"expectation", "says"},  # the same; `says` is shown as `saw`
        "FileEdit": {"before", "after"},  # the difference shows them
        "Record": {"expectations", "old", "ran"},  # what was judged stands in its proof; what recovery needs
        "Cause": {
            "summary",
            "forwarded_who",
            "forwarded_steps",
            "forwarded_remedies",
        },  # worked out per refusal
        "Plan": {"chosen", "findings"},  # its keys stand beside the others; findings beside the plan
    }
    shown: list[tuple[Any, dict[str, Any]]] = [
        (nouns.BOUNCED, show.delivery(nouns.BOUNCED)),
        (nouns.REFUSAL, show.refusal(nouns.REFUSAL)),
        (nouns.FINDINGS[0], show.finding(nouns.FINDINGS[0])),
        (nouns.LOOKED, show.evidence(nouns.LOOKED)),
        (nouns.LISTENERS[0], show.listener(nouns.LISTENERS[0])),
        (nouns.CHANGE, show.change(nouns.CHANGE)),
        (nouns.CHOSEN, show.proposal(nouns.CHOSEN)),
        (nouns.PROOF.judgements[0], show.judgement(nouns.PROOF.judgements[0])),
        (nouns.PLAN.files[0], show.file_edit(nouns.PLAN.files[0])),
        (nouns.PLAN, show.plan(nouns.PLAN)),
        (nouns.RECORD, show.record(nouns.RECORD)),
        (nouns.CAUSE, show.cause(nouns.CAUSE)),
    ]
    for noun, shape in shown:
        name = type(noun).__name__
        assert {f.name for f in fields(noun)} - hidden.get(name, set()) <= shape.keys(), name


def test_what_is_not_known_is_null() -> None:
    shape = show.refusal(nouns.UNKNOWN)
    assert shape["relay"] == {"host": None, "ip": None, "family": None}
    assert shape["receiver"] is None
    assert shape["source_ip"] is None
    assert shape["forwarded"] is None
    assert shape["cause"] == "unknown"
    assert show.reply(None) == {"code": None, "status": None, "text": None}
    blind = show.status(replace(nouns.STATUS, listeners=None, running=None, deliveries=None))
    assert (blind["listeners"], blind["running"], blind["deliveries"]) == (None, None, None)


def test_a_look_shows_its_question_and_its_answer_or_its_error() -> None:
    assert show.evidence(nouns.LOOKED) == {
        "question": {"ask": "Records", "name": nouns.SIX, "type": "PTR"},
        "answer": {"records": [], "exists": False, "authenticated": False},
        "error": None,
        "at": "2026-11-22T13:05:01+00:00",
    }
    blind = show.evidence(nouns.BLIND)
    assert (blind["answer"], blind["error"]) == (None, "resolver 192.0.2.53 does not answer")


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (None, None),
        (
            datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2))),
            "2026-01-02T03:04:05+02:00",
        ),
    ],
)
def test_times_have_their_offset(at: datetime | None, shown: str | None) -> None:
    assert show.moment(at) == shown


def test_a_time_without_an_offset_gets_the_hosts() -> None:
    shown = show.moment(datetime(2026, 1, 2, 3, 4, 5))
    assert shown is not None
    assert datetime.fromisoformat(shown).tzinfo is not None


def test_listeners_have_the_designs_keys() -> None:
    assert show.listener(nouns.LISTENERS[1]) == {
        "address": "::",
        "port": 25,
        "pid": 812,
        "fd": 14,
        "family": "ipv6",
    }


def test_a_plan_without_a_remedy_says_why() -> None:
    shape = show.plan(model.Plan(None, (), (), "", "0", reason="nothing is wrong"))
    assert (shape["remedy"], shape["reason"], shape["changes"]) == (None, "nothing is wrong", [])
