"""Yahoo and AOL: what their numbers in brackets mean, and what `policy reasons` are whose policy."""

from __future__ import annotations

import pytest

from receivers.said import by, cause, match, own

HERE = "mta5.am0.yahoodns.net"

NOT_ITS_OWN = {
    "a status alone": ("554 5.7.9 no", HERE),
    "421 alone": ("421 4.7.0 see https://senders.yahooinc.com/error-codes", HERE),
    "policy reasons of somebody else": ("554 5.7.1 refused for policy reasons", "mx.example.com"),
    "a mailbox that is not found, elsewhere": ("552 1 (BL21)", "mx.example.com"),
}


@pytest.mark.parametrize(("text", "host"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_it_did_not_say_is_not_explained(text: str, host: str) -> None:
    assert own("yahoo", text, host) is None


SAID = {
    "TSS09 refuses for good": (
        "553 5.7.2 [TSS09] All messages from 192.0.2.25 will be permanently deferred; Retrying will NOT succeed.",
        "private-blocklist",
    ),
    "TSS07, in the same words, is Spamhaus": (
        "553 5.7.1 [TSS07] All messages from 192.0.2.25 will be permanently deferred",
        "dnsbl-listed",
    ),
    "TSS04 slows": (
        "421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected volume or user complaints",
        "rate-limited-reputation",
    ),
    "BL23 is Spamhaus": ("553 5.7.1 [BL23] Connections not accepted", "dnsbl-listed"),
    "5.7.9 is DMARC": ("554 5.7.9 Message not accepted for policy reasons.", "dmarc-reject"),
    "AU01, in the same words, is DKIM": (
        "554 5.7.5 (AU01) Message not accepted for policy reasons.",
        "dkim-fail",
    ),
    "PH01, in nearly the same words, is content": (
        "554 Message not allowed - [PH01] Email not accepted for policy reasons.",
        "content-phishing",
    ),
    "deferred for a domain that does not resolve is no rate": (
        "451 Message temporarily deferred due to unresolvable RFC.5321 from domain.",
        "sender-domain-unresolvable",
    ),
    "neither SPF nor DKIM": (
        "550 5.7.9 This mail has been blocked because the sender is unauthenticated. Yahoo requires all senders to",
        "unauthenticated",
    ),
    "no such account": ("554 delivery error: dd This user doesn't have a yahoo.com account", "no-such-user"),
    "a dead mailbox": ("554 30 Sorry. This mailbox is disabled (554.30).", "mailbox-disabled"),
    "AOL's dynamic address": (
        "554- (RTR:BB) http://postmaster.info.aol.com/errors/554rtrbb.html",
        "dynamic-ip",
    ),
    "AOL's links in the text": ("554 5.7.1 : (HVU:B1) http://postmaster.info.aol.com/errors", "content-spam"),
}


@pytest.mark.parametrize(("text", "wanted"), SAID.values(), ids=list(SAID))
def test_each_reply_has_its_cause(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


def test_tss04_may_be_missing_authentication_and_names_the_checks() -> None:
    found = match("421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred", HERE)
    assert found is not None
    assert found.rule.ambiguous == ("rate-limited-reputation", "unauthenticated")
    assert found.rule.checks == ("spf", "dkim")


def test_it_is_known_by_its_words_where_no_host_is() -> None:
    said = "421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred"
    assert by(said) == ("yahoo", "rate-limited-reputation")
