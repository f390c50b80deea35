"""check forwarding on real Postfix: what a transport hands on as it is, and whom the log names to ask patterns of."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.test_forwards import HOME, aliases, by_domain, told
from mailmend.lab import Lab

pytestmark = pytest.mark.lab
GMAIL = "gmail-smtp-in.l.google.com"
TABLE = {"transport_maps": "texthash:/etc/postfix/ways"}


@pytest.fixture
def relay(lab: Lab) -> Any:
    """Begun by each test; back as it was afterwards."""
    yield lab
    lab.reset()


def begin(lab: Lab, ways: str, **main: str) -> None:
    lab.reset(main={**TABLE, **HOME, "virtual_alias_maps": "", **main}, files={"ways": ways})
    aliases(lab, "postmaster: root\n")
    lab.relay.start()


def came(lab: Lab, *recipients: str) -> None:
    """The log of mail that came for them."""
    lines = [
        f"2026-11-22T10:00:{number:02}.000000+00:00 relay postfix/smtp[9]: {0xA00000 + number:X}: to=<x@gmail.com>, "
        f"orig_to=<{recipient}>, relay={GMAIL}[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
        for number, recipient in enumerate(recipients)
    ]
    lab.relay.write("/var/log/mail.log", "\n".join(lines) + "\n")


# ---- what is no forward ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "main"),
    [
        # A route of mail that people here send: the domain is not ours.
        (f"gmail.com smtp:[{GMAIL}]\n", {}),
        # A server of one's own behind this one.
        ("ours.example smtp:[192.0.2.77]\n", {"relay_domains": "ours.example"}),
        ("ours.example lmtp:unix:private/dovecot\n", {"virtual_mailbox_domains": "ours.example"}),
        ("ours.example error:5.7.1 no\n", {"relay_domains": "ours.example"}),
        # mydomain alone makes no domain ours.
        (f"example.org smtp:[{GMAIL}]\n", {"mydestination": "localhost", "mydomain": "example.org"}),
    ],
)
def test_a_way_that_hands_nobodys_mail_to_a_receiver_is_none(
    relay: Lab, ways: str, main: dict[str, str]
) -> None:
    begin(relay, ways, **main)
    status, document, _ = told(relay)
    assert (status, document["forwards"], document["unread"]) == (0, [], [])


# ---- what is -------------------------------------------------------------------------------------


def test_a_domain_that_is_handed_to_a_receiver_is_forwarded_under_the_strangers_envelope(relay: Lab) -> None:
    begin(relay, f"ours.example smtp:[{GMAIL}]\n", relay_domains="ours.example")
    status, document, screen = told(relay)
    assert status == 1
    (one,) = document["forwards"]
    assert (one["address"], one["target"], one["nexthop"]) == ("@ours.example", "@ours.example", f"[{GMAIL}]")
    assert one["by"] == ["transport_maps"]
    handed = by_domain(document)["ours.example"]
    assert (handed["receiver"], handed["rewritten"], handed["error"]) == ("google", False, "")
    assert f"@ours.example as it is, handed on to [{GMAIL}] transport_maps" in screen


def test_one_address_of_a_domain_that_stays_here_is_named_alone(relay: Lab) -> None:
    begin(
        relay,
        f"ann@ours.example smtp:[{GMAIL}]\nben@elsewhere.example smtp:[{GMAIL}]\n",
        virtual_mailbox_domains="ours.example",
        virtual_transport="lmtp:unix:private/dovecot",
    )
    _, document, _ = told(relay)
    assert [each["address"] for each in document["forwards"]] == ["ann@ours.example"]


def test_whom_a_pattern_forwards_is_asked_of_the_log(relay: Lab) -> None:
    begin(
        relay,
        "",
        virtual_alias_domains="ours.example",
        virtual_alias_maps="regexp:/etc/postfix/patterns",
    )
    relay.relay.write("/etc/postfix/patterns", "/^(.*)@ours\\.example$/ ${1}.ours@gmail.com\n")
    _, document, screen = told(relay)
    assert document["forwards"] == []
    came(relay, "Sales@ours.example", "info@ours.example", "stranger@elsewhere.example", "info@ours.example")
    status, document, screen = told(relay)
    assert status == 1
    assert [(each["address"], each["target"]) for each in document["forwards"]] == [
        ("info@ours.example", "info.ours@gmail.com"),
        ("sales@ours.example", "sales.ours@gmail.com"),
    ]
    assert document["asked"]["tables"] == ["virtual_alias_maps: regexp:/etc/postfix/patterns"]
    assert "known recipients only" in screen


def test_without_the_log_whom_it_names_is_said_not_to_be_known(relay: Lab) -> None:
    begin(relay, "", virtual_alias_maps="regexp:/etc/postfix/patterns", maillog_file="/var/log/gone.log")
    relay.relay.write("/etc/postfix/patterns", "/^(.*)@ours\\.example$/ ${1}.ours@gmail.com\n")
    relay.relay.run(["postfix", "stop"])  # it would write the log anew
    relay.relay.run(["rm", "-f", "/var/log/gone.log"])
    status, document, _ = told(relay)
    assert status == 3
    assert "recipients in the log" in [each["where"] for each in document["unread"]]
