"""`mailmend check DOMAIN` and `explain --check`: whose mail is meant, and what is decided for it."""

from __future__ import annotations

from typing import Any

import pytest

from mailmend.jobs.check import check, decide, scope_of
from mailmend.jobs.here import Here
from mailmend.model import CannotLook, Delivery, Refusal, Relay, Reply
from worlds import world


def here(**changes: Any) -> Here:
    return Here(world.made(**changes).probe())


@pytest.mark.parametrize(
    ("named", "recipients", "senders"),
    [
        ("gmail.com", ("gmail.com",), ()),
        ("example.org", (), ("example.org",)),
        ("user@example.org", ("user@example.org",), ("user@example.org",)),
        ("someone@gmail.com", ("someone@gmail.com",), ()),
    ],
    ids=["a-receiver", "our-domain", "our-forwarded-address", "an-address-elsewhere"],
)
def test_whose_mail_a_name_means(named: str, recipients: tuple[str, ...], senders: tuple[str, ...]) -> None:
    scope = scope_of([named], world.made().probe())
    assert (scope.recipients, scope.senders) == (recipients, senders)


def test_without_postfix_there_is_one_clear_line() -> None:
    with pytest.raises(CannotLook, match="postconf: not found"):
        check(here(fails={"Setting": "postconf: not found"}))


def test_a_check_reports_what_ran() -> None:
    report = check(here(dns={"2001:db8:1::10 PTR": []}), ["gmail.com"], checks=["ptr"])
    assert report.checks == ("ptr",)
    assert [f.subject for f in report.measured] == ["2001:db8:1::10"]
    assert not report.unknown


def test_a_reply_is_decided_by_just_the_checks_that_can() -> None:
    told = Refusal(
        Delivery(
            "bounced",
            recipient="someone@gmail.com",
            reply=Reply(550, "5.7.1", "IPv6 sending guidelines"),
            relay=Relay("gmail-smtp-in.l.google.com", "2001:db8:2::25"),
            source_ip="2001:db8:1::10",
        ),
        "google", "ipv6-ptr-or-auth", ("ptr-missing", "fcrdns-mismatch"), (), (), (), ("ptr",), None, "reported",
    )  # fmt: skip
    (decided,), findings = decide(here(dns={"2001:db8:1::10 PTR": []}), [told])
    assert (decided.cause, decided.standing) == ("ptr-missing", "measured")
    assert {f.check for f in findings} >= {"ptr"}
    assert not {f.check for f in findings} & {"listeners", "tls", "defects"}


def test_what_this_host_refused_a_stranger_for_is_not_looked_for_here() -> None:
    """The fault stands in `ambiguous`, and it is the stranger's: no look at this host says anything about it."""
    own = Refusal(
        Delivery("rejected-inbound", "reader@example.org", Reply(450, "4.7.25", "cannot find your hostname"), None),
        None, "rejected-inbound", ("ptr-missing",), ("own-mta", "nobody"), (), (), ("ptr",), None, "reported",
    )  # fmt: skip
    decided, findings = decide(here(dns={"2001:db8:1::10 PTR": []}), [own])
    assert (decided, findings) == ((own,), ())


def test_beside_ones_own_rejections_the_others_are_still_decided() -> None:
    own = Refusal(
        Delivery("rejected-inbound"),
        None,
        "rejected-inbound",
        ("spf-fail",),
        (),
        (),
        (),
        (),
        None,
        "reported",
    )
    gmail = Relay("gmail-smtp-in.l.google.com", "2001:db8:2::25")
    told = Refusal(
        Delivery("bounced", "someone@gmail.com", Reply(550, "5.7.25", "no PTR"), gmail, source_ip="2001:db8:1::10"),
        "google", "ptr-missing", (), (), (), (), ("ptr",), None, "reported",
    )  # fmt: skip
    (left, decided), findings = decide(here(dns={"2001:db8:1::10 PTR": []}), [own, told])
    assert left == own and decided.standing == "measured"
    assert "spf" not in {f.check for f in findings}
