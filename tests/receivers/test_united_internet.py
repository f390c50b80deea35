"""GMX, WEB.DE, mail.com, IONOS: the last line of the reply says why, and a number alone says nothing."""

from __future__ import annotations

import pytest

from mailmend import receivers
from receivers.said import by, cause, match, own

HERE = "mx00.emig.gmx.net"

NOT_ITS_OWN = {
    "the greeting that refuses, without a reason": (
        "554-gmx.net (mxgmx104) Nemesis ESMTP Service not available 554 No SMTP service",
        HERE,
    ),
    "a link to its help": ("554 For explanation visit https://postmaster.gmx.net/en/error-messages", HERE),
    "an address that is listed elsewhere": ("554 c=rdns", "mx.example.com"),
}


@pytest.mark.parametrize(("text", "host"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_it_did_not_say_is_not_explained(text: str, host: str) -> None:
    assert own("united-internet", text, host) is None


SAID = {
    "policy restrictions may be many things": ("554 Reject due to policy restrictions.", "receiver-policy"),
    "of the headers": ("550 Reject due to policy restrictions (header based)", "header-noncompliant"),
    "of the address": ("550 Reject due to policy restrictions (IP based)", "ip-reputation"),
    "policy violations, 421, are the address's": ("421 Reject due to policy violations", "ip-reputation"),
    "policy violations, 450, are a HELO that changes": (
        "450 Reject due to policy violations",
        "helo-invalid",
    ),
    "the SPF policy is the sender's": ("550 <a@example.org>: Reject due to SPF policy.", "spf-fail"),
    "the DMARC policy is the sender's": (
        "554-Transaction failed 554-Reject due to domain's DMARC policy. 554 For explanation visit "
        "https://postmaster.gmx.net/en/case?c=r0900",
        "dmarc-reject",
    ),
    "a listed address, with the case in the link": (
        "554-No SMTP service 554-IP address is block listed. 554 For explanation visit "
        "https://postmaster.gmx.net/en/case?c=r0201&i=ip&v=192.0.2.25&r=1M",
        "private-blocklist",
    ),
    "no PTR, on the last line": (
        "554-gmx.net (mxgmx017) Nemesis ESMTP Service not available 554-No SMTP service 554-Bad DNS PTR resource "
        "record. 554 For explanation visit http://postmaster.gmx.com/en/error-messages?ip=192.0.2.25&c=rdns",
        "ptr-missing",
    ),
    "mailbox unavailable is nobody's mailbox": (
        "550 <reader@example.net>: Requested action not taken: mailbox unavailable",
        "no-such-user",
    ),
    "the same words for a From: of somebody else": (
        "550-Requested action not taken: mailbox unavailable 550 Sender address is not allowed.",
        "sender-not-permitted",
    ),
    "a full mailbox": (
        "552-Requested mail action aborted: exceeded storage allocation 552 Quota",
        "mailbox-full",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), SAID.values(), ids=list(SAID))
def test_each_reply_has_its_cause(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


def test_policy_restrictions_name_what_they_may_be() -> None:
    found = match("554-Transaction failed 554-Reject due to policy restrictions.", HERE)
    assert found is not None
    assert set(found.rule.ambiguous) >= {"content-spam", "header-noncompliant"}


def test_all_its_houses_are_one() -> None:
    hosts = ("mx-ha03.web.de", "mx00.ionos.de", "mx01.kundenserver.de", "mx00.mail.com", "mx01.emig.gmx.net")
    assert {receivers.of_host(host) for host in hosts} == {"united-internet"}
    assert receivers.of_host("mx.hotmail.com") != "united-internet"
    assert receivers.of_host("mx.examplemail.com") is None


def test_it_is_known_by_its_link_where_no_host_is() -> None:
    said = "554-IP address is block listed. 554 For explanation visit https://postmaster.web.de/en/case?c=r0201&i=ip"
    assert by(said) == ("united-internet", "private-blocklist")
