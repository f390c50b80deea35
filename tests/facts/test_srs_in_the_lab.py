"""With postsrsd set up by facts/srs.py, what is forwarded leaves rewritten, and nothing else is touched."""

from __future__ import annotations

import base64
import hmac
import json
import sys
import time
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

import mailmend
from facts import srs_relay
from mailmend.facts import srs
from mailmend.lab import Lab
from mailmend.lab.driver import Received

pytestmark = pytest.mark.lab
SIGNER = """\
Domain *
Selector s1
KeyFile /etc/opendkim.key
Socket inet:8891@127.0.0.1
UserID root
InternalHosts 203.0.113.25, 127.0.0.1
"""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # of SRS time stamps


@pytest.fixture(scope="module")
def running(lab: Lab) -> Lab:
    """One server for every story that only sends; a signer among its milters, and mail for virtual mailboxes."""
    srs_relay.start(
        lab,
        {
            "virtual_mailbox_domains": "boxes.example.org",
            "virtual_mailbox_maps": "static:all",
            "virtual_transport": "smtp:[203.0.113.153]:25",
            "relay_domains": "elsewhere.example",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8 203.0.113.0/24",
            # As it is by default for loopback, and not for the address that stands for strangers here.
            "local_header_rewrite_clients": "check_address_map inline:{127.0.0.1=ours}",
            "smtpd_milters": "inet:127.0.0.1:8891",
            "non_smtpd_milters": "inet:127.0.0.1:8891",
        },
        signer=SIGNER,
    )
    return lab


def sent(lab: Lab, to: str, **how: Any) -> list[Any]:
    outcomes = lab.outcomes(lab.send(to=to, count=1, **how))
    assert [o.status for o in outcomes.values()] == ["sent"], outcomes
    return list(outcomes.values())


def arrived(lab: Lab, to: str, **how: Any) -> Received:
    """The message as the one receiver has it that got it."""
    (outcome,) = sent(lab, to, **how)
    everywhere = [*lab.receiver.received(), *lab.elsewhere.received(), *lab.sender.received()]
    (message,) = [m for m in everywhere if m.trace == outcome.trace]
    return message


# ---- what is never rewritten --------------------------------------------------------------


def test_mail_for_a_local_mailbox_keeps_its_sender(running: Lab) -> None:
    (outcome,) = sent(running, "postmaster@relay.example.org")
    assert outcome.text == "delivered to mailbox"
    box = running.relay.read("/var/mail/root").split("\nFrom ")[-1]
    assert "Return-Path: <alice@sender.example>" in box
    assert "SRS0" not in box


def test_mail_for_a_virtual_mailbox_keeps_its_sender(running: Lab) -> None:
    assert arrived(running, "anna@boxes.example.org").mail_from == "alice@sender.example"


def test_mail_for_a_domain_that_we_relay_for_keeps_its_sender(running: Lab) -> None:
    assert arrived(running, "friend@elsewhere.example").mail_from == "alice@sender.example"


@pytest.mark.parametrize("sender", ["anna@example.org", "root@relay.example.org", "Anna@EXAMPLE.ORG"])
def test_what_our_own_people_send_keeps_its_sender(running: Lab, sender: str) -> None:
    assert arrived(running, "someone@gmail.com", sender=sender).mail_from.lower() == sender.lower()


def test_what_a_program_on_this_host_sends_keeps_its_sender(running: Lab) -> None:
    running.relay.run(
        ["sendmail", "someone@gmail.com"], input="Message-ID: <cron-1@x>\nSubject: cron\n\nit ran\n"
    )
    assert running.outcomes(["cron-1"])["cron-1"].status == "sent"
    (message,) = [m for m in running.receiver.received() if m.trace == "cron-1"]
    assert message.mail_from == "root@relay.example.org"


def test_a_null_sender_stays_the_null_sender(running: Lab) -> None:
    assert arrived(running, "user@example.org", sender="").mail_from == ""


def test_a_message_for_a_mailbox_and_a_forward_is_rewritten_only_where_it_leaves(running: Lab) -> None:
    before = running.relay.read("/var/mail/root").count("\nReturn-Path: <alice@sender.example>")
    (trace,) = running.send(to="both@example.org", count=1)
    running.relay.wait_log(r"orig_to=<both@example\.org>, relay=local,.*status=sent")
    running.relay.wait_log(rf"(?s)message-id=<{trace}@.*message-id=<{trace}@.*relay=gmail[^\n]*status=sent")
    (message,) = [m for m in running.receiver.received() if m.trace == trace]
    assert message.mail_from.startswith("SRS0=")
    box = running.relay.read("/var/mail/root")
    assert box.count("\nReturn-Path: <alice@sender.example>") == before + 1
    assert "SRS0" not in box


# ---- what is rewritten, and only its envelope ---------------------------------------------


@pytest.mark.parametrize("to", ["user@example.org", "alias@relay.example.org", "dot@relay.example.org"])
def test_every_kind_of_forward_leaves_under_our_own_envelope(running: Lab, to: str) -> None:
    """virtual(5), aliases(5), .forward of local(8)."""
    message = arrived(running, to, sender="Alice@sender.example")
    assert message.mail_from.startswith("SRS0=")
    assert message.mail_from.endswith("=sender.example=Alice@srs.example.org")
    assert message.verdict is not None
    assert (message.verdict["spf"], message.verdict["spf_domain"]) == ("pass", "srs.example.org")


