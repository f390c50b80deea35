"""What is said of a kind of forwarded mail, from what is known of it: no more than that, and no less."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mailmend.facts import sender_audit
from mailmend.facts.forward_outcome import Way
from mailmend.facts.sender_audit import Fared, Judged, Kind, judge
from mailmend.model import Evidence, Refused
from mailmend.questions import DnsAnswer, Records, Services, Setting, SettingValue

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TXT = {
    "shop.example": ("v=spf1 ip4:203.0.113.25 -all",),
    "_dmarc.shop.example": ("v=DMARC1; p=reject",),
    "quiet.example": ("v=spf1 ip4:203.0.113.25 -all",),
    "_dmarc.service.example": ("v=DMARC1; p=none",),
}
IPV4 = Way("ipv4", named=True, spf="fail", rewritten=False, intact=True)
SHOP = Kind("shop.example", "shop.example", ("shop.example",), signed=True)
UNSIGNED = replace(SHOP, verified=(), signed=False)
UNKNOWN = replace(SHOP, author=None, verified=None, signed=None)


class Probe:
    """DNS as above; *broken* names what it does not answer. *main* are settings, empty where they are not named."""

    def __init__(self, broken: str = "", main: dict[str, str] | None = None) -> None:
        self.broken, self.main = broken, main or {}

    def ask(self, question: Any, /) -> Evidence[Any]:
        if isinstance(question, Setting):
            value = self.main.get(question.name, "")
            return Evidence(question, SettingValue(value, None), None, NOW)
        if isinstance(question, Services):
            return Evidence(question, (), None, NOW)
        assert isinstance(question, Records)
        if self.broken and self.broken in question.name:
            return Evidence(question, None, "SERVFAIL", NOW)
        return Evidence(
            question, DnsAnswer(TXT.get(question.name, ()), exists=True, authenticated=False), None, NOW
        )


@pytest.fixture
def leaves(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The ways that forwarded mail takes from this host."""

    def by(*ways: Way) -> None:
        monkeypatch.setattr(sender_audit, "ways", lambda *_: ways)

    by(IPV4)
    return by


def told(kind: Kind, probe: Any = None, **known: Any) -> Judged:
    sender = f"alice@{kind.sender}" if kind.sender else ""
    return judge(kind, sender, "someone@gmail.com", probe or Probe(), **known)


def accepted(count: int, family: Any = "ipv4") -> Fared:
    return Fared(family, count, 0)


def refused(count: int) -> Fared:
    return Fared("ipv4", 0, count)


# ---- who is no question --------------------------------------------------------------------


def test_a_sender_whose_own_signature_holds_is_taken(leaves: Any) -> None:
    assert (told(SHOP).verdict, told(SHOP).cures) == ("accepted", ())


def test_one_good_signature_of_several_is_enough(leaves: Any) -> None:
    assert told(replace(SHOP, verified=("esp.example", "shop.example"))).verdict == "accepted"


def test_a_mailing_list_that_signs_with_its_own_name_is_taken(leaves: Any) -> None:
    assert (
        told(Kind("service.example", "service.example", ("service.example",), signed=True)).verdict
        == "accepted"
    )


def test_a_notice_that_its_author_signed_is_taken(leaves: Any) -> None:
    assert told(Kind("", None, ("shop.example",), signed=True)).verdict == "accepted"


# ---- behind a relay -------------------------------------------------------------------------


def test_what_a_relay_took_says_nothing_of_the_receiver(leaves: Any) -> None:
    """Its log has what became of it; here it is only `sent`."""
    leaves(replace(IPV4, spf=None, relay="[mx.isp.example]"))
    unsigned = told(UNSIGNED, fared=[accepted(20)])
    assert (unsigned.verdict, unsigned.told_by, unsigned.relay) == ("unknown", "rules", "[mx.isp.example]")
    assert told(UNKNOWN, fared=[accepted(20)]).verdict == "unknown"
    assert told(SHOP).verdict == "accepted"


# ---- who is refused, and whether anything cures it -----------------------------------------


def test_spf_alone_with_reject_cannot_be_forwarded(leaves: Any) -> None:
    judged = told(UNSIGNED)
    assert (judged.verdict, judged.cause, judged.why, judged.cures) == (
        "refused",
        "dmarc-reject",
        "spf-only",
        (),
    )


def test_spf_alone_without_a_policy_is_cured_by_srs(leaves: Any) -> None:
    judged = told(Kind("quiet.example", "quiet.example", (), signed=False))
    assert (judged.cause, judged.why, judged.cures) == ("unauthenticated", "spf-only", ("srs",))


def test_a_host_that_breaks_signatures_is_told_so(leaves: Any) -> None:
    leaves(replace(IPV4, intact=False))
    judged = told(SHOP)
    assert (judged.verdict, judged.why, judged.cures) == ("refused", "altered-here", ("unaltered",))


def test_a_host_without_a_name_is_told_that_it_is_not_the_sender(leaves: Any) -> None:
    leaves(replace(IPV4, named=False))
    assert (told(SHOP).why, told(SHOP).cures) == ("host-name", ("dns-records",))


# ---- what is not known ---------------------------------------------------------------------


