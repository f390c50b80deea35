"""Apple's iCloud: a local policy that may be anything, and the few replies that say more."""

from __future__ import annotations

import pytest

from receivers.said import by, cause, match, own

HERE = "mx01.mail.icloud.com"

NOT_ITS_OWN = {
    "a status alone": ("554 5.7.1 no", HERE),
    "its number elsewhere": ("554 5.7.1 [CS01] no", "mx.example.com"),
    "only the link to its help": ("554 5.7.1 see https://support.apple.com/102322", HERE),
}


@pytest.mark.parametrize(("text", "host"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_it_did_not_say_is_not_explained(text: str, host: str) -> None:
    assert own("apple", text, host) is None


SAID = {
    "the policy's number before a volume": (
        "421 4.7.1 [CS01] Messages to reader@example.net deferred due to excessive volume. Try again later",
        "rate-limited",
    ),
    "a policy": ("554 5.7.1 [CS01] Message rejected due to local policy.", "receiver-policy"),
    "a policy, cut off": ("554 5.7.1 [HM08] Message rej", "receiver-policy"),
    "the sender's DMARC is no policy of Apple": (
        "554 5.7.1 Your message was rejected due to example.net's DMARC policy.",
        "dmarc-reject",
    ),
    "neither SPF nor DKIM": ("554 5.7.1 [HME1] blocked for failing both SPF and DKIM", "unauthenticated"),
    "an address on Spamhaus's list": ("550 5.7.1 rejected due to listing in Spamhaus SBL.", "dnsbl-listed"),
    "a domain on it": (
        "550 5.7.1 Your email was rejected due to having a domain present in the Spamhaus DBL",
        "domain-dnsbl-listed",
    ),
    "an address that nobody reads any more": (
        "550 5.1.1 <reader@example.net>: inactive email address",
        "mailbox-disabled",
    ),
    "an address that never was": ("550 5.1.1 <reader@example.net>: user does not exist", "no-such-user"),
    "a relay for registered senders": (
        "550 5.1.1 <abc@privaterelay.appleid.com>: Unauthorized sender",
        "sender-not-permitted",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), SAID.values(), ids=list(SAID))
def test_each_reply_has_its_cause(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


def test_a_local_policy_says_what_it_may_be() -> None:
    found = match("554 5.7.1 [CS02] Message rejected due to local policy.", HERE)
    assert found is not None
    assert {"content-spam", "ip-reputation", "domain-reputation", "unauthenticated"} < set(
        found.rule.ambiguous
    )


def test_it_is_known_by_its_link_where_no_host_is() -> None:
    said = "554 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137"
    assert by(said) == ("apple", "receiver-policy")
