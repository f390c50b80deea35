"""The other receivers, by their own codes and sentences; what they did not say is not theirs."""

from __future__ import annotations

import pytest

from receivers.said import by, cause, match, own

LAPOSTE, SFR, FREENET = "smtp-in1.laposte.net", "smtp-in.sfr.fr", "mx.freenet.de"
MAILRU, YANDEX, QQ, NETEASE = "mxs.mail.ru", "mx.yandex.ru", "mx3.qq.com", "163mx01.mxmail.netease.com"
ZOHO, PROTON, FASTMAIL = "mx.zoho.com", "mail.protonmail.ch", "in1-smtp.messagingengine.com"
MIMECAST, PROOFPOINT = "eu-smtp-inbound-1.mimecast.com", "mxa-00123456.gslb.pphosted.com"
CISCO, BARRACUDA = "mx1.example.iphmx.com", "d12345a.ess.barracudanetworks.com"
SYMANTEC, TREND = "cluster1.eu.messagelabs.com", "example.in.tmes.trendmicro.com"
COX, CHARTER, GODADDY = "cxr.mx.a.cloudfilter.net.cox.net", "mx0.charter.net", "smtp.secureserver.net"
ATT, CLOUDFLARE = "ff-ip4-mx-vip1.prodigy.net", "route1.mx.cloudflare.net"

NOT_ITS_OWN = {
    "a status alone": ("mailru", "550 5.7.1 no", MAILRU),
    "a neighbour's name": ("qq", "550 Mail content denied", "mx.notqq.com"),
    "La Poste's figure without its letters": ("laposte", "550 5.5.0 refused, 416", LAPOSTE),
    "GoDaddy's letters in somebody's identifier": (
        "godaddy",
        "250 2.0.0 Ok: queued as 8IB1087A",
        "mx.example.org",
    ),
    "Facebook's letters within a word": ("facebook", "550 5.7.1 join the point to point list", None),
    "Cox's letters within words": ("cox", "550 5.7.1 Your URL blocks nothing here", "mx.example.org"),
    "a resolver at fault is no listing by Fastmail": (
        "fastmail",
        "554 5.7.1 Client host [192.0.2.25] blocked using zen.spamhaus.org; Error: open resolver",
        FASTMAIL,
    ),
    "a relayhost that refuses mail for qq.com": ("qq", "550 5.7.1 Connection denied", "relay.example.net"),
}


