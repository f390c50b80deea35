"""Google's replies on who is sending: told apart, in every spelling, and nothing else taken for one of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mailmend import receivers
from mailmend.model import Delivery, Relay
from mailmend.parse import reply

GOOGLE = "gmail-smtp-in.l.google.com"


def cause(text: str, host: str | None = GOOGLE, recipient: str | None = None) -> str | None:
    delivery = Delivery("bounced", recipient, reply.parse(text), Relay(host, None) if host else None)
    found = receivers.match(delivery, receivers.load())
    return found.rule.cause if found else None


OTHER_MEANINGS = {
    "spam, also 5.7.1 and with the address": "550-5.7.1 [192.0.2.25 12] Our system has detected that this message is "
    "likely unsolicited mail. 550 5.7.1 To reduce the amount of spam sent to Gmail, this message has been blocked.",
    "reputation": "550 5.7.1 [192.0.2.25] suspicious due to the very low reputation of the sending domain - gsmtp",
    "a rate of the address, 4.7.28": "421-4.7.28 [192.0.2.25 15] Our system has detected an unusual rate of 421 4.7.28 "
    "unsolicited mail originating from your IP address. - gsmtp",
    "a rate of the SPF domain": "421 4.7.28 Gmail has detected an unusual rate of mail from your SPF domain",
    "a rate of the DKIM domain": "421 4.7.28 Gmail has detected an unusual rate of mail from your DKIM domain",
    "From: is missing": "550 5.7.1 [192.0.2.25] Messages missing a valid address in From: header are not accepted.",
    "no such user": "550 5.1.1 The email account that you tried to reach does not exist. - gsmtp",
    "a command too early": "503 5.5.1 EHLO/HELO first. https://support.google.com/mail/?p=helo - gsmtp",
    "a status alone": "550 5.7.25 - gsmtp",
    "5.7.26 alone": "550 5.7.26 a1si2wmz.3 - gsmtp",
}


@pytest.mark.parametrize("text", OTHER_MEANINGS.values(), ids=OTHER_MEANINGS)
def test_what_google_says_of_other_things_is_left_alone(text: str) -> None:
    assert cause(text) is None


NOT_GOOGLE = {
    "another receiver's PTR text": (
        "550 5.7.25 The IP address sending this does not have a PTR record",
        "mx.example.com",
    ),
    "a host that only looks like it": (
        "550 5.7.1 not meet IPv6 sending guidelines",
        "google.com.example.net",
    ),
    "a name that ends like it": ("550 5.7.1 not meet IPv6 sending guidelines", "mx.notgoogle.com"),
    "a relayhost refusing mail to gmail.com": ("550 5.7.1 does not have a PTR record", "relay.example.net"),
}


@pytest.mark.parametrize(("text", "host"), NOT_GOOGLE.values(), ids=NOT_GOOGLE)
def test_the_same_words_by_somebody_else_are_not_googles(text: str, host: str) -> None:
    assert cause(text, host, "reader@gmail.com") is None


SAID = tomllib.loads((Path(__file__).parent / "google_said.toml").read_text("utf-8"))["said"]


@pytest.mark.parametrize("case", SAID, ids=lambda case: case["id"])
def test_each_reply_has_its_cause(case: dict[str, str]) -> None:
    assert cause(case["reply"]) == case["cause"]


def test_one_reply_for_four_faults_names_all_four_and_the_checks_that_decide() -> None:
    delivery = Delivery("bounced", reply=reply.parse("550 5.7.1 not meet IPv6 sending guidelines - gsmtp"))
    found = receivers.match(delivery, receivers.load())
    assert found is not None
    assert set(found.rule.ambiguous) == {"ptr-missing", "fcrdns-mismatch", "spf-fail", "dkim-fail"}
    assert set(found.rule.checks) >= {"ptr", "spf", "dkim"}
    assert found.marks == ("not meet ipv6 sending guidelines",)


def test_a_relayhost_that_quotes_google_does_not_hide_who_refused() -> None:
    assert (
        cause("550 5.7.25 does not have a PTR record a1si2.3 - gsmtp", "relay.example.net") == "ptr-missing"
    )


def test_hosts_are_compared_label_by_label() -> None:
    assert receivers.of_host("ALT1.ASPMX.L.GOOGLE.COM.") == "google"
    assert receivers.of_host("aspmx2.googlemail.com") == "google"
    assert receivers.of_host("mx.notgoogle.com") is None
    assert receivers.of_host("google.com.example.net") is None