def test_what_another_forwarder_rewrote_leaves_as_srs1(running: Lab) -> None:
    message = arrived(running, "user@example.org", sender="SRS0=abcd=JL=sender.example=alice@hop.example")
    assert message.mail_from.startswith("SRS1=")
    assert message.mail_from.endswith("=hop.example==abcd=JL=sender.example=alice@srs.example.org")


@pytest.mark.parametrize("body", ["Grüße, 8 bits wide.", "plain\n.\n..dots\n" + "x" * 990])
def test_header_and_body_are_those_of_the_sender_to_the_byte(running: Lab, body: str) -> None:
    message = arrived(running, "user@example.org", signed=True, body=body)
    assert message.verdict is not None
    assert (message.verdict["dkim"], message.verdict["dmarc"]) == ("pass", "pass")
    text = message.message.split("\r\nDKIM-Signature:", 1)[1]
    assert "\r\nFrom: A Sender <alice@sender.example>\r\nTo: <user@example.org>\r\n" in text


def test_a_header_that_lacks_something_is_not_completed(running: Lab) -> None:
    """Loopback is a client of our own to Postfix, whose mail it would complete: the second round is none of it."""
    running.relay.run(["python3", "-c", BARE])
    running.relay.wait_log(r"(?s)from=<bare@sender\.example>.*relay=gmail[^\n]*status=sent")
    (bare,) = [m for m in running.receiver.received() if "Subject: bare" in m.message]
    header = bare.message.partition("\r\n\r\n")[0].lower()
    assert header.count("\r\nreceived: ") + header.startswith("received: ") == 2
    assert not any(f"\n{field}:" in header for field in ("from", "date", "message-id", "to"))


def test_the_second_round_completes_nothing_where_nobody_tells_it_whose_client_it_was(running: Lab) -> None:
    """Without XFORWARD, loopback is all that it knows, and to Postfix that is a client of our own."""
    running.relay.run(["python3", "-c", ROUND])
    running.relay.wait_log(r"(?s)from=<SRS0=[^>]*=round@srs[^>]*>.*relay=gmail[^\n]*status=sent")
    (bare,) = [m for m in running.receiver.received() if "Subject: round" in m.message]
    header = bare.message.partition("\r\n\r\n")[0]
    assert "\r\nCc: somebody" in header
    assert "somebody@" not in header
    assert not any(f"\n{field}:" in header.lower() for field in ("from", "date", "message-id", "to"))


def test_what_a_program_here_forwards_keeps_its_author(running: Lab) -> None:
    """What redirects (sieve) hands it to sendmail: Postfix may complete its header, and SRS may not touch it."""
    letter = "Message-ID: <redirect-1@x>\nFrom: Alice <alice@sender.example>\nSubject: redirected\n\nhello\n"
    running.relay.run(["sendmail", "-f", "alice@sender.example", "someone@gmail.com"], input=letter)
    assert running.outcomes(["redirect-1"])["redirect-1"].status == "sent"
    (message,) = [m for m in running.receiver.received() if "Subject: redirected" in m.message]
    assert message.mail_from.startswith("SRS0=")
    assert "\r\nFrom: Alice <alice@sender.example>\r\n" in message.message


BARE = """
import smtplib
with smtplib.SMTP("192.0.2.10", 25, source_address=("192.0.2.10", 0)) as session:
    session.sendmail("bare@sender.example", ["user@example.org"], b"Subject: bare\\r\\n\\r\\nno From, no Date\\r\\n")
"""
ROUND = """
import smtplib
letter = b"Subject: round\\r\\nCc: somebody\\r\\n\\r\\nx\\r\\n"
with smtplib.SMTP("127.0.0.1", 10029, source_address=("127.0.0.1", 0)) as session:
    session.sendmail("round@sender.example", ["someone@gmail.com"], letter)
"""


def test_the_signer_signs_once(running: Lab) -> None:
    """The second round is no second reception: milters see a message once."""
    message = arrived(running, "user@example.org", sender="bob@sender.example")
    assert message.message.count("DKIM-Signature:") == 1


# ---- the way back -------------------------------------------------------------------------


def rewritten(lab: Lab, sender: str = "alice@sender.example") -> str:
    return lab.relay.run(["postmap", "-q", sender, srs.FORWARD]).stdout.strip()


def answer(lab: Lab, recipient: str) -> str:
    """The reply to RCPT TO of a bounce from outside."""
    code = (
        "import smtplib, sys\n"
        "with smtplib.SMTP('192.0.2.10', 25, source_address=('192.0.2.10', 0)) as s:\n"
        "    s.ehlo(); s.mail(''); print(s.rcpt(sys.argv[1])[0])\n"
    )
    return lab.relay.run(["python3", "-c", code, recipient]).stdout.strip()


