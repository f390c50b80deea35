"""Comcast: the number at the end of its link is the reason."""

from __future__ import annotations

import pytest

from receivers.said import by, cause, own

HERE = "mx1a1.comcast.net"
LINK = "https://postmaster.comcast.net/smtp-error-codes.php#"

NOT_ITS_OWN = {
    "a status alone": ("554 5.7.1 no", HERE),
    "the page without a number": (f"554 refused. Please see {LINK}", HERE),
    "throttled elsewhere": ("421 4.1.0 RL-000001", "mx.example.com"),
}


@pytest.mark.parametrize(("text", "host"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_it_did_not_say_is_not_explained(text: str, host: str) -> None:
    assert own("comcast", text, host) is None


SAID = {
    "BL000000 is its own list": (f"554 192.0.2.25 refused. Please see {LINK}BL000000", "private-blocklist"),
    "BL000001 is Spamhaus": (f"554 192.0.2.25 refused. Please see {LINK}BL000001", "dnsbl-listed"),
    "BL000101 is two public lists": (f"554 192.0.2.25 refused. Please see {LINK}BL000101", "dnsbl-listed"),
    "ES000010 is a dynamic address": (f"554 192.0.2.25 refused. Please see {LINK}ES000010", "dynamic-ip"),
    "RL000003 is connections": (f"421 Too many sessions opened. {LINK}RL000003", "too-many-connections"),
    "RL000010 is a rate": (f"451 4.2.0 Throttled - {LINK}RL000010", "rate-limited"),
    "a rate without a number": ("421 4.1.0 192.0.2.25 Throttled - try again later.", "rate-limited"),
    "DMARC": (f"550 5.2.0 Message rejected due to DMARC. Please see {LINK}DM000001", "dmarc-reject"),
    "no PTR": ("421 Reverse DNS failure : Try again later", "ptr-missing"),
    "no customer": ("550 5.1.1 Not our Customer", "no-such-user"),
}


@pytest.mark.parametrize(("text", "wanted"), SAID.values(), ids=list(SAID))
def test_each_reply_has_its_cause(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


def test_it_is_known_by_its_link_where_no_host_is() -> None:
    assert by(f"554 192.0.2.25 refused. Please see {LINK}BL000001") == ("comcast", "dnsbl-listed")
