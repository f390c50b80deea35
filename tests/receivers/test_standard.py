"""What a status code of RFC 3463 says where nobody's words explain; words always come first."""

from __future__ import annotations

import pytest

from mailmend.receivers.files import load
from receivers.said import cause, match, own

HERE = "mx.example.com"

NOT_BY_THE_CODE = {
    "a code without a word of its subject": "550 5.1.1 no",
    "a code of everything": "550 5.0.0 the recipient, the sender and the message",
    "security, and nothing else": "550 5.7.0 no message of yours",
}


@pytest.mark.parametrize("text", NOT_BY_THE_CODE.values(), ids=NOT_BY_THE_CODE)
def test_a_code_alone_explains_nothing(text: str) -> None:
    assert own("standard", text, HERE) is None


WORDS_FIRST = {
    "a list, whatever the code": ("550 5.1.1 Your address is listed at zen.spamhaus.org", "dnsbl-listed"),
    "spam, whatever the code": ("554 5.2.2 Rejected as spam, the mailbox takes none", "content-spam"),
    "greylisting, whatever the code": ("450 4.1.1 Greylisted, recipient is told later", "greylisted"),
    "Postfix denies by its own table": (
        "554 5.7.1 <reader@example.com>: Recipient address rejected: Access denied",
        "receiver-policy",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), WORDS_FIRST.values(), ids=WORDS_FIRST)
def test_words_before_numbers(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


BY_THE_CODE = {
    "X.1.1, an address in words of its own": (
        "550 5.1.1 This destinatary address is not good",
        "no-such-user",
    ),
    "X.2.2, an account": ("452 4.2.2 The account takes nothing more", "mailbox-full"),
    "X.3.2, a service": ("421 4.3.2 Service paused", "receiver-busy"),
    "X.7.25, a name": ("550 5.7.25 The name of your machine is wrong", "ptr-missing"),
}


@pytest.mark.parametrize(("text", "wanted"), BY_THE_CODE.values(), ids=BY_THE_CODE)
def test_a_code_with_a_word_of_its_subject_explains(text: str, wanted: str) -> None:
    found = match(text, HERE)
    assert found is not None
    assert (found.rule.receiver, found.rule.cause) == ("standard", wanted)


@pytest.mark.parametrize(
    ("host", "receiver"),
    [
        ("smtp-in.libero.it", "libero"),
        ("mx.strato.de", "strato"),
        ("mx1.mail.ovh.net", "ovh"),
        ("mx1.improvmx.com", "improvmx"),
        ("mx1.forwardemail.net", "forwardemail"),
        ("mfsmax.docomo.ne.jp", "docomo"),
        ("lsean.ezweb.ne.jp", "au"),
        ("mx.softbank.ne.jp", "softbank"),
        ("mx.mailbox.org.example.com", None),
        ("notlibero.it", None),
    ],
)
def test_who_refused_is_told_by_the_host(host: str, receiver: str | None) -> None:
    known = {name for each in load() for name in each.hosts}
    assert any(f".{host}".endswith(name) for name in known) == (receiver is not None)
    found = match("550 5.1.1 User unknown", host)
    assert found is not None
    assert (found.receiver.id if found.receiver else None) == receiver


LIBERO = "smtp-in.libero.it"
OF_LIBERO = {
    "a list of Cloudmark's": (
        "550 smtp.iol.local IP blacklisted by CSI. [smtp.iol.local; LIB_102]",
        "dnsbl-listed",
    ),
    "no reverse name": ("421 smtp.iol.local No reverse DNS [smtp.iol.local; LIB_120]", "ptr-missing"),
    "a sender's domain": ("550 Invalid Domain [smtp.iol.local; LIB_420]", "sender-domain-unresolvable"),
}


@pytest.mark.parametrize(("text", "wanted"), OF_LIBERO.values(), ids=OF_LIBERO)
def test_libero_says_it_by_a_number(text: str, wanted: str) -> None:
    assert own("libero", text, LIBERO) == wanted
