"""What servers say themselves, Postfix first: told apart wherever it is said, beside a receiver's own meaning."""

from __future__ import annotations

import pytest

from receivers.said import cause

OTHER_MEANINGS = {
    "an unknown user of the sender's domain is no unknown recipient": (
        "550 5.1.0 <news@example.org>: Sender address rejected: User unknown in virtual mailbox table",
        "sender-rejected",
    ),
    "a sender's domain without mail is not the recipient's": (
        "550 5.7.27 <news@example.org>: Sender address rejected: Domain example.org does not accept mail (nullMX)",
        "sender-domain-null-mx",
    ),
    "a name that cannot be looked up just now is not unknown": (
        "Host or domain name not found. Name service error for name=example.org type=MX: Host not found, try again",
        "dns-tempfail",
    ),
    "a socket on this host is no host that refuses": (
        "connect to mail.example.org[private/dovecot-lmtp]: Connection refused",
        "local-delivery-error",
    ),
    "a broken handshake is more than a lost connection": (
        "lost connection with mx.example.org[192.0.2.1] while performing the TLS handshake",
        "tls-failed",
    ),
    "an open queue limit is no recipient limit": (
        "450 4.7.1 Error: too many recipients from 192.0.2.25",
        "rate-limited",
    ),
    "an SPF record that cannot be read did not fail": (
        "550 5.7.24 Recipient address rejected: Message rejected due to: SPF Permanent Error: Too many DNS lookups",
        "spf-record-bad",
    ),
    "an unanswered SPF question is nobody's fault": (
        "451 4.7.24 Message rejected due to: SPF Temporary Error: DNS timeout",
        "auth-dns-tempfail",
    ),
    "an Exchange store that is full is no broken store": (
        "554 5.2.2 STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded; failed",
        "mailbox-full",
    ),
    "a command's user unknown is no failed command": (
        "user unknown. Command output: no such mailbox",
        "no-such-user",
    ),
    "an outgoing limit of cPanel is no limit of the recipient": (
        "550 Domain example.org has exceeded the max emails per hour (250/200 (125%)) allowed",
        "sender-quota",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), OTHER_MEANINGS.values(), ids=OTHER_MEANINGS)
def test_a_reply_is_not_taken_for_its_neighbour(text: str, wanted: str) -> None:
    assert cause(text, "mx.example.org") == wanted


NOTHING = {
    "a queue id and a greeting": "250 2.0.0 Ok: queued as 4Rxyz1234",
    "numbers alone": "550 5.0.0",
    "words of no server": "550 the moon is in the wrong house",
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_what_says_nothing_stays_unexplained(text: str) -> None:
    assert cause(text, "mx.example.org") is None


OWN_MEANING = {
    "Microsoft's access denied is an unknown user": (
        "550 5.4.1 Recipient address rejected: Access denied. [VI1EUR04FT006.eop-eur04.prod.protection.outlook.com]",
        "example-org.mail.protection.outlook.com",
        "no-such-user",
    ),
    "Mimecast's resources are its greylisting": (
        "451 Internal resources are temporarily unavailable",
        "eu-smtp-inbound-1.mimecast.com",
        "greylisted",
    ),
    "Fastmail behind an open resolver": (
        "554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using zen.spamhaus.org; Error: open resolver;"
        " https://www.spamhaus.org/returnc/pub/198.51.100.53",
        "in1-smtp.messagingengine.com",
        "dnsbl-query-refused",
    ),
}


@pytest.mark.parametrize(("text", "host", "wanted"), OWN_MEANING.values(), ids=OWN_MEANING)
def test_a_receivers_own_meaning_comes_first(text: str, host: str, wanted: str) -> None:
    assert cause(text, host) == wanted


POSTFIX = {
    "connect to mx.example.org[192.0.2.1]:25: Connection refused": "connect-refused",
    "connect to mx.example.org[192.0.2.1]:25: Connection timed out": "connect-timeout",
    "connect to mx.example.org[2001:db8::1]:25: Network is unreachable": "no-route",
    "conversation with mx.example.org[192.0.2.1] timed out while sending RCPT TO": "connection-lost",
    "mail for example.org loops back to myself": "routing-loop",
    "Domain nowhere.example does not accept mail (nullMX)": "recipient-null-mx",
    "TLS is required, but was not offered by host mx.example.org[192.0.2.1]": "tls-failed",
    "SMTPUTF8 is required, but was not offered by host mx.example.org[192.0.2.1]": "body-noncompliant",
    "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.25]": "ptr-missing",
    "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.25]": "fcrdns-mismatch",
    "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname": "helo-invalid",
    "450 4.1.8 <a@nowhere.example>: Sender address rejected: Domain not found": "sender-domain-unresolvable",
    "553 5.7.1 <a@example.org>: Sender address rejected: not owned by user b@example.org": "sender-not-permitted",
    "554 5.7.1 <a@example.net>: Relay access denied": "relay-denied",
    "452 4.3.1 Insufficient system storage": "receiver-storage",
    "451 4.3.0 <a@example.org>: Temporary lookup failure": "receiver-error",
    "451 4.3.5 <a@example.org>: Recipient address rejected: Server configuration error": "receiver-misconfigured",
    "521 5.5.2 mx.example.org Error: bare <LF> received": "body-noncompliant",
    "421 4.3.2 All server ports are busy": "receiver-busy",
    "450 4.3.2 Service currently unavailable": "greylisted",
    "552 5.3.4 Message size exceeds fixed limit": "message-too-large",
    "unknown mail transport error": "local-delivery-error",
    "cannot update mailbox /var/mail/a for user a. error writing message: File too large": "mailbox-full",
}
OTHERS = {
    "550 Unrouteable address": "no-such-user",
    "550-Verification failed for <a@example.org> 550 Sender verify failed": "sender-rejected",
    "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)": "helo-invalid",
    "all relevant MX records point to non-existent hosts": "recipient-domain-unknown",
    "550 5.7.1 Fix reverse DNS for 192.0.2.25": "ptr-missing",
    "553 5.3.5 mx.example.org. config error: mail loops back to me (MX problem?)": "routing-loop",
    "Sorry, no mailbox here by that name. (#5.1.1)": "no-such-user",
    "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)": "relay-denied",
    "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found": "no-such-user",
    "550 5.7.60 SMTP; Client does not have permissions to send as this sender": "sender-not-permitted",
    "452 4.3.1 Insufficient system resources": "receiver-storage",
    "550 No MX for your FROM address": "sender-domain-unresolvable",
    "554 5.7.1 Spam message rejected": "content-spam",
    "550 5.7.1 Action set by DMARC": "dmarc-reject",
    "552 5.2.2 <a@example.org> Quota exceeded (mailbox for user is full)": "mailbox-full",
    "554 5.7.0 Reject, id=01234-05 - INFECTED: Eicar-Test-Signature": "virus",
    "554 5.7.0 Reject, id=01234-05 - BANNED: .exe": "attachment-blocked",
    "451 4.7.1 Greylisting in action, please come back in 00:05:00": "greylisted",
}


@pytest.mark.parametrize(("text", "wanted"), [*POSTFIX.items(), *OTHERS.items()])
def test_what_a_server_says_itself(text: str, wanted: str) -> None:
    assert cause(text, "mx.example.org") == wanted
