"""An operator forwards a domain to Gmail over both families, and the bounces look random."""

from __future__ import annotations

from collections import Counter

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def server(lab: Lab) -> Lab:
    lab.reset()
    lab.relay.start()
    return lab


def fates(lab: Lab, **how: object) -> Counter[tuple[str, str | None]]:
    return Counter((o.status, o.family) for o in lab.outcomes(lab.send(**how)).values())  # type: ignore[arg-type]


def test_mail_to_an_ordinary_receiver_is_never_refused(server: Lab) -> None:
    assert {status for status, _family in fates(server, to="else@example.org", count=20)} == {"sent"}


def test_ipv4_is_accepted_and_ipv6_refused_at_the_toss_of_a_coin(server: Lab) -> None:
    seen = fates(server, count=40)
    assert set(seen) == {("sent", "ipv4"), ("bounced", "ipv6")}
    # 40 fair tosses give 6 or fewer of a side once in 80,000 runs.
    assert min(seen.values()) > 6


def test_a_refusal_reads_like_gmails_and_names_the_address(server: Lab) -> None:
    traces = server.send(count=16)
    bounced = next(o for o in server.outcomes(traces).values() if o.status == "bounced")
    assert bounced.reply is not None
    assert bounced.reply.startswith(
        "550-5.7.1 [2001:db8:1::10] Our system has detected that this 550-5.7.1 message"
    )
    assert "?p=ipv6_authentication_error" in bounced.reply
    assert bounced.reply.endswith(" - gsmtp")
    assert bounced.relay == "gmail-smtp-in.l.google.com[2001:db8:2::1a]"


def test_the_sender_gets_a_bounce_that_shows_the_forward(server: Lab) -> None:
    server.relay.reset(main={"smtp_address_preference": "ipv6"})
    server.relay.start()
    server.outcomes(server.send(count=1))
    (bounce,) = server.sender.wait_mailbox(1)
    assert "<someone@gmail.com> (expanded from <user@example.org>)" in bounce
    assert "Status: 5.7.1" in bounce


def test_mail_without_an_envelope_sender_is_lost_in_silence(server: Lab) -> None:
    server.relay.reset(main={"smtp_address_preference": "ipv6"})
    server.relay.start()
    (outcome,) = server.outcomes(server.send(count=1, sender="")).values()
    assert outcome.status == "bounced"
    server.relay.wait_log(r"qmgr\[\d+\]: \w+: removed")
    assert server.sender.mailbox() == []


@pytest.mark.parametrize("to", ["ws@example.org", "old@example.org"])
def test_workspace_domains_are_google_too(server: Lab, to: str) -> None:
    assert set(fates(server, to=to, count=24)) == {("sent", "ipv4"), ("bounced", "ipv6")}
