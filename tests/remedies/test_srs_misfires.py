"""What postsrsd is known to do where it is set up the usual way does not happen after `fix --remedy srs`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from facts import srs_relay
from mailmend.lab import Lab
from mailmend.lab.driver import Received

pytestmark = pytest.mark.lab
SIGNER = """\
Mode s
Domain example.org
Selector s1
KeyFile /etc/opendkim.key
Socket inet:8891@127.0.0.1
UserID root
InternalHosts 203.0.113.25, 127.0.0.1
"""


@pytest.fixture(scope="module")
def fixed(lab: Lab) -> Lab:
    """A host with mailboxes, a domain that it relays for, a signer of its own, and forwards; then the remedy."""
    relay = lab.relay
    lab.reset(
        main={
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8 203.0.113.0/24",
            "local_header_rewrite_clients": "check_address_map inline:{127.0.0.1=ours}",
            "virtual_mailbox_domains": "boxes.example.org",
            "virtual_mailbox_maps": "static:all",
            "virtual_transport": "smtp:[203.0.113.153]:25",
            "relay_domains": "texthash:/etc/postfix/relayed",
            "smtpd_milters": "inet:127.0.0.1:8891",
            "non_smtpd_milters": "inet:127.0.0.1:8891",
        },
        files={"relayed": "elsewhere.example x\n"},
    )
    lab.receiver.world("strict")
    lab.dns.publish(*srs_relay.RECORDS)
    relay.install("opendkim")
    relay.write("/etc/opendkim.conf", SIGNER)
    relay.run(["openssl", "genrsa", "-out", "/etc/opendkim.key", "2048"])
    relay.start_daemon("opendkim", 8891)
    relay.install("postsrsd")
    relay.start_daemon("postsrsd", 10001, 10002)
    relay.start()
    done = relay.mailmend("--json", "fix", "--remedy", "srs", "--yes", "--confirm")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["state"] == "kept"
    return lab


def became(lab: Lab, to: str, **how: Any) -> tuple[str, Received | None]:
    """The status of one message, and the message as the receiver has it that took it."""
    (outcome,) = lab.outcomes(lab.send(to=to, count=1, **how)).values()
    everywhere = [*lab.receiver.received(), *lab.elsewhere.received(), *lab.sender.received()]
    return outcome.status, next((m for m in everywhere if m.trace == outcome.trace), None)


@pytest.mark.parametrize("to", ["anna@boxes.example.org", "friend@elsewhere.example"])
def test_mail_that_comes_in_for_people_here_is_not_rewritten(fixed: Lab, to: str) -> None:
    """Issue 14: every single incoming mail, for local and for virtual mailboxes too."""
    status, message = became(fixed, to)
    assert status == "sent"
    assert message is not None
    assert message.mail_from == "alice@sender.example"


def test_mail_for_a_user_of_the_host_is_not_rewritten(fixed: Lab) -> None:
    """Issue 14, local(8)."""
    assert became(fixed, "postmaster@relay.example.org")[0] == "sent"
    assert "SRS0" not in fixed.relay.read("/var/mail/root")


@pytest.mark.parametrize("sender", ["anna@example.org", "anna@boxes.example.org", "friend@elsewhere.example"])
def test_what_people_here_send_is_not_rewritten_of_whatever_domain_they_are(fixed: Lab, sender: str) -> None:
    """Issue 76: all mail that left was tagged, and local domains had to be named to the daemon one by one."""
    fixed.outcomes(fixed.send(to="someone@gmail.com", count=1, sender=sender, author=sender))
    assert f"from=<{sender}>" in fixed.relay.log()
    assert f"={sender.partition('@')[2]}={sender.partition('@')[0]}@srs." not in fixed.relay.log()


def test_a_milter_of_the_host_is_not_asked_by_the_second_round(fixed: Lab) -> None:
    """Issue 76: the listener that rewrote died of a milter that its chroot could not find, and mail waited."""
    status, message = became(fixed, "user@example.org")
    assert status == "sent"
    assert message is not None
    assert message.mail_from.startswith("SRS0=")


def test_a_bounce_passes_with_the_null_sender(fixed: Lab) -> None:
    """Issue 77: 'No at sign in sender address' is no error."""
    status, message = became(fixed, "user@example.org", sender="", signed=True)
    assert status == "sent"
    assert message is not None
    assert message.mail_from == ""


def test_a_forward_is_not_signed_again_and_its_signature_holds(fixed: Lab) -> None:
    """Issue 77: signing what is forwarded broke the signature that it came with, and DMARC with it."""
    status, message = became(fixed, "user@example.org", signed=True)
    assert status == "sent"
    assert message is not None
    assert message.verdict is not None
    assert (message.verdict["dkim"], message.verdict["dmarc"]) == ("pass", "pass")
    assert message.message.count("DKIM-Signature:") == 1


def test_no_rewriting_mends_dmarc_and_the_sender_gets_his_bounce(fixed: Lab) -> None:
    """Issue 82: a p=reject domain that signs nothing stays refused; From: is not touched for it."""
    unsigned, before = "alice@spf-reject.example", len(fixed.sender.mailbox())
    assert became(fixed, "user@example.org", sender=unsigned, author=unsigned)[0] == "bounced"
    returned = fixed.sender.wait_mailbox(before + 1)[-1]
    assert "<alice@spf-reject.example>" in returned
    signed = "alice@both-reject.example"
    status, message = became(
        fixed, "user@example.org", sender=signed, author=signed, signer="both-reject.example"
    )
    assert status == "sent"
    assert message is not None
    assert "\r\nFrom: A Sender <alice@both-reject.example>\r\n" in message.message