@pytest.mark.parametrize(("receiver", "text", "host"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_a_receiver_did_not_say_is_not_its_own(receiver: str, text: str, host: str | None) -> None:
    assert own(receiver, text, host) is None


LIARS = {
    "Mimecast's resources: greylisting": (
        "451 Internal resources are temporarily unavailable",
        MIMECAST,
        "greylisted",
    ),
    "QQ's unavailable mailbox: too much for it": (
        "550 Mailbox unavailable or access denied [MK0abc]",
        QQ,
        "recipient-rate-limited",
    ),
    "Yandex's policy: a blocked account": (
        "550 5.7.1 Policy rejection on the target address",
        YANDEX,
        "mailbox-disabled",
    ),
    "Mimecast's unavailable recipient: being asked for": (
        "451 Recipient temporarily unavailable",
        MIMECAST,
        "address-verification-pending",
    ),
}


@pytest.mark.parametrize(("text", "host", "wanted"), LIARS.values(), ids=LIARS)
def test_receivers_that_say_another_thing_than_they_mean(text: str, host: str, wanted: str) -> None:
    assert cause(text, host) == wanted


SAID = [
    (LAPOSTE, "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. LPN007_416", "no-such-user"),
    (LAPOSTE, "421 Trop de connexions. Too many connections, slow down. LPN105_104", "too-many-connections"),
    (SFR, "450 4.7.1 Too many messages, SFR_IN_205", "rate-limited"),
    (FREENET, "550 inconsistent or no DNS PTR record for 2001:db8::25 (see RFC 1912 2.1)", "ptr-missing"),
    (MAILRU, "550 Access from ip address 192.0.2.25 blocked. Visit http://help.mail.ru/", "private-blocklist"),
    (MAILRU, "550 5.7.1 This message was not accepted due to domain owner DMARC policy", "dmarc-reject"),
    (YANDEX, "554 5.7.1 [1] Message rejected under suspicion of SPAM; https://ya.cc/1IrBc", "content-spam"),
    (YANDEX, "450 4.2.1 The recipient has exceeded message rate limit", "recipient-rate-limited"),
    (QQ, "550 Suspected spam ip. https://service.mail.qq.com/detail/122/66", "ip-reputation"),
    (QQ, "550 Suspected spam. https://service.mail.qq.com/detail/122/71", "content-spam"),
    (NETEASE, "421 HL:ICC 163 mx01, too many connections", "too-many-connections"),
    (NETEASE, "554 MX:DMC 163 mx01, refused", "dmarc-reject"),
    (ZOHO, "553 5.7.1 Relaying disallowed as sender@example.org - Invalid Domain", "sender-not-permitted"),
    (ZOHO, "553 Relaying disallowed", "relay-denied"),
    (PROTON, "552 5.2.2 The recipient's mailbox is full", "mailbox-full"),
    (FASTMAIL, "551 5.7.1 Not authorised to send from this header address", "sender-not-permitted"),
    (MIMECAST, "550 Administrative prohibition - envelope blocked", "receiver-policy"),
    (MIMECAST, "553 This route requires TLS version 1.2 or greater", "tls-failed"),
    (PROOFPOINT, "554 5.7.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.25", "dnsbl-listed"),
    (PROOFPOINT, "550 5.7.0 Local Policy Violation - DMARC Reject", "dmarc-reject"),
    (PROOFPOINT, "550 5.7.0 Local Policy Violation", "receiver-policy"),
    (CISCO, "554 Your access has been rejected due to the sending MTA's poor reputation.", "ip-reputation"),
    (CISCO, "550 #5.1.0 Address rejected.", "no-such-user"),
    (BARRACUDA, "550 permanent failure for one or more recipients (a@example.org:blocked)", "receiver-policy"),
    (BARRACUDA, "550 permanent failure for one or more recipients (a@example.org:550 5.1.1 unknown)", "no-such-user"),
    (SYMANTEC, "501 Connection rejected by policy [7.7] 20805", "ip-reputation"),
    (SYMANTEC, "553-DMARC domain authentication fail.", "dmarc-reject"),
    (TREND, "554 5.7.1 <a@example.org>: Recipient address rejected: Invalid-Recipient", "no-such-user"),
    ("mx.facebook.com", "554 5.7.1 DNS-P3 http://postmaster.facebook.com/response_codes", "ptr-missing"),
    (COX, "421 cmsmtp 192.0.2.25 blocked. AUP#CXCNCT", "too-many-connections"),
    (COX, "554 cmsmtp 192.0.2.25 blocked. AUP#IPBL1001", "dnsbl-listed"),
    (CHARTER, "550 5.1.0 192.0.2.25 refused. AUP#In-1260", "ipv6-refused"),
    (CHARTER, "550 5.1.0 192.0.2.25 refused. AUP#I-1310", "too-many-connections"),
    (GODADDY, "421 Temporarily rejected. Reverse DNS for 192.0.2.25 failed. IB108", "ptr-missing"),
    (GODADDY, "552 5.2.0 This message has been rejected, spam. IB212", "content-spam"),
    (ATT, "553 5.3.0 flpd000 DNSBL:RBL 521< 192.0.2.25 >_is_blocked.", "dnsbl-listed"),
    (ATT, "553 5.3.0 alph000 DNSBL:ATTRBL 521< 192.0.2.25 >_is_blocked.", "private-blocklist"),
    ("mx1.emailsrvr.com", "450 4.7.1 Client host 192.0.2.25 has no PTR record (G1F)", "ptr-missing"),
    ("email-smtp.eu-west-1.amazonaws.com", "454 Throttling failure: Daily message quota exceeded", "sender-quota"),
    ("email-smtp.eu-west-1.amazonaws.com", "554 Email address is not verified.", "sender-not-permitted"),
    ("smtp.sendgrid.net", "451 Authentication failed: Maximum credits exceeded", "sender-quota"),
    ("relay.mailchannels.net", "550 5.7.1 [SDNF] Sender Domain Not Found", "sender-domain-unresolvable"),
    ("mx.poczta.interia.pl", "550 5.7.1 Recipient doesn't want your mail", "recipient-blocked-sender"),
    ("mx1.seznam.cz", "550 5.1.1 szn; User hasn't got the service mapped", "no-such-user"),
    (CLOUDFLARE, "554 192.0.2.25 found on one or more RBLs (abusixip).", "dnsbl-listed"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "text", "wanted"), SAID)
def test_what_receivers_say(host: str, text: str, wanted: str) -> None:
    assert cause(text, host) == wanted


APPLIANCES = {
    "Cisco's sentence under the name of whoever bought it": (
        "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation.",
        ("cisco", "ip-reputation"),
    ),
    "Barracuda's": (
        "550 permanent failure for one or more recipients (a@example.org:blocked)",
        ("barracuda", "receiver-policy"),
    ),
    "Proofpoint's link": (
        "550 5.7.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.25",
        ("proofpoint", "dnsbl-listed"),
    ),
    "NetEase's codes": ("554 DT:SPM refused", ("netease", "content-spam")),
}


@pytest.mark.parametrize(("text", "wanted"), APPLIANCES.values(), ids=APPLIANCES)
def test_words_that_tell_who_filters(text: str, wanted: tuple[str, str]) -> None:
    assert by(text, "mx.example.org") == wanted


def test_a_code_that_covers_several_faults_says_so() -> None:
    found = match("550 5.1.0 <a@example.org> sender refused. AUP#CXSNDR", COX)
    assert found is not None
    assert set(found.rule.ambiguous) >= {"spf-fail", "dkim-fail"}
