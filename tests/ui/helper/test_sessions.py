"""A code is for one login, or for one change in one session; it is good once, and not for long."""

from __future__ import annotations

import pytest

from mailmend.model import Refused
from mailmend.ui.helper import sessions, verbs
from mailmend.ui.helper.sessions import Proposed, Sessions
from ui.helper.conftest import Clock

ONE, OTHER = "1" * 64, "2" * 64
BANNER = verbs.Set((verbs.Assign("smtpd_banner", "$myhostname"),))


@pytest.fixture
def known(clock: Clock) -> Sessions:
    return Sessions(clock)


def log_in(known: Sessions, source: str = "::1") -> str:
    return known.login(known.login_code(), source)


def propose(known: Sessions, grant: str, digest: str = ONE, *, step_up: bool = True) -> str:
    """The session's id, by which root is told of it."""
    known.remember(grant, Proposed(BANNER, digest, step_up))
    return known.require(grant).id


# ---- a session ---------------------------------------------------------------------------------


def test_nobody_gets_in_without_a_code(known: Sessions) -> None:
    for code in ("", "0000-0000-0000", "' or 1=1", "\ud800", known.login_code()[:-1]):
        with pytest.raises(Refused, match="not one that is waited for"):
            known.login(code, f"from {code!r}")
    with pytest.raises(Refused, match="session is over"):
        known.require("g" * 43)


def test_a_code_is_good_once(known: Sessions) -> None:
    code = known.login_code()
    known.require(known.login(code, "::1"))
    with pytest.raises(Refused):
        known.login(code, "::1")


def test_a_code_is_good_for_ten_minutes(known: Sessions, clock: Clock) -> None:
    code = known.login_code()
    clock.now += sessions.CODE_LASTS + 1
    with pytest.raises(Refused):
        known.login(code, "::1")


def test_a_session_that_nobody_uses_is_over_in_a_quarter_of_an_hour(known: Sessions, clock: Clock) -> None:
    grant = log_in(known)
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
    grant = log_in(known)
    for _ in range(4):
        clock.now += sessions.IDLE / 4
        known.require(grant)
    clock.now += 1
    with pytest.raises(Refused):
        known.require(grant)


def test_no_session_lasts_for_ever(known: Sessions, clock: Clock) -> None:
    grant = log_in(known)
    ends = clock.now + sessions.LONGEST
    with pytest.raises(Refused):
        while True:
            clock.now += 600
            known.keep(grant)
    assert clock.now > ends


def test_logged_out_is_over(known: Sessions) -> None:
    grant, other = (log_in(known) for _ in range(2))
    propose(known, grant)
    known.end(grant)
    with pytest.raises(Refused):
        known.require(grant)
    known.require(other)
    assert known.waiting() == ()


def test_codes_are_read_as_people_type_them(known: Sessions) -> None:
    code = known.login_code()
    typed = f" {code.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} "
    known.require(known.login(typed, "::1"))
    assert len(code.replace("-", "")) == 12
    assert known.login_code() != known.login_code()


def test_who_it_was_stands_in_the_history_and_what_opens_the_session_does_not(known: Sessions) -> None:
    grant, other = log_in(known, "192.0.2.7"), log_in(known, "192.0.2.7")
    who = known.require(grant)
    assert str(who) == f"console:{who.id}@192.0.2.7"
    assert who.id not in grant
    assert who.id != known.require(other).id


# ---- one change --------------------------------------------------------------------------------


def test_what_was_not_proposed_here_cannot_be_approved(known: Sessions) -> None:
    grant, other = log_in(known), log_in(known)
    session = propose(known, grant)
    with pytest.raises(Refused, match="does not wait"):
        known.approval_code(session, OTHER)
    with pytest.raises(Refused, match="does not wait"):
        known.approval_code(known.require(other).id, ONE)
    with pytest.raises(Refused, match="does not wait"):
        known.step_up(other, ONE, known.approval_code(session, ONE))


def test_a_code_for_a_login_approves_nothing_and_one_for_a_change_begins_no_session(known: Sessions) -> None:
    grant = log_in(known)
    session = propose(known, grant)
    with pytest.raises(Refused, match="for something else"):
        known.step_up(grant, ONE, known.login_code())
    code = known.approval_code(session, ONE)
    with pytest.raises(Refused, match="for something else"):
        known.login(code, "::1")
    known.step_up(grant, ONE, code)


def test_a_code_for_another_session_approves_nothing(known: Sessions) -> None:
    mine, theirs = log_in(known), log_in(known)
    propose(known, mine)
    code = known.approval_code(propose(known, theirs), ONE)
    with pytest.raises(Refused, match="for something else"):
        known.step_up(mine, ONE, code)
    with pytest.raises(Refused, match="fresh code"):
        known.take(mine, ONE)


