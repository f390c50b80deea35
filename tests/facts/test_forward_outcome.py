"""What becomes of forwarded mail is told from what is known, and nothing is promised that is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailmend.facts.forward_outcome import Mail, Prediction, Way, predict

BOTH = Mail("both.example", "both.example", "reject", spf_aligned=True, signature="aligned")
SPF_ONLY = replace(BOTH, policy="none", signature="none")
STRICT = replace(SPF_ONLY, policy="reject")
IPV4 = Way("ipv4", named=True, spf="fail", rewritten=False, intact=True)
IPV6 = Way("ipv6", named=True, spf="fail", rewritten=False, intact=True)
SRS = replace(IPV4, rewritten=True, spf="pass")
ACCEPTED = Prediction("accepted")


# ---- what needs no cure -------------------------------------------------------------------


@pytest.mark.parametrize("way", [IPV4, IPV6, SRS], ids=["ipv4", "ipv6", "srs"])
def test_the_senders_own_signature_is_enough_everywhere(way: Way) -> None:
    assert predict(BOTH, way) == ACCEPTED


def test_quarantine_is_no_refusal() -> None:
    assert predict(replace(STRICT, policy="quarantine"), SRS) == ACCEPTED


def test_a_policy_is_satisfied_by_an_spf_record_that_names_this_host() -> None:
    assert predict(STRICT, replace(IPV4, spf="pass")) == ACCEPTED


def test_many_at_once_are_taken_where_the_receiver_never_complained() -> None:
    assert predict(replace(BOTH, at_once=500), IPV4) == ACCEPTED


# ---- what is refused, and what cures it ---------------------------------------------------


@pytest.mark.parametrize("way", [IPV4, IPV6], ids=["ipv4", "ipv6"])
def test_spf_alone_does_not_survive_a_forward_and_srs_cures_it(way: Way) -> None:
    told = predict(SPF_ONLY, way)
    assert (told.verdict, told.cures) == ("refused", ("srs",))


@pytest.mark.parametrize("way", [IPV4, IPV6, SRS], ids=["ipv4", "ipv6", "srs"])
@pytest.mark.parametrize("signature", ["none", "foreign", "broken"])
def test_a_policy_of_reject_without_a_signature_cannot_be_forwarded(way: Way, signature: str) -> None:
    told = predict(replace(STRICT, signature=signature), way)  # type: ignore[arg-type]
    assert (told.verdict, told.cures) == ("refused", ())


def test_a_signature_that_is_broken_here_is_cured_here() -> None:
    told = predict(BOTH, replace(SRS, intact=False))
    assert told == Prediction("refused", "dmarc-reject", ("unaltered",))


def test_srs_takes_from_an_open_spf_record_what_it_gave() -> None:
    assert predict(STRICT, SRS).cause == "dmarc-reject"


def test_without_a_name_ipv6_is_cured_by_one_and_contained_by_ipv4() -> None:
    nameless = replace(IPV6, named=False)
    assert predict(BOTH, nameless) == Prediction("refused", "ipv6-ptr-or-auth", ("dns-records",))
    told = predict(BOTH, replace(nameless, then=IPV4))
    assert told.cures == ("dns-records",)
    # Of two single cures the one that cures is named before the one that contains.
    assert predict(SPF_ONLY, replace(nameless, then=IPV4)).cures == ("srs", "dns-records")


def test_a_null_sender_is_never_rewritten_and_needs_spf_for_the_helo_name() -> None:
    bounce = replace(SPF_ONLY, envelope="", spf_aligned=False)
    assert predict(bounce, IPV4) == Prediction("refused", "unauthenticated", ("dns-records",))


def test_many_at_once_need_a_pace() -> None:
    told = predict(replace(BOTH, at_once=9), IPV4, allowed=3)
    assert told == Prediction("refused", "rate-limited-reputation", ("pace",))
    assert predict(replace(BOTH, at_once=9), replace(IPV4, paced=True), allowed=3) == ACCEPTED


def test_what_is_told_to_come_later_over_ipv4_is_refused_for_good_over_ipv6() -> None:
    nameless = replace(IPV6, named=False)
    told = predict(replace(BOTH, at_once=9), replace(IPV4, then=nameless), allowed=3)
    assert told == Prediction("refused", "ipv6-ptr-or-auth", ("pace",))


# ---- what is not known --------------------------------------------------------------------


def test_nothing_is_promised_where_the_signature_decides_and_was_not_seen() -> None:
    told = predict(replace(STRICT, signature=None), SRS)
    assert (told.verdict, told.cause, told.cures) == ("unknown", "dmarc-reject", ())


def test_what_is_alike_in_every_case_is_known() -> None:
    assert predict(replace(SPF_ONLY, signature=None), SRS) == ACCEPTED
    assert predict(STRICT, replace(SRS, intact=None)).verdict == "refused"
    assert predict(BOTH, replace(IPV4, spf=None)) == ACCEPTED


def test_a_look_that_failed_is_no_refusal() -> None:
    assert predict(BOTH, replace(IPV4, named=None)) == Prediction("unknown", "ptr-missing", ("dns-records",))
    assert predict(SPF_ONLY, replace(SRS, spf="temperror")).verdict == "unknown"
