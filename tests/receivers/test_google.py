"""Google's replies: told apart, in every spelling, all that it documents, and nobody else's taken for its own."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from mailmend import receivers
from mailmend.model import Delivery
from mailmend.parse import reply
from receivers import said
from receivers.said import own

GOOGLE = "gmail-smtp-in.l.google.com"
DOCUMENTED = Path(__file__).parents[3] / "shared" / "facts" / "gmail_replies.json"


def cause(text: str, host: str | None = GOOGLE) -> str | None:
    return said.cause(text, host)


EXPLAINS_NOTHING = {
    "a status alone": "550 5.7.25 - gsmtp",
    "5.7.26 alone": "550 5.7.26 a1si2wmz.3 - gsmtp",
    "4.7.28, which was DKIM once and is a rate now": "421 4.7.28 a1si2wmz.3 - gsmtp",
    "5.7.27, SPF here and a null MX elsewhere": "550 5.7.27 a1si2wmz.3 - gsmtp",
    "a link to the help of everything": "550 5.7.1 https://support.google.com/mail/answer/81126 - gsmtp",
}


@pytest.mark.parametrize("text", EXPLAINS_NOTHING.values(), ids=EXPLAINS_NOTHING)
def test_a_number_alone_is_no_explanation(text: str) -> None:
    assert own("google", text, GOOGLE) is None


# The words or the number of one fault, and the other fault that is meant.
NOT_WHAT_IT_LOOKS_LIKE = {
    "spam over IPv6, also 5.7.1 and with the address, is not the PTR": (
        "550-5.7.1 [2001:db8::25 12] Our system has detected that this message is likely unsolicited mail.",
        "content-spam",
    ),
    "the domain's reputation is not the address's": (
        "550 5.7.1 [192.0.2.25] suspicious due to the very low reputation of the sending domain",
        "domain-reputation",
    ),
    "the address's reputation is not the domain's": (
        "550 5.7.1 [192.0.2.25] suspicious due to the very low reputation of the sending IP address",
        "ip-reputation",
    ),
    "a rate of the SPF domain is no SPF failure": (
        "421 4.7.28 Gmail has detected an unusual rate of mail originating from your SPF domain",
        "rate-limited-reputation",
    ),
    "a rate of the DKIM domain is no DKIM failure": (
        "421 4.7.28 Gmail has detected an unusual rate of mail originating from your DKIM domain",
        "rate-limited-reputation",
    ),
    "rate limited for want of SPF is no rate": (
        "421 4.7.27 This mail has been rate limited because SPF does not pass.",
        "spf-fail",
    ),
    "rate limited without a reason is the sender's own quota": (
        "550 5.7.1 This mail has been rate limited.",
        "sender-quota",
    ),
    "a From: that is missing is no DMARC": (
        "550 5.7.1 Messages missing a valid address in From: header are not accepted.",
        "header-noncompliant",
    ),
    "a command too early is no bad HELO": (
        "503 5.5.1 EHLO/HELO first. https://support.google.com/mail/?p=helo - gsmtp",
        "protocol-error",
    ),
    "a recipient who gets too much is not a sender who sends too much": (
        "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents more",
        "recipient-rate-limited",
    ),
    "the limit of header fields is not the size of the message": (
        "552 5.3.4 Your message exceeded Google's message header size limits.",
        "header-too-large",
    ),
    "a broken header behind the link of blocked content": (
        "550 5.7.1 a unicode character in a disallowed header https://support.google.com/mail/?p=BlockedMessage",
        "header-noncompliant",
    ),
    "an attachment behind the same link": (
        "552 5.7.0 detected an illegal attachment https://support.google.com/mail/?p=BlockedMessage",
        "attachment-blocked",
    ),
    "a relay's account that was suspended is no lack of rights": (
        "550 5.7.0 Mail relay denied. The sending mail account has been temporarily suspended due to abuse.",
        "sender-account-blocked",
    ),
    "a home connection is not refused relaying": (
        "550 5.7.1 The IP you're using to send mail is not authorized to send email directly to our servers.",
        "dynamic-ip",
    ),
    "unauthenticated, in the older words, is DMARC": (
        "550 5.7.1 Unauthenticated email is not accepted from this domain.",
        "dmarc-reject",
    ),
    "too busy to authenticate is not a broken server": (
        "454 4.7.0 Cannot authenticate due to a temporary system problem. Try again later.",
        "auth-required",
    ),
}


@pytest.mark.parametrize(
    ("text", "wanted"), NOT_WHAT_IT_LOOKS_LIKE.values(), ids=list(NOT_WHAT_IT_LOOKS_LIKE)
)
def test_what_looks_like_another_fault_is_told_apart(text: str, wanted: str) -> None:
    assert cause(text) == wanted


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
    assert own("google", text, host) is None


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


# Where the newer causes say more than those that the list of documented replies was made with.
FINER = {
    "sending mail account has been temporarily suspended": "sender-account-blocked",
    "sending email account has been temporarily suspended": "sender-account-blocked",
    "mail sending denied": "sender-account-blocked",
    "is not authorized to send email directly": "dynamic-ip",
    "does not match the ip address of the hostname": "fcrdns-mismatch",
}


@pytest.mark.skipif(not DOCUMENTED.exists(), reason=f"no list of documented replies at {DOCUMENTED}")
@pytest.mark.parametrize("host", [GOOGLE, None], ids=["by its host", "by its words alone"])
@pytest.mark.parametrize("links", [False, True], ids=["words", "words and links"])
def test_every_reply_that_google_documents_is_explained(host: str | None, links: bool) -> None:
    wrong = []
    for row in json.loads(DOCUMENTED.read_text()):
        text = f"{row['code']} {row['esc']} {row['text']} {' '.join(row['links']) if links else ''}"
        finer = [to for words, to in FINER.items() if words in text.lower()]
        wanted = finer[0] if finer else row["cause"].replace("_", "-")
        if host is None and wanted == "protocol-error":
            continue  # "syntax error" is anybody's
        if cause(text, host) != wanted:
            wrong.append((text[:90], wanted, cause(text, host)))
    assert wrong == []
