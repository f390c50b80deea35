"""What takes long is done once for everybody, one of a kind at a time, and its failure is told as any other."""

from __future__ import annotations

import threading
import time

import pytest

from mailmend.model import CannotLook, Refused
from mailmend.ui.web.works import Says, Work, Works


def ended(work: Work[int]) -> Work[int]:
    for _ in range(1000):
        if work.ended is not None:
            return work
        threading.Event().wait(0.01)
    raise AssertionError("it has not ended")


def test_a_good_answer_is_not_looked_for_again() -> None:
    works, asked = Works(), list[int]()
    for _ in range(3):
        work = works.ask("a", "log", lambda says: asked.append(1) or 7, lasts=60)
        assert ended(work).result == 7
    assert len(asked) == 1
    assert ended(works.ask("a", "log", lambda says: 8, lasts=60, anew=True)).result == 8


def test_an_answer_of_what_was_there_before_is_none_of_what_is_there_now() -> None:
    works = Works()
    assert ended(works.ask("a", "log", lambda says: 1, lasts=60, of="main.cf before")).result == 1
    second = works.ask("a", "log", lambda says: 2, lasts=60, of="main.cf")
    assert ended(second).shown.result == 2
    assert works.ask("a", "log", lambda says: 3, lasts=60, of="main.cf") is second


def test_an_answer_is_good_for_longer_where_it_took_longer() -> None:
    now = time.monotonic()
    assert not Work[int]("log", None, now - 10, answer=1, ended=now - 9.9).good(5)  # type: ignore[arg-type]
    assert Work[int]("log", None, now - 20, answer=1, ended=now - 10).good(5)  # type: ignore[arg-type]


def test_while_it_is_looked_for_the_answer_before_is_shown_unless_a_new_one_was_asked_for() -> None:
    works, go_on = Works(), threading.Event()

    def slow(says: Says) -> int:
        assert go_on.wait(60)
        return 2

    first = ended(works.ask("a", "log", lambda says: 1, lasts=0))
    first.ended = time.monotonic() - 1000
    second = works.ask("a", "log", slow, lasts=0)
    assert second.shown is first
    go_on.set()
    assert ended(second).shown is second
    assert second.result == 2
    go_on.clear()
    third = works.ask("a", "log", slow, lasts=60, anew=True)
    assert third.shown is third
    assert third.ended is None
    go_on.set()
    ended(third)


def test_one_of_a_kind_at_a_time_and_too_many_are_refused() -> None:
    works, go_on, busy = Works(), threading.Event(), list[int]()
    most: list[int] = []

    def slow(says: Says) -> int:
        busy.append(1)
        most.append(len(busy))
        assert go_on.wait(60)
        busy.pop()
        return 1

    waiting = [works.ask(f"log {n}", "log", slow, lasts=60) for n in range(6)]
    with pytest.raises(Refused, match="too much"):
        works.ask("one more", "log", slow, lasts=60)
    other = works.ask("dns", "dns", lambda says: 3, lasts=60)
    assert ended(other).result == 3, "another kind does not wait"
    go_on.set()
    for each in waiting:
        ended(each)
    assert max(most) == 1


def test_a_failure_is_told_and_not_kept_for_an_answer() -> None:
    works = Works()

    def fails(says: Says) -> int:
        raise CannotLook("mail.log cannot be read: Permission denied")

    work = ended(works.ask("a", "log", fails, lasts=60))
    with pytest.raises(CannotLook, match="Permission denied"):
        _ = work.result
