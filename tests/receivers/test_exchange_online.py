"""Microsoft 365 says one thing and means another; what it means is what an operator is told."""

from __future__ import annotations

import pytest

from mailmend import receivers
from receivers.said import by, cause, match, own

HERE = "example-net.mail.protection.outlook.com"

EXPLAINS_NOTHING = {
    "a status alone": "550 5.7.1 [AM0EUR05FT.eop-eur05.prod.protection.outlook.com]",
    "a number of its reputation system alone": "451 4.7.500 (S77714)",
    "5.4.1 without words": "550 5.4.1 [AM0EUR05FT.eop-eur05.prod.protection.outlook.com]",
    "a wrapped reply of which it says nothing": "550 5.0.350 Remote server returned an error -> 554 5.0.0 no",
}


@pytest.mark.parametrize("text", EXPLAINS_NOTHING.values(), ids=EXPLAINS_NOTHING)
def test_a_number_alone_is_no_explanation(text: str) -> None:
    assert own("exchange-online", text, HERE) is None


NOT_WHAT_IT_SAYS = {
    "access denied is a recipient that does not exist": (
        "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [AM0EUR05FT.eop.example]",
        "no-such-user",
    ),
    "with a blank before the colon": (
        "550 5.4.1 All recipient addresses rejected : Access denied",
        "no-such-user",
    ),
    "its number is enough": ("550 5.4.1 [reader@example.net] AS(201806271)", "no-such-user"),
    "access denied, later, is the address's reputation": (
        "451 4.7.550 Access denied, please try again later (AS843)",
        "rate-limited-reputation",
    ),
    "server busy is the address's reputation": (
        "451 4.7.500 Server busy. Please try again later from [192.0.2.25]. (AS77712345)",
        "rate-limited-reputation",
    ),
    "too many recipients, with its number, is a new address": (
        "452 4.5.3 Too many recipients (AS780090) [DB5EUR03FT.eop.example]",
        "rate-limited-reputation",
    ),
    "too many recipients without it are too many": ("452 4.5.3 Too many recipients", "too-many-recipients"),
    "a banned sender, 5.7.511, is an address on its list": (
        "550 5.7.511 Access denied, banned sender [192.0.2.25]",
        "private-blocklist",
    ),
    "a banned sender, 5.7.502, is an account of one's own": (
        "550 5.7.502 Access denied, banned sender",
        "sender-account-blocked",
    ),
    "a banned sender, 5.7.800, is a domain": (
        "550 5.7.850 Access denied, banned sender",
        "domain-reputation",
    ),
    "blocked using the customer's list is the customer's doing": (
        "550 5.7.513 Service unavailable, Client host [192.0.2.25] blocked by example.net using Customer Block list",
        "recipient-blocked-sender",
    ),
    "blocked using Spamhaus is Spamhaus's listing of the address": (
        "550 5.7.1 Service unavailable, Client host [192.0.2.25] blocked using Spamhaus (AS16012611)",
        "dnsbl-listed",
    ),
    "a domain on Spamhaus's list is not the address": (
        "550 5.7.1 Service unavailable, MailFrom domain is listed in Spamhaus (S8002)",
        "domain-dnsbl-listed",
    ),
    "a quota of the sender, 5.2.2, is no full mailbox": (
        "554 5.2.2 Submission quota exceeded",
        "sender-quota",
    ),
    "a full mailbox, 5.2.2, is no quota of the sender": (
        "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException",
        "mailbox-full",
    ),
    "message expired for a refused connection": (
        "550 5.4.316 Message expired, connection refused(Socket error code 10061)",
        "connect-refused",
    ),
    "no forwarding out of one's own organisation": (
        "550 5.7.520 Access denied, Your organization does not allow external forwarding. AS(7555)",
        "outbound-policy",
    ),
    "not authenticated as a client is no restriction": (
        "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
        "auth-required",
    ),
    "not authenticated for a group is one": (
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction"
        " check failed because the sender was not authenticated when sending to this group",
        "recipient-restricted",
    ),
    "a message too large, in the same resolver's words": (
        "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
        "message-too-large",
    ),
    "one's own domain from outside, without a login": (
        "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources",
        "spoof-rejected",
    ),
    "past the filter in front, straight to the organisation": (
        "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the domain.",
        "ip-not-allowlisted",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), NOT_WHAT_IT_SAYS.values(), ids=list(NOT_WHAT_IT_SAYS))
def test_it_is_seen_through(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


def test_what_another_server_said_counts_for_more_than_what_it_makes_of_it() -> None:
    wrapped = "550 5.7.350 Remote server returned message detected as spam -> 550 5.7.1 {}"
    assert cause(wrapped.format("no"), HERE) == "content-spam"
    assert cause(wrapped.format("blocked using zen.spamhaus.org"), HERE) == "dnsbl-listed"


def test_a_banned_sender_without_a_status_may_be_either() -> None:
    found = match("550 Access denied, banned sender", HERE)
    assert found is not None
    assert found.rule.ambiguous == ("private-blocklist", "sender-account-blocked")


def test_it_is_known_by_its_words_where_no_host_is() -> None:
    said = "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [A.eop-b.prod.protection.outlook.com]"
    assert by(said) == ("exchange-online", "no-such-user")


def test_the_longer_name_decides_whose_host_it_is() -> None:
    assert receivers.of_host("example-net.mail.protection.outlook.com") == "exchange-online"
    assert receivers.of_host("example-net.a-v1.mx.microsoft") == "exchange-online"
    assert receivers.of_host("outlook-com.olc.protection.outlook.com") == "outlook-consumer"
    assert receivers.of_host("protection.outlook.com.example.net") is None
