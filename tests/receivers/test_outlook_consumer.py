"""Outlook.com: its numbers, its block list, and "your Internet service provider", who is the operator."""

from __future__ import annotations

import pytest

from receivers.said import by, cause, own

HERE = "hotmail-com.olc.protection.outlook.com"

NOT_ITS_OWN = {
    "a number like its own elsewhere": ("550 Error SC-0012-x: no", "mx.example.com"),
    "the words of a list elsewhere": ("550 your network is on our list", "mx.example.com"),
    "a status alone": ("550 5.7.1 [AM0EUR05FT.eop-eur05.prod.protection.outlook.com]", HERE),
}


@pytest.mark.parametrize(("text", "host"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_it_did_not_say_is_not_explained(text: str, host: str) -> None:
    assert own("outlook-consumer", text, host) is None


SAID = {
    "its block list is no public one": (
        "550 5.7.1 Unfortunately, messages from [192.0.2.25] weren't sent. Please contact your Internet service "
        "provider since part of their network is on our block list (S3150).",
        "private-blocklist",
    ),
    "cut off before the number": (
        "550 5.7.1 Unfortunately, messages from [192.0.2.25] weren't sent. Please contact your Internet service "
        "provider since part of their network is on our block list",
        "private-blocklist",
    ),
    "SC-001 alone is reputation": ("550 SC-001 (SNT004-MC4F) messages weren't sent", "ip-reputation"),
    "SC-001 that names its own list is that list": (
        "550 SC-001 (SNT004-MC4F) messages from 192.0.2.25 weren't sent, part of their network is on our block list",
        "private-blocklist",
    ),
    "OU-001 is Spamhaus": ("550 OU-001 (COL004-MC1F) messages from 192.0.2.25 weren't sent", "dnsbl-listed"),
    "DY-001 is a dynamic address": ("550 DY-001 (COL004-MC1F) messages weren't sent", "dynamic-ip"),
    "RP-003 is connections": ("421 RP-003 (COL004-MC1F) messages weren't sent", "too-many-connections"),
    "slowed for its reputation": (
        "451 4.7.650 The mail server [192.0.2.25] has been temporarily rate limited due to IP reputation. (S775)",
        "rate-limited-reputation",
    ),
    "server busy is slowed, too": (
        "451 4.7.500 Server busy. Please try again later from [192.0.2.25]. (AS761)",
        "rate-limited-reputation",
    ),
    "mailbox unavailable is nobody's mailbox": (
        "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).",
        "no-such-user",
    ),
    "bulk mail must be authenticated thrice": (
        "550; 5.7.515 Access denied, sending domain example.org doesn't meet the required authentication level.",
        "bulk-auth-required",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), SAID.values(), ids=list(SAID))
def test_each_reply_has_its_cause(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


def test_it_is_told_from_organisations_by_its_words_alone() -> None:
    said = "550 5.7.1 since part of their network is on our block list (S3140). [A.eop-b.prod.protection.outlook.com]"
    assert by(said) == ("outlook-consumer", "private-blocklist")
