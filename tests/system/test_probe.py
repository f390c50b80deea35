"""The three probes: one looks, one remembers, one replays; a failure to look is data, a bug is not."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mailmend.model import CannotLook, Evidence
from mailmend.questions import File, Setting, SettingValue
from mailmend.system.probe import Live, Recorded, Remembering, now

QUESTION = Setting("inet_protocols")
ALL = SettingValue("all", None)


def failing(failure: BaseException) -> Live:
    def look(_: Any) -> Any:
        raise failure

    return Live({Setting: look})


class Counting:
    """Counts the looks, and takes its time over each."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.looks = 0
        self._failure = failure
        self._lock = threading.Lock()

    def __call__(self, _: Any) -> SettingValue:
        with self._lock:
            self.looks += 1
        time.sleep(0.05)
        if self._failure:
            raise self._failure
        return ALL


# ---- what is not known ------------------------------------------------------------------------


def test_a_question_that_nobody_can_answer_is_unknown() -> None:
    evidence = Live({}).ask(QUESTION)
    assert (evidence.known, evidence.answer, evidence.error) == (
        False,
        None,
        "Setting cannot be looked up here",
    )


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (CannotLook("no Postfix here"), "no Postfix here"),
        (CannotLook("no Postfix here", "install it"), "no Postfix here; install it"),
        (PermissionError(13, "Permission denied", "/etc/x"), "/etc/x: Permission denied"),
    ],
)
def test_a_failure_to_look_is_evidence(failure: BaseException, error: str) -> None:
    assert failing(failure).ask(QUESTION).error == error


@pytest.mark.parametrize("bug", [ValueError("bug"), KeyError("bug"), AssertionError("bug")])
def test_a_bug_is_a_bug(bug: Exception) -> None:
    with pytest.raises(type(bug)):
        failing(bug).ask(QUESTION)
    with pytest.raises(type(bug)):
        Remembering(failing(bug)).ask(QUESTION)


def test_what_was_not_recorded_is_unknown_in_every_epoch() -> None:
    probe = Recorded({("before", QUESTION): Evidence(QUESTION, ALL, None, now())})
    assert probe.ask(QUESTION).answer == ALL
    assert probe.ask(File("/etc/postfix/main.cf")).error == "not recorded"
    probe.begin("after")
    assert probe.ask(QUESTION).error == "not recorded"


# ---- what is ------------------------------------------------------------------------------------


def test_an_answer_has_its_time() -> None:
    before = now()
    evidence = Live({Setting: Counting()}).ask(QUESTION)
    assert (evidence.answer, evidence.error) == (ALL, None)
    assert before <= evidence.at <= now() and evidence.at.tzinfo


def test_however_many_ask_it_is_looked_at_once() -> None:
    look = Counting()
    probe = Remembering(Live({Setting: look}))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: probe.ask(Setting("inet_protocols")), range(32)))
    assert look.looks == 1 and len({id(a) for a in answers}) == 1


def test_whoever_waits_for_a_look_that_breaks_hears_of_it() -> None:
    look = Counting(ValueError("bug"))
    probe = Remembering(Live({Setting: look}))

    def ask(_: int) -> str:
        with pytest.raises(ValueError, match="bug"):
            probe.ask(QUESTION)
        return "heard"

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == ["heard"] * 4
    assert look.looks == 1 and probe.recording() == {}


def test_a_new_epoch_looks_afresh_and_keeps_the_old() -> None:
    look = Counting()
    probe = Remembering(Live({Setting: look}))
    probe.ask(QUESTION)
    probe.begin("after")
    probe.ask(QUESTION)
    assert look.looks == 2
    assert set(probe.recording()) == {("before", QUESTION), ("after", QUESTION)}


def test_a_failed_look_is_remembered_too() -> None:
    look = Counting(CannotLook("dead"))
    probe = Remembering(Live({Setting: look}))
    assert probe.ask(QUESTION).error == probe.ask(QUESTION).error == "dead"
    assert look.looks == 1