def test_a_code_for_an_older_plan_is_over_when_a_newer_one_waits(known: Sessions) -> None:
    grant = log_in(known)
    session = propose(known, grant)
    code = known.approval_code(session, ONE)
    propose(known, grant, OTHER)
    with pytest.raises(Refused, match="does not wait"):
        known.step_up(grant, ONE, code)
    with pytest.raises(Refused, match="not one that is waited for"):
        known.step_up(grant, OTHER, code)
    assert [proposed.digest for _, proposed in known.waiting()] == [OTHER]


def test_an_approval_is_over_when_a_newer_plan_waits(known: Sessions) -> None:
    grant = log_in(known)
    known.step_up(grant, ONE, known.approval_code(propose(known, grant), ONE))
    propose(known, grant, OTHER)
    propose(known, grant, ONE)
    with pytest.raises(Refused, match="fresh code"):
        known.take(grant, ONE)


def test_a_plain_change_looked_at_meanwhile_takes_no_approval_away(known: Sessions) -> None:
    grant = log_in(known)
    known.step_up(grant, ONE, known.approval_code(propose(known, grant), ONE))
    propose(known, grant, OTHER, step_up=False)
    propose(known, grant, ONE)  # the page was loaded again
    assert known.take(grant, ONE)[1].digest == ONE
    assert known.take(grant, OTHER)[1].digest == OTHER


def test_a_code_for_a_change_is_good_once_and_so_is_its_approval(known: Sessions) -> None:
    grant = log_in(known)
    session = propose(known, grant)
    code = known.approval_code(session, ONE)
    known.step_up(grant, ONE, code)
    with pytest.raises(Refused):
        known.step_up(grant, ONE, code)
    known.take(grant, ONE)
    with pytest.raises(Refused, match="not proposed"):
        known.take(grant, ONE)
    propose(known, grant)
    with pytest.raises(Refused, match="fresh code"):
        known.take(grant, ONE)


def test_a_code_for_a_change_that_comes_too_late_approves_nothing(known: Sessions, clock: Clock) -> None:
    grant = log_in(known)
    code = known.approval_code(propose(known, grant), ONE)
    clock.now += sessions.APPROVAL_LASTS + 1
    with pytest.raises(Refused, match="not one that is waited for"):
        known.step_up(grant, ONE, code)


def test_what_was_approved_and_not_done_is_approved_no_more(known: Sessions, clock: Clock) -> None:
    grant = log_in(known)
    known.step_up(grant, ONE, known.approval_code(propose(known, grant), ONE))
    clock.now += sessions.APPROVAL_LASTS + 1
    with pytest.raises(Refused, match="fresh code"):
        known.take(grant, ONE)


def test_what_was_shown_long_ago_is_looked_at_again(known: Sessions, clock: Clock) -> None:
    grant = log_in(known)
    propose(known, grant, step_up=False)
    clock.now += sessions.PROPOSAL_LASTS + 1
    with pytest.raises(Refused, match="too long ago"):
        known.take(grant, ONE)


def test_what_no_page_may_do_is_not_done_whatever_code_comes(known: Sessions) -> None:
    grant = log_in(known)
    known.remember(grant, Proposed(BANNER, ONE, False, None, Refused("not from a page", "mailmend set")))
    with pytest.raises(Refused, match="not from a page"):
        known.take(grant, ONE)


def test_root_is_told_what_waits_the_newest_first(known: Sessions, clock: Clock) -> None:
    for source in ("192.0.2.1", "192.0.2.2"):
        clock.now += 1
        propose(known, log_in(known, source))
    assert [who.source for who, _ in known.waiting()] == ["192.0.2.2", "192.0.2.1"]
    clock.now += sessions.PROPOSAL_LASTS + 1
    assert known.waiting() == ()


def test_even_the_right_code_waits_for_who_has_guessed_and_others_do_not(
    known: Sessions, clock: Clock
) -> None:
    for _ in range(5):
        with pytest.raises(Refused, match="not one that is waited for"):
            known.login("0000-0000-0000", "192.0.2.1")
    code = known.login_code()
    with pytest.raises(Refused, match="too many wrong tries"):
        known.login(code, "192.0.2.1")
    log_in(known, "192.0.2.2")
    clock.now += 2
    known.require(known.login(code, "192.0.2.1"))


def test_who_guesses_at_an_approval_waits_too(known: Sessions, clock: Clock) -> None:
    grant = log_in(known)
    session = propose(known, grant)
    for _ in range(5):
        with pytest.raises(Refused, match="not one that is waited for"):
            known.step_up(grant, ONE, "0000-0000-0000")
    code = known.approval_code(session, ONE)
    with pytest.raises(Refused, match="too many wrong tries"):
        known.step_up(grant, ONE, code)
    clock.now += 2
    known.step_up(grant, ONE, code)


def test_nothing_grows_without_a_bound(known: Sessions) -> None:
    grants = [log_in(known) for _ in range(300)]
    with pytest.raises(Refused):
        known.require(grants[0])
    for number in range(100):
        propose(known, grants[-1], f"{number:064x}")
    assert len(known.waiting()) == 1
    with pytest.raises(Refused, match="not proposed"):
        known.take(grants[-1], f"{1:064x}")
