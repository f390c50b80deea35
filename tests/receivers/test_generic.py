"""What many servers say alike: the exceptions first, then the wording of several languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailmend import receivers
from mailmend.model import Reply
from mailmend.receivers.matching import Book, agreeing, candidates
from mailmend.receivers.rules import Receiver, Rule, squeeze
from receivers.said import cause, match

SOMEBODY = "mx.example.org"

NEIGHBOURS = {
    "the sender's quota is no full mailbox": ("550 5.4.5 Daily sending quota exceeded", "sender-quota"),
    "an outgoing limit is no recipient's": ("452 4.7.1 You have exceeded the hourly limit", "sender-quota"),
    "one's own account is not the recipient's": (
        "554 5.7.1 Your account has been suspended",
        "sender-account-blocked",
    ),
    "a full disk is no full mailbox": ("452 4.3.1 No space left on device", "receiver-storage"),
    "a header too large is no large message": ("552 5.3.4 Message header too large", "header-too-large"),
    "an unknown sender is no unknown recipient": ("550 5.1.8 Sender does not exist", "sender-rejected"),
    "a sender's domain is not the recipient's": (
        "553 5.1.8 Sender domain does not exist",
        "sender-domain-unresolvable",
    ),
    "a missing DMARC record is no refusal by one": (
        "550 5.7.1 example.org has no DMARC record",
        "dmarc-record-missing",
    ),
    "a DMARC question without an answer": ("451 4.7.1 DMARC temporary failure", "auth-dns-tempfail"),
    "a broken SPF record did not fail": (
        "550 5.7.24 The SPF record is invalid, multiple SPF records",
        "spf-record-bad",
    ),
    "a name that does not lead back is no missing name": (
        "550 5.7.25 The PTR record does not match the hostname of 192.0.2.25",
        "fcrdns-mismatch",
    ),
    "a generic name is no missing name": ("550 5.7.1 generic reverse DNS refused", "ptr-generic"),
    "a person's list is no server's": ("550 5.7.1 Blocked by the recipient", "recipient-blocked-sender"),
    "recipients within an hour are a rate": (
        "452 4.5.3 Too many recipients received this hour",
        "rate-limited",
    ),
    "being slowed for complaints is more than a rate": (
        "421 4.7.0 Temporarily deferred due to user complaints",
        "rate-limited-reputation",
    ),
    "a virus scanner that is down found nothing": (
        "451 4.3.0 Virus scanner unavailable",
        "receiver-error",
    ),
    "a reply that the queue gave up on": (
        "4.4.7 Message expired: connection to mx.example.org timed out: Connection timed out",
        "connect-timeout",
    ),
    "a domain's reputation is not the address's": (
        "550 5.7.1 Refused because of domain reputation",
        "domain-reputation",
    ),
    "letters that meet by chance (your local: url)": (
        "554 5.7.1 Your IP is blocked by our local blacklist",
        "private-blocklist",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_words_that_are_shared(text: str, wanted: str) -> None:
    assert cause(text, SOMEBODY) == wanted


NOTHING = {
    "a success": "250 2.0.0 Ok: queued as 4Rxyz1234",
    "successfully is not full": "250 2.0.0 Message successfully queued",
    "a reply without reason": "550 5.0.0 no",
    "a status of any kind": "550 5.1.1",
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_what_says_nothing_stays_unexplained(text: str) -> None:
    assert cause(text, SOMEBODY) is None


LITTLE = {
    "550 5.7.1 Access denied": "receiver-policy",
    "550 5.7.1 Message rejected for policy reasons": "receiver-policy",
    "451 4.7.1 Please try again later": "receiver-busy",
    "554 5.7.1 Blocked, spam": "content-spam",
    "550 Requested action not taken: mailbox unavailable": "no-such-user",
    "550 5.1.1 Recipient address rejected": "no-such-user",
}


@pytest.mark.parametrize(("text", "wanted"), LITTLE.items())
def test_words_that_say_little_name_what_else_they_may_mean(text: str, wanted: str) -> None:
    found = match(text, SOMEBODY)
    assert found is not None
    assert found.rule.cause == wanted
    assert len(found.rule.ambiguous) > 1


MORE = {
    "550 5.7.1 Access denied, the sender is not authenticated by SPF, SPF check failed": "spf-fail",
    "451 4.7.1 Please try again later, greylisted": "greylisted",
    "550 Requested action not taken: mailbox unavailable, over quota": "mailbox-full",
    "550 5.7.1 Message rejected for policy reasons: bad reputation": "ip-reputation",
}


@pytest.mark.parametrize(("text", "wanted"), MORE.items())
def test_whatever_says_more_explains(text: str, wanted: str) -> None:
    assert cause(text, SOMEBODY) == wanted


APART = {
    "552 Sender's domain of this user does not exist": "sender-domain-unresolvable",
    "550 User reader@example.org unknown": "no-such-user",
    '550 5.1.1 Mailbox "reader" does not exist': "no-such-user",
    "550 account reader@example.org is suspended": "mailbox-disabled",
    "552 The mailbox of reader@example.org is full": "mailbox-full",
    "554 5.7.1 Your IP address 192.0.2.25 was blocked": "private-blocklist",
}


@pytest.mark.parametrize(("text", "wanted"), APART.items())
def test_a_name_in_the_middle_of_a_sentence(text: str, wanted: str) -> None:
    assert cause(text, SOMEBODY) == wanted


LANGUAGES = {
    "550 5.1.1 Empfänger unbekannt": "no-such-user",
    "552 5.2.2 Postfach voll": "mailbox-full",
    "550 5.1.1 Utilisateur inconnu !": "no-such-user",
    "552 5.2.2 Boîte aux lettres pleine": "mailbox-full",
    "550 5.1.1 El usuario no existe": "no-such-user",
    "552 5.2.2 Buzón lleno": "mailbox-full",
    "550 5.1.1 Utente sconosciuto": "no-such-user",
    "552 5.2.2 Casella piena": "mailbox-full",
    "550 5.1.1 Usuário inexistente": "no-such-user",
    "552 5.2.2 Caixa postal cheia": "mailbox-full",
    "550 5.1.1 Пользователь не найден": "no-such-user",
    "552 5.2.2 Почтовый ящик переполнен": "mailbox-full",
    "550 5.1.1 ユーザーが存在しません": "no-such-user",
    "550 5.1.1 收件人不存在": "no-such-user",
    "552 5.2.2 邮箱已满": "mailbox-full",
    "554 5.7.1 垃圾邮件": "content-spam",
    "421 Zu viele Verbindungen": "too-many-connections",
}


@pytest.mark.parametrize(("text", "wanted"), LANGUAGES.items())
def test_in_other_languages(text: str, wanted: str) -> None:
    assert cause(text, SOMEBODY) == wanted


def _phrases() -> Iterator[tuple[Receiver, Rule]]:
    for receiver in receivers.load():
        yield from ((receiver, rule) for rule in receiver.rules if not rule.weak)


def test_no_word_of_software_and_everybody_is_idle() -> None:
    """Every phrase alone, with what its rule asks besides, leads to the cause of its rule."""
    everybody = receivers.load()
    book, idle = Book(everybody), []
    for receiver, rule in _phrases():
        if receiver.scope == "receiver" or rule.status:
            continue
        for phrase in (*rule.any, *rule.token):
            text = " ".join([phrase.words, *(other.words for other in rule.all)])
            if rule.any and phrase in rule.token:
                text += f" {rule.any[0].words}"
            if rule.token and phrase in rule.any:
                text += f" {rule.token[0].words}"
            words, code = squeeze(text), (rule.code or (550,))[0]
            found = agreeing(
                candidates(book, book.index.within(words), None, False), None, Reply(code, None, text), words
            )
            if {each.rule.cause for each in found} != {rule.cause}:
                idle.append((receiver.id, rule.id, phrase.words, [each.rule.id for each in found]))
    assert idle == []