def test_a_bounce_to_a_rewritten_address_goes_to_the_original_sender(running: Lab) -> None:
    for address in (rewritten(running), rewritten(running).lower()):
        message = arrived(running, address, sender="")
        assert message.recipients == ("alice@sender.example",)
        assert message.mail_from == ""


def test_a_message_that_gmail_refuses_comes_back_to_its_sender(running: Lab) -> None:
    running.receiver.says("550 5.7.1 no - gsmtp")
    before = len(running.sender.mailbox())
    (outcome,) = running.outcomes(running.send(count=1, sender="carol@sender.example")).values()
    running.receiver.says("")
    assert outcome.status == "bounced"
    returned = running.sender.wait_mailbox(before + 1)[-1]
    assert "550 5.7.1 no - gsmtp" in returned
    assert running.sender.received()[-1].recipients == ("carol@sender.example",)


def test_forged_addresses_are_refused_when_they_are_named(running: Lab) -> None:
    good = rewritten(running)
    assert answer(running, good) == "250"
    hashed = good.split("=")[1]
    other = "AAAA" if hashed != "AAAA" else "BBBB"
    forged = [
        good.replace(hashed, other, 1),
        good.replace("=alice@", "=mallory@"),
        good.replace("=sender.example=", "=victim.example="),
        "SRS0=x@srs.example.org",
        "SRS0=@srs.example.org",
        "anybody@srs.example.org",
        "srs.example.org@srs.example.org",
    ]
    assert [answer(running, address) for address in forged] == ["550"] * len(forged)


def signed_on(lab: Lab, day: int) -> str:
    """An address as postsrsd makes it on *day* (days since 1970): base64 of an HMAC, and the day modulo 1024."""
    secret = lab.relay.read("/etc/postsrsd.secret").strip().encode()
    stamp = ALPHABET[(day >> 5) & 31] + ALPHABET[day & 31]
    digest = hmac.new(secret, (stamp + "sender.example" + "alice").lower().encode(), sha1).digest()
    return f"SRS0={base64.b64encode(digest)[:4].decode()}={stamp}=sender.example=alice@srs.example.org"


def test_expired_addresses_are_refused(running: Lab) -> None:
    today = int(time.time() // 86400)
    assert rewritten(running) in (signed_on(running, today), signed_on(running, today + 1))
    assert answer(running, signed_on(running, today - 15)) == "250"
    assert answer(running, signed_on(running, today - 30)) == "550"
    assert answer(running, signed_on(running, today + 5)) == "550"


# ---- what goes wrong loses nothing --------------------------------------------------------


@pytest.fixture
def fresh(lab: Lab) -> Iterator[Lab]:
    srs_relay.start(lab, {"inet_protocols": "ipv4"})
    yield lab
    lab.reset()


@pytest.mark.slow
def test_without_postsrsd_only_forwards_wait(fresh: Lab) -> None:
    fresh.relay.stop_daemon("postsrsd")
    (local,) = sent(fresh, "postmaster@relay.example.org")
    assert local.text == "delivered to mailbox"
    traces = fresh.send(count=1)
    (waiting,) = fresh.outcomes(traces, timeout=60).values()
    assert waiting.status == "deferred"
    fresh.relay.start_daemon("postsrsd", 10001, 10002)
    fresh.relay.run(["postqueue", "-f"])
    fresh.relay.wait_log(r"to=<someone@gmail\.com>.*relay=gmail.*status=sent")


def test_a_daemon_that_does_not_rewrite_makes_no_loop(lab: Lab) -> None:
    """The domain is in SRS_EXCLUDE_DOMAINS of postsrsd, not among our own: it waits, and is sent no hundred times."""
    relay = srs_relay.start(lab, {"inet_protocols": "ipv4"}, excluded="sender.example")
    (waiting,) = lab.outcomes(lab.send(count=1)).values()
    assert (waiting.status, waiting.relay) == ("deferred", "127.0.0.1[127.0.0.1]")
    assert "said: 450 " in waiting.text
    assert relay.log().count("client=localhost[127.0.0.1]") == 0


def test_a_relayhost_gets_what_was_rewritten(lab: Lab) -> None:
    srs_relay.start(lab, {"inet_protocols": "ipv4", "relayhost": "[mx.elsewhere.example]"})
    message = arrived(lab, "user@example.org")
    assert message in lab.elsewhere.received()
    assert message.mail_from.startswith("SRS0=")


def test_the_check_sees_that_what_is_forwarded_leaves_rewritten(lab: Lab) -> None:
    relay = srs_relay.start(lab, {"inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8 203.0.113.0/24"})
    source = {"PYTHONPATH": str(Path(mailmend.__file__).parents[1])}

    def seen() -> list[tuple[str, str]]:
        done = relay.run([sys.executable, "-m", "mailmend", "--json", "check"], env=source)
        found = [f for f in json.loads(done.stdout)["findings"] if f["cause"] == "forwarded-not-rewritten"]
        return [(f["standing"], f["summary"]) for f in found]

    arrived(lab, "user@example.org")
    arrived(lab, "someone@gmail.com", sender="anna@example.org")
    assert seen() == [("cleared", "1 forwarded deliveries in the log, with the envelope rewritten (SRS)")]
