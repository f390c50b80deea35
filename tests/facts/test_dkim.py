"""A given message's signatures and its author's DMARC policy, with keys from the probe."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Any

import pytest

from mailmend.checks import dkim as check
from mailmend.checks import forwarding
from mailmend.facts.dkim import signed
from mailmend.facts.dmarc import aligned, policy
from mailmend.model import ParseError, Scope
from worlds import world

LETTER = "From: Alice <alice@sender.example>\r\nTo: b@gmail.com\r\nSubject: hello\r\n\r\nGood morning\r\n"


@cache
def keys() -> tuple[bytes, str]:
    made = ["openssl", "genrsa", "-traditional", "2048"]
    private = subprocess.run(made, capture_output=True, check=True, timeout=30).stdout
    public = subprocess.run(
        ["openssl", "rsa", "-pubout"], input=private, capture_output=True, check=True, timeout=30
    ).stdout
    return private, "".join(public.decode().splitlines()[1:-1])


def letter(domain: str = "sender.example") -> str:
    import dkim

    text = LETTER.encode()
    return str((dkim.sign(text, b"s1", domain.encode(), keys()[0]) + text).decode("latin-1"))


def told(message: str, dmarc: str = "v=DMARC1; p=reject", **changes: Any) -> list[str]:
    zone = {
        "s1._domainkey.sender.example TXT": [f"v=DKIM1; k=rsa; p={keys()[1]}"],
        "s1._domainkey.list.example TXT": [f"v=DKIM1; k=rsa; p={keys()[1]}"],
        "_dmarc.sender.example TXT": [dmarc],
    }
    probe = world.made(dns=zone, **changes).probe()
    return [f"{f.standing} {f.cause} {f.subject}" for f in check.check(probe, Scope(message=message))]


def test_a_signature_that_survived_is_no_problem() -> None:
    assert told(letter()) == ["cleared dkim-fail sender.example", "cleared dmarc-reject sender.example"]


def test_line_ends_of_the_file_do_not_matter() -> None:
    assert told(letter().replace("\r\n", "\n"))[0] == "cleared dkim-fail sender.example"


@pytest.mark.parametrize(
    ("header", "author"),
    [
        ('"bob@bank.example, Inc" <alice@Shop.example>', "shop.example"),
        ('"a\\"@bank.example,\\"" <alice@shop.example>', "shop.example"),
        ("Alice <alice@shop.example> (x, y@bank.example)", "shop.example"),
        ("alice@shop.example", "shop.example"),
        # RFC 9989 5.7.1: of several authors none is the one.
        ("alice@shop.example, bob@bank.example", None),
        ("alice@localhost", None),
        ("nobody at all", None),
    ],
)
def test_the_author_is_whose_address_it_is_and_not_what_his_name_looks_like(
    header: str, author: str | None
) -> None:
    assert signed(f"From: {header}\nSubject: x\n\nhello\n", world.made().probe()).author == author


def test_a_signature_that_cannot_be_verified_here_is_not_called_broken() -> None:
    """RFC 8463: beside it stands, with most senders, one of RSA, which counts."""
    field = "DKIM-Signature: v=1; a=ed25519-sha256; d=sender.example; s=e; h=from; bh=AAAA; b=AAAA\r\n"
    (one,) = signed(field + LETTER, world.made().probe()).signatures
    assert (one.verifies, one.checked) == (False, False)
    assert "not verified here" in one.reason
    assert told(field + letter())[0] == "cleared dkim-fail sender.example"
    assert told(field + LETTER)[0] == "unknown dkim-fail sender.example"


def test_an_unsigned_letter_of_a_domain_without_policy_is_only_unsigned() -> None:
    assert told(LETTER, "v=DMARC1; p=none") == [
        "measured dkim-fail sender.example",
        "cleared dmarc-reject sender.example",
    ]


def test_a_tagged_subject_breaks_the_signature_and_will_bounce() -> None:
    assert told(letter().replace("Subject: hello", "Subject: [list] hello")) == [
        "measured dkim-fail sender.example",
        "measured dmarc-reject sender.example",
    ]


def test_a_lists_own_signature_does_not_stand_for_the_author() -> None:
    assert told(letter("list.example")) == [
        "cleared dkim-fail sender.example",
        "measured dmarc-reject sender.example",
    ]


def test_a_sister_domain_of_the_same_organisation_stands_for_the_author() -> None:
    """RFC 9989 4.10: as the audit by sender has it too."""
    text = LETTER.replace("alice@sender", "alice@shop.sender")
    import dkim

    signature = dkim.sign(text.encode(), b"s1", b"mail.sender.example", keys()[0]).decode("latin-1")
    zone = {
        "s1._domainkey.mail.sender.example TXT": [f"v=DKIM1; k=rsa; p={keys()[1]}"],
        "_dmarc.sender.example TXT": ["v=DMARC1; p=reject"],
    }
    probe = world.made(dns=zone).probe()
    found = check.check(probe, Scope(message=signature + text))
    assert [f"{f.standing} {f.cause}" for f in found] == ["cleared dkim-fail", "cleared dmarc-reject"]


def test_a_key_that_cannot_be_looked_up_is_unknown() -> None:
    assert told(letter(), fails={"Records": "resolver 192.0.2.53 does not answer"}) == [
        "unknown dkim-fail message"
    ]


@pytest.mark.parametrize(
    "text", ["", "\x00\x01\x02", "no header here\n\nbody"], ids=["empty", "binary", "prose"]
)
def test_what_is_no_message_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ParseError, match="no message"):
        signed(text, world.made().probe())


def test_a_subdomain_falls_under_its_parents_policy() -> None:
    zone = {"_dmarc.sender.example TXT": ["v=DMARC1; p=none; sp=reject; adkim=s"]}
    found = policy("news.sender.example", world.made(dns=zone).probe())
    assert found is not None
    assert (found.at, found.policy, found.strict_dkim) == ("sender.example", "reject", True)


@pytest.mark.parametrize(
    ("author", "zone", "asks"),
    [
        ("a.b.sender.example", {"b.sender.example": "p=reject", "sender.example": "p=none"}, "none"),
        ("b.sender.example", {"b.sender.example": "p=reject", "sender.example": "p=none"}, "reject"),
        ("a.b.sender.example", {"b.sender.example": "p=reject; psd=n", "sender.example": "p=none"}, "reject"),
        ("shop.example", {"example": "p=none; sp=reject; psd=y"}, "reject"),
        ("sender.example", {"sender.example": "p=reject; pct=0"}, "quarantine"),
        ("sender.example", {"sender.example": "p=reject; pct=50"}, "reject"),
        ("sender.example", {"sender.example": "p=quarantine; t=y"}, "none"),
        ("sender.example", {"sender.example": "p=reject; t=n"}, "reject"),
        ("gone.sender.example", {"sender.example": "p=none; sp=none; np=reject"}, "reject"),
        ("news.sender.example", {"sender.example": "p=none; sp=none; np=reject"}, "none"),
    ],
    ids=[
        "the-organisations-not-the-nearest", "its-own", "an-organisation-below", "of-a-suffix", "of-none-of-a-hundred",
        "of-half", "testing", "not-testing", "nowhere-in-dns", "in-dns",
    ],
)  # fmt: skip
def test_the_organisation_is_asked_where_the_author_says_nothing(
    author: str, zone: dict[str, str], asks: str
) -> None:
    """RFC 9989 4.10.1; the percentage is of RFC 7489 6.6.4."""
    dns = {f"_dmarc.{at} TXT": [f"v=DMARC1; {record}"] for at, record in zone.items()}
    dns["news.sender.example A"] = ["192.0.2.7"]
    found = policy(author, world.made(dns=dns).probe())
    assert found is not None
    assert found.policy == asks


def test_spaces_around_the_version_and_other_letters_are_read_as_receivers_do() -> None:
    zone = {"_dmarc.sender.example TXT": ["v = DMARC1 ; P=Reject; ADKIM=S"]}
    found = policy("sender.example", world.made(dns=zone).probe())
    assert found is not None
    assert (found.policy, found.strict_dkim) == ("reject", True)


@pytest.mark.parametrize(
    ("signer", "author", "strict", "stands"),
    [
        ("sender.example", "sender.example", True, True),
        ("sender.example", "news.sender.example", False, True),
        ("sender.example", "news.sender.example", True, False),
        ("example", "sender.example", False, False),
        ("othersender.example", "sender.example", False, False),
    ],
    ids=["same", "relaxed-parent", "strict-parent", "top-level", "look-alike"],
)
def test_who_stands_for_whom(signer: str, author: str, strict: bool, stands: bool) -> None:
    assert aligned(signer, author, strict) is stands


# ---- what the message shows of the programs that it passed on a forwarder --------------------


def passed(message: str | None, **settings: str) -> list[str]:
    zone = {"s1._domainkey.sender.example TXT": [f"v=DKIM1; k=rsa; p={keys()[1]}"]}
    host = world.made(dns=zone, settings=settings)
    scope = Scope(recipients=("user@example.org",), message=message)
    return [
        f"{f.standing} {f.subject}"
        for f in forwarding.check(host.probe(), scope)
        if f.cause == "message-altered"
    ]


MILTER = {"smtpd_milters": "inet:127.0.0.1:8891"}


def test_a_milter_is_never_cleared_by_silence() -> None:
    assert passed(None, **MILTER) == ["unknown smtpd_milters"]
    assert passed(None, non_smtpd_milters="unix:opendkim.sock") == ["unknown smtpd_milters"]
    assert passed(LETTER, **MILTER) == ["unknown smtpd_milters"]
    assert passed(letter().replace("Good morning", "Bad morning"), **MILTER) == ["unknown smtpd_milters"]


def test_a_signature_that_still_verifies_clears_the_milter() -> None:
    assert passed(letter(), **MILTER) == ["cleared message"]


def test_no_message_excuses_what_main_cf_itself_changes() -> None:
    settings = {"message_strip_characters": "\\0"}
    assert passed(letter(), **settings) == ["measured message_strip_characters"]
