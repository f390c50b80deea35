"""The lab's own reading of Postfix's log: the last word on every traced message, and nothing else."""

from __future__ import annotations

from mailmend.lab.outcomes import read

HEAD = "2026-11-22T10:56:24.000001+00:00 relay postfix/"
TRACED = f"{HEAD}cleanup[9]: A1B2C3D: message-id=<t1-1@sender.example>\n"
DEFERRED = (
    f"{HEAD}smtp[7]: A1B2C3D: to=<someone@gmail.com>, orig_to=<user@example.org>, "
    "relay=mx.example.com[198.51.100.27]:25, delay=0.1, delays=0/0/0/0.1, dsn=4.7.28, status=deferred "
    "(host mx.example.com[198.51.100.27] said: 421-4.7.28 [192.0.2.10] slow 421 4.7.28 down - gsmtp "
    "(in reply to end of DATA command))\n"
)
SENT = (
    f"{HEAD}smtp-ipv4/smtp[7]: A1B2C3D: to=<someone@gmail.com>, orig_to=<user@example.org>, "
    "relay=mx.example.com[2001:db8:2::1a]:25, conn_use=2, delay=0.1, delays=0/0/0/0.1, tls=none, dsn=2.0.0, "
    "status=sent (250 2.0.0 OK)\n"
)


def test_mail_that_is_not_traced_is_nobodys() -> None:
    assert read(DEFERRED + SENT) == {}


def test_a_message_without_an_attempt_has_no_outcome() -> None:
    assert (
        read(TRACED + f"{HEAD}qmgr[5]: A1B2C3D: from=<a@sender.example>, size=9, nrcpt=1 (queue active)\n")
        == {}
    )


def test_the_last_attempt_counts() -> None:
    told = read(TRACED + DEFERRED + SENT)["t1-1"]
    assert (told.status, told.family, told.relay) == ("sent", "ipv6", "mx.example.com[2001:db8:2::1a]")
    assert (told.recipient, told.reply, told.service) == (
        "user@example.org",
        "250 2.0.0 OK",
        "postfix/smtp-ipv4/smtp",
    )


def test_a_reply_is_what_the_receiver_said() -> None:
    told = read(TRACED + DEFERRED)["t1-1"]
    assert (told.status, told.reply) == ("deferred", "421-4.7.28 [192.0.2.10] slow 421 4.7.28 down - gsmtp")


def test_nobody_reached_is_no_family_and_no_reply() -> None:
    line = (
        f"{HEAD}smtp[7]: A1B2C3D: to=<x@v6only.example>, relay=none, delay=0, delays=0/0/0/0, dsn=5.4.4, "
        "status=bounced (Host or domain name not found. Name service error for name=mx6.v6only.example type=A)\n"
    )
    told = read(TRACED + line)["t1-1"]
    assert (told.status, told.family, told.relay, told.reply) == ("bounced", None, None, None)
    assert told.text.startswith("Host or domain name not found.")


HANDED_ON = (
    f"{HEAD}smtp[7]: A1B2C3D: to=<someone@gmail.com>, orig_to=<user@example.org>, "
    "relay=127.0.0.1[127.0.0.1]:10029, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, "
    "status=sent (250 2.0.0 Ok: queued as D4E5F6A)\n"
)
AGAIN = f"{HEAD}srs/cleanup[9]: D4E5F6A: message-id=<t1-1@sender.example>\n"


def test_what_another_postfix_queued_is_delivered() -> None:
    assert read(TRACED + HANDED_ON)["t1-1"].status == "sent"


def test_what_comes_back_to_this_postfix_has_the_outcome_of_its_last_round() -> None:
    assert read(TRACED + AGAIN + HANDED_ON) == {}
    told = read(TRACED + AGAIN + HANDED_ON + DEFERRED.replace("A1B2C3D", "D4E5F6A"))["t1-1"]
    assert (told.status, told.family) == ("deferred", "ipv4")
