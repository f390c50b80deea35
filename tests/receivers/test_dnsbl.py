"""Which list, of addresses or of domains, and when nobody is listed at all."""

from __future__ import annotations

import pytest

from receivers.said import by, cause

USING = "554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using"

NOBODY_IS_LISTED = {
    "Spamhaus to an open resolver": f"{USING} zen.spamhaus.org; Error: open resolver;"
    " https://www.spamhaus.org/returnc/pub/198.51.100.53",
    "Spamhaus to one that asks too much": f"{USING} zen.spamhaus.org; https://www.spamhaus.org/returnc/vol/",
    "a return code without words": f"{USING} zen.spamhaus.org; 127.255.255.254",
    "the domain list of Spamhaus": "554 5.7.1 Sender address [a@example.org] blocked using dbl.spamhaus.org;"
    " Error: open resolver; https://www.spamhaus.org/returnc/pub/198.51.100.53",
    "URIBL": "554 5.7.1 blocked using multi.uribl.com; 127.0.0.1 -> Query Refused. See http://uribl.com/refused.shtml",
}


@pytest.mark.parametrize("text", NOBODY_IS_LISTED.values(), ids=NOBODY_IS_LISTED)
def test_a_list_that_refuses_to_answer_lists_nobody(text: str) -> None:
    assert cause(text, "mx.example.org") == "dnsbl-query-refused"
    assert cause(text) == "dnsbl-query-refused"


def test_a_list_does_not_tell_who_asked_it() -> None:
    assert by(f"{USING} zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.25") == (
        None,
        "dnsbl-listed",
    )


NO_LIST = {
    "a resolver that a receiver talks about": ("451 4.4.3 DNS lookup failed", "dns-tempfail"),
    "a personal list": ("550 5.7.1 Sender is in the recipient's blocklist", "recipient-blocked-sender"),
    "a list of one's own": ("554 5.7.1 Your IP is blocked by our local blacklist", "private-blocklist"),
    "a list of those who unsubscribed": (
        "550 5.1.1 The address is on the suppression list",
        "suppressed",
    ),
    "a mailing list": ("550 5.7.2 You are not allowed to post to this list", "list-refused"),
}


@pytest.mark.parametrize(("text", "wanted"), NO_LIST.values(), ids=NO_LIST)
def test_other_lists_are_not_public_ones(text: str, wanted: str) -> None:
    assert cause(text, "mx.example.org") == wanted


DOMAINS = {
    "the sender's domain": "554 5.7.1 Service unavailable; Sender address [a@b.example] blocked using list.example.net",
    "the HELO name": "554 5.7.1 Service unavailable; Helo command [mail.example.org] blocked using list.example.net",
    "DBL by its page": "550 5.7.1 See https://www.spamhaus.org/query/domain/example.org",
    "SURBL": "550 5.7.1 Blocked, example.org listed in multi.surbl.org",
}


@pytest.mark.parametrize("text", DOMAINS.values(), ids=DOMAINS)
def test_a_listed_domain_is_no_listed_address(text: str) -> None:
    assert cause(text, "mx.example.org") == "domain-dnsbl-listed"


LISTS = [
    "zen.spamhaus.org",
    "pbl.spamhaus.org",
    "bl.spamcop.net",
    "b.barracudacentral.org",
    "dnsbl-1.uceprotect.net",
    "psbl.surriel.com",
    "combined.mail.abusix.zone",
    "truncate.gbudb.net",
    "ix.dnsbl.manitu.net",
    "dnsbl.sorbs.net",
    "bl.mailspike.net",
    "a.list.that.nobody.knows.example",
]


@pytest.mark.parametrize("name", LISTS)
def test_a_listed_address(name: str) -> None:
    assert cause(f"{USING} {name}; see https://{name}/192.0.2.25", "mx.example.org") == "dnsbl-listed"
