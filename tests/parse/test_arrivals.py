"""What verifiers beside Postfix log of a message's signatures and author; and what only looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from mailmend.parse.arrivals import Arrival, arrival

HEAD = "2026-11-23T03:05:56.748084+00:00 relay"
OLD = "Nov 23 03:05:56 relay"


@pytest.mark.parametrize(
    "line",
    [
        f"{HEAD} opendkim[13]: OpenDKIM Filter v2.11.0 starting (args: -f -x /etc/opendkim.conf)",
        f"{HEAD} postfix/smtpd[24]: AB1814D: client=mail.sender.example[203.0.113.25]",
        # A stranger who writes a verifier's line into his HELO name, his address or his Message-ID.
        f"{HEAD} postfix/cleanup[29]: AB1814D: message-id=<opendkim[13]: AB1814D: DKIM verification successful>",
        f"{HEAD} postfix/smtpd[24]: NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 <a>; helo=<x opendmarc[1]: AB1814D: "
        "victim.example pass>",
        f"{HEAD} other[1]: <x>; task; rspamd_task_write_log: id: <a@b>, qid: <AB1814D>, (default: F (no action): "
        "[1.00/15.00] [R_DKIM_ALLOW(-0.20){victim.example:s=s1;}])",
        f"{HEAD} postfix/smtpd[29]: AB1814D: info: header From: A <a@victim.example> from x[192.0.2.9]; from=<b@c>",
        "",
        "opendkim[",
    ],
)
def test_what_only_looks_like_it_says_nothing(line: str) -> None:
    assert arrival(line) is None


def test_a_line_that_says_nothing_of_signatures_still_shows_that_the_program_saw_the_message() -> None:
    assert arrival(f"{HEAD} opendkim[13]: AB1814D: not authenticated") == Arrival("AB1814D", "opendkim")


@pytest.mark.parametrize("head", [HEAD, OLD])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            'signature=NE5Q0LhF domain=Both.example selector=s1 result="no signature error"',
            {"verified": ("both.example",), "signed": True, "signers": ("both.example",)},
        ),
        (
            'signature=NE5Q0LhF domain=both.example selector=s1 result="signature verification failed"',
            {"verified": (), "signed": True, "signers": ("both.example",), "failed": ("both.example",)},
        ),
        # Nobody knows whether it holds: the key could not be asked for.
        (
            'signature=NE5Q0LhF domain=both.example selector=s1 result="key DNS query failed"',
            {"verified": None, "signed": True, "signers": ("both.example",)},
        ),
        # opendkim 2.11 says this too where DNS failed for the same name a moment before.
        (
            'signature=NE5Q0LhF domain=both.example selector=s1 result="key not found in DNS"',
            {"verified": None, "signed": True, "signers": ("both.example",)},
        ),
        # Of several signatures one line tells, as 2.11 writes it.
        (
            'signature=R/OnBNJo domain=esp.example selector=k2 result="no signature error"; '
            'signature=zQb8uEN8 domain=Shop.example selector=k2 result="no signature error"',
            {
                "verified": ("esp.example", "shop.example"),
                "signed": True,
                "signers": ("esp.example", "shop.example"),
            },
        ),
        (
            'signature=IQbDSZls domain=shop.example selector=k2 result="signature verification failed"; '
            'signature=SyMSQ+lr domain=esp.example selector=k2 result="no signature error"',
            {
                "verified": ("esp.example",),
                "signed": True,
                "signers": ("shop.example", "esp.example"),
                "failed": ("shop.example",),
            },
        ),
        (
            'signature=UsMJpgwc domain=late.example selector=k2 result="key DNS query failed"; '
            'signature=SyMSQ+lr domain=esp.example selector=k2 result="signature expired"',
            {
                "verified": (),
                "signed": True,
                "signers": ("late.example", "esp.example"),
                "failed": ("esp.example",),
            },
        ),
        (
            "message has signatures from esp.example, Shop.example",
            {"signed": True, "signers": ("esp.example", "shop.example")},
        ),
        (
            "key retrieval failed (s=k2, d=late.example): 'k2._domainkey.late.example' unexpected reply "
            "class/type (-1/-1)",
            {"signed": True, "signers": ("late.example",)},
        ),
        (
            "key revoked (s=k2, d=revoked.example, a=rsa-sha256)",
            {
                "verified": (),
                "signed": True,
                "signers": ("revoked.example",),
                "failed": ("revoked.example",),
            },
        ),
        ("DKIM verification successful", {"signed": True, "holds": True}),
        ("s=s1 d=both.example a=rsa-sha256 SSL ", {"signed": True, "tried": "both.example"}),
        ("bad signature data", {"verified": (), "signed": True, "final": True}),
        ("no signature data", {"verified": (), "signed": False, "final": True}),
    ],
)
def test_opendkim_tells_of_signatures(head: str, words: str, told: dict[str, object]) -> None:
    assert arrival(f"{head} opendkim[13]: AB1814D: {words}\n") == Arrival("AB1814D", "opendkim", **told)  # type: ignore[arg-type]


def test_opendmarc_tells_the_author_and_not_by_what_he_passed() -> None:
    told = arrival(f"{OLD} opendmarc[7]: 4XyzBdG2kZz1: shop.example fail")
    assert told == Arrival("4XyzBdG2kZz1", "opendmarc", author="shop.example")
    spf = arrival(f"{OLD} opendmarc[7]: 4XyzBdG2kZz1: SPF(mailfrom): alice@shop.example pass")
    assert spf == Arrival("4XyzBdG2kZz1", "opendmarc")


RSPAMD = (
    "<ed7872>; task; rspamd_task_write_log: id: <a@shop.example>, qid: <949221002C415>, ip: 203.0.113.25, "
    "from: <bounces@list.example>, (default: F (no action): [0.10/15.00] "
)


@pytest.mark.parametrize("head", [f"{OLD} rspamd[24]: ", "2026-11-23 03:05:56 #24(normal) "])
def test_rspamd_tells_both(head: str) -> None:
    symbols = (
        "[DMARC_POLICY_ALLOW(-0.50){shop.example;reject;},R_DKIM_ALLOW(-0.20){shop.example:s=k1;list.example:s=k2;},"
        "MIME_GOOD(-0.10){text/plain;}]), len: 892, time: 7.999ms"
    )
    told = arrival(head + RSPAMD + symbols)
    assert told == Arrival(
        "949221002C415", "rspamd", ("shop.example", "list.example"), signed=True, author="shop.example",
        signers=("shop.example", "list.example"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("symbols", "told"),
    [
        (
            "[R_DKIM_REJECT(1.00){shop.example:s=k1;}]",
            {"verified": (), "signed": True, "signers": ("shop.example",), "failed": ("shop.example",)},
        ),
        ("[R_DKIM_NA(0.00){}]", {"verified": (), "signed": False}),
        # Its key could not be asked for: it may hold.
        ("[R_DKIM_TEMPFAIL(0.00){shop.example:s=k1;}]", {"signed": True, "signers": ("shop.example",)}),
        (
            "[R_DKIM_TEMPFAIL(0.00){shop.example:s=k1;},R_DKIM_ALLOW(-0.20){list.example:s=k2;}]",
            {"verified": ("list.example",), "signed": True, "signers": ("list.example", "shop.example")},
        ),
        ("[MIME_GOOD(-0.10){text/plain;}]", {}),
        # The subject of a rule of somebody's own is no symbol of a signature.
        ("[MY_RULE(0.00){R_DKIM_ALLOW(-0.20)}]", {}),
    ],
)
def test_rspamd_without_a_good_signature_of_the_author(symbols: str, told: dict[str, Any]) -> None:
    seen = arrival(f"{OLD} rspamd[24]: {RSPAMD}{symbols}), len: 892")
    assert seen == Arrival("949221002C415", "rspamd", **told)


@pytest.mark.parametrize(
    ("header", "author"),
    [
        ("A Sender <alice@Shop.example>", "shop.example"),
        ("alice@shop.example (from work)", "shop.example"),
        ('"bob@bank.example" <alice@shop.example>', "shop.example"),
        # Two authors: neither is the one.
        ("alice@shop.example, bob@bank.example", None),
        ("nobody at all", None),
    ],
)
def test_a_rule_of_header_checks_that_logs_the_author(header: str, author: str | None) -> None:
    line = (
        f"{HEAD} postfix/cleanup[29]: AB1814D: info: header From: {header} from mail.sender.example[203.0.113.25]; "
        "from=<bounces@list.example> to=<u@example.org> proto=ESMTP helo=<mail.sender.example>"
    )
    assert arrival(line) == Arrival("AB1814D", "cleanup", author=author)