def test_where_nobody_logged_a_signature_both_outcomes_are_told(leaves: Any) -> None:
    judged = told(UNKNOWN)
    assert (judged.verdict, judged.why, judged.assumed) == ("unknown", "signature-unknown", True)
    assert judged.if_signed is not None
    assert judged.if_unsigned is not None
    assert (judged.if_signed.verdict, judged.if_unsigned.verdict) == ("accepted", "refused")


def test_mail_that_was_taken_must_have_been_signed(leaves: Any) -> None:
    judged = told(UNKNOWN, fared=[accepted(3)])
    assert (judged.verdict, judged.told_by, judged.cause) == ("accepted", "log", "")


def test_mail_that_was_refused_was_not(leaves: Any) -> None:
    judged = told(UNKNOWN, fared=[refused(3)])
    assert (judged.verdict, judged.told_by, judged.cures) == ("refused", "log", ())


def test_mail_of_which_some_was_taken_is_of_several_kinds(leaves: Any) -> None:
    assert told(UNKNOWN, fared=[Fared("ipv4", 2, 1)]).verdict == "unknown"


def test_what_became_of_it_over_the_other_family_tells_nothing(leaves: Any) -> None:
    assert told(UNKNOWN, fared=[accepted(3, "ipv6")]).if_signed is not None


def test_a_milter_that_nobody_knows_may_break_a_signature(leaves: Any) -> None:
    leaves(replace(IPV4, intact=None))
    main = {"smtpd_milters": "inet:127.0.0.1:8891, inet:127.0.0.1:9999"}
    assert told(SHOP, Probe(main=main), programs={"opendkim"}).verdict == "unknown"


def test_what_was_taken_has_passed_such_a_milter_whole(leaves: Any) -> None:
    leaves(replace(IPV4, intact=None))
    main = {"smtpd_milters": "inet:127.0.0.1:11332"}
    assert told(SHOP, Probe(main=main)).why == "altered-unknown"
    taken = told(SHOP, Probe(main=main), fared=[accepted(40)])
    assert (taken.verdict, taken.told_by) == ("accepted", "log")
    assert told(UNKNOWN, Probe(main=main), fared=[accepted(40)]).verdict == "accepted"


def test_what_was_refused_behind_such_a_milter_is_perhaps_its_fault(leaves: Any) -> None:
    leaves(replace(IPV4, intact=None))
    main = {"smtpd_milters": "inet:127.0.0.1:11332"}
    lost = told(SHOP, Probe(main=main), fared=[refused(4)])
    assert (lost.verdict, lost.why, lost.cures, lost.certain) == (
        "refused",
        "altered-here",
        ("unaltered",),
        True,
    )
    either = told(UNKNOWN, Probe(main=main), fared=[refused(4)])
    assert (either.verdict, either.cures, either.certain) == ("refused", ("unaltered",), False)


def test_a_verifier_seen_at_work_is_known_to_leave_it_as_it_is(leaves: Any) -> None:
    leaves(replace(IPV4, intact=None))
    main = {"smtpd_milters": "inet:127.0.0.1:8891"}
    assert told(SHOP, Probe(main=main), programs={"opendkim"}).verdict == "accepted"


def test_a_filter_behind_the_verifier_is_not(leaves: Any) -> None:
    leaves(replace(IPV4, intact=None))
    main = {"smtpd_milters": "inet:127.0.0.1:8891", "content_filter": "smtp:[127.0.0.1]:10024"}
    assert told(SHOP, Probe(main=main), programs={"opendkim"}).verdict == "unknown"


def test_a_sending_service_of_which_the_author_is_not_known(leaves: Any) -> None:
    """Its signature verifies; whether it stands for the author, only his name tells."""
    kind = Kind("shop.example", None, ("service.example",), signed=True)
    assert (told(kind).verdict, told(kind).why) == ("unknown", "signature-foreign")
    assert told(kind, fared=[refused(2)]).verdict == "refused"
    assert told(replace(kind, author="service.example")).verdict == "accepted"


def test_a_notice_of_nobody_knows_whom_is_perhaps_cured(leaves: Any) -> None:
    judged = told(Kind("", None, (), signed=False))
    assert (judged.verdict, judged.cures, judged.certain, judged.policy) == (
        "refused",
        ("dns-records",),
        False,
        None,
    )


def test_what_was_seen_is_believed_before_what_was_concluded(leaves: Any) -> None:
    assert told(SHOP, fared=[refused(1)]).why == "log-differs"
    assert told(UNSIGNED, fared=[accepted(1)]).verdict == "accepted"
    assert told(UNSIGNED, fared=[Fared("ipv4", 1, 1)]).verdict == "unknown"


# ---- what could not be looked at -----------------------------------------------------------


@pytest.mark.parametrize("kind", [SHOP, UNSIGNED, UNKNOWN])
def test_dns_that_does_not_answer_makes_it_unknown(leaves: Any, kind: Kind) -> None:
    judged = told(kind, Probe(broken="_dmarc"))
    assert (judged.verdict, judged.cures) == ("unknown", ())
    assert "SERVFAIL" in judged.error


def test_what_does_not_leave_by_smtp_is_said(leaves: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_way(*_: Any) -> Any:
        raise Refused("mail to someone@gmail.com does not leave this host by SMTP", "")

    monkeypatch.setattr(sender_audit, "ways", no_way)
    assert told(SHOP).error == "mail to someone@gmail.com does not leave this host by SMTP"
