"""A code is good once and not for long; who guesses waits, and nobody else."""

from __future__ import annotations

import pytest

from mailmend.model import Refused
from mailmend.ui.helper import sessions
from mailmend.ui.helper.sessions import Sessions


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(clock: Clock) -> Sessions:
    return Sessions(clock)


def test_nobody_gets_in_without_a_code(known: Sessions) -> None:
    for code in ("", "0000-0000-0000", "' or 1=1", "\ud800", known.new_code()[:-1]):
        with pytest.raises(Refused, match="not one that is waited for"):
            known.login(code, f"from {code!r}")
    with pytest.raises(Refused, match="session is over"):
        known.require("g" * 43)


def test_a_code_is_good_once(known: Sessions) -> None:
    code = known.new_code()
    grant = known.login(code, "::1")
    known.require(grant)
    with pytest.raises(Refused):
        known.login(code, "::1")
    with pytest.raises(Refused):
        known.step_up(code, grant)


def test_a_code_is_good_for_ten_minutes(known: Sessions, clock: Clock) -> None:
    code = known.new_code()
    clock.now += sessions.CODE_LASTS + 1
    with pytest.raises(Refused):
        known.login(code, "::1")


def test_who_guesses_waits_longer_each_time_and_nobody_else_does(known: Sessions, clock: Clock) -> None:
    waits = []
    for _ in range(14):
        with pytest.raises(Refused):
            known.login("0000-0000-0000", "192.0.2.1")
        before = clock.now
        while True:
            try:
                known.login("0000-0000-0000", "192.0.2.1")
            except Refused as refused:
                if "too many" not in refused.reason:
                    break
            clock.now += 1
        waits.append(clock.now - before)
    assert waits[0] == 0
    assert waits[-1] >= 59
    assert waits == sorted(waits)
    known.require(known.login(known.new_code(), "192.0.2.2"))


def test_even_the_right_code_waits_for_who_has_guessed(known: Sessions, clock: Clock) -> None:
    for _ in range(5):
        with pytest.raises(Refused):
            known.login("0000-0000-0000", "192.0.2.1")
    code = known.new_code()
    with pytest.raises(Refused, match="too many wrong codes"):
        known.login(code, "192.0.2.1")
    clock.now += 2
    known.require(known.login(code, "192.0.2.1"))


def test_a_session_that_nobody_uses_is_over_in_a_quarter_of_an_hour(known: Sessions, clock: Clock) -> None:
    grant = known.login(known.new_code(), "::1")
    clock.now += sessions.IDLE - 1
    known.keep(grant)
    clock.now += sessions.IDLE - 1
    known.require(grant)
    clock.now += 2
    with pytest.raises(Refused, match="session is over"):
        known.keep(grant)
    with pytest.raises(Refused, match="session is over"):
        known.require(grant)


def test_a_page_that_asks_by_itself_keeps_no_session(known: Sessions, clock: Clock) -> None:
    grant = known.login(known.new_code(), "::1")
    for _ in range(4):
        clock.now += sessions.IDLE / 4
        known.require(grant)
    clock.now += 1
    with pytest.raises(Refused):
        known.require(grant)


def test_no_session_lasts_for_ever(known: Sessions, clock: Clock) -> None:
    grant = known.login(known.new_code(), "::1")
    ends = clock.now + sessions.LONGEST
    with pytest.raises(Refused):
        while True:
            clock.now += 600
            known.keep(grant)
    assert clock.now > ends


def test_logged_out_is_over(known: Sessions) -> None:
    grant, other = (known.login(known.new_code(), "::1") for _ in range(2))
    known.end(grant)
    with pytest.raises(Refused):
        known.require(grant)
    known.require(other)


def test_codes_are_read_as_people_type_them(known: Sessions) -> None:
    code = known.new_code()
    typed = f" {code.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} "
    known.require(known.login(typed, "::1"))
    assert len(code.replace("-", "")) == 12
    assert known.new_code() != known.new_code()
