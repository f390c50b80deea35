"""What a change would take away is seen in its files; what was so before, and what is meant so, is not its fault."""

from __future__ import annotations

from typing import Any

import pytest

from mailmend.facts.harm import harm
from worlds import world

SMTPD = {"command": "smtpd"}


def told(now: dict[str, Any], before: dict[str, Any] | None = None) -> tuple[str, ...]:
    return harm(world.made(**now).probe(), world.made(**(before or {})).probe())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"inet_protocols": "ipv4"},
        {"relayhost": "[192.0.2.200]:587"},
        {"relayhost": "[relay.example.org]:2525"},
        {"mynetworks": "127.0.0.0/8 [::1]/128 10.0.0.0/8"},
        {"default_transport": "smtp:elsewhere.example"},
        {"content_filter": "smtp:[127.0.0.1]:10024"},
        {"smtp_bind_address": "127.0.0.1"},
    ],
    ids=str,
)
def test_what_takes_nothing_away(settings: dict[str, str]) -> None:
    hosts = {"relay.example.org": ["127.0.1.1"]}
    assert told({"settings": settings, "hosts": hosts}) == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"content_filter": "scan:[127.0.0.1]:10024"},
        {"relayhost": "[127.0.0.1]"},
        {"smtp_bind_address": "somewhere"},
        {"mynetworks": "0.0.0.0/0"},
        {"inet_protocols": "ipv6"},
        {"master_service_disable": "inet"},
    ],
    ids=str,
)
def test_what_was_so_before_is_not_blamed(settings: dict[str, str]) -> None:
    assert told({"settings": settings}, {"settings": settings}) == ()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"inet_protocols": "ipv6"}, "inet_protocols would leave IPv4 out"),
        ({"master_service_disable": "inet"}, "nothing would listen on port 25"),
        ({"content_filter": "scan:[127.0.0.1]:10024"}, "the transport scan, which"),
        ({"default_transport": "nowhere"}, "the transport nowhere, which"),
        ({"relayhost": "[127.0.0.1]"}, "relayhost [127.0.0.1] is this very server"),
        ({"relayhost": "smtp:[relay.example.org]:25"}, "is this very server"),
        ({"smtp_bind_address": "somewhere"}, "smtp_bind_address would be somewhere, which is no address"),
        ({"smtp_bind_address": "198.51.100.9"}, "198.51.100.9, which is not on this host"),
        ({"mynetworks": "127.0.0.0/8 0.0.0.0/1"}, "open relay: mynetworks would hold 0.0.0.0/1"),
        ({"mynetworks": "[2000::]/3"}, "open relay: mynetworks would hold [2000::]/3"),
        ({"smtpd_relay_restrictions": ""}, "smtpd does not start so"),
        ({"smtpd_relay_restrictions": "check_client_access static:ok, reject"}, "open relay: no restriction"),
    ],
    ids=str,
)
def test_what_is_taken_away_is_named(settings: dict[str, str], says: str) -> None:
    (only,) = told(
        {
            "settings": settings,
            "hosts": {"relay.example.org": ["127.0.1.1"]},
            "tables": {"static:ok": {"203.0.113.250": "OK"}},
        }
    )
    assert says in only


def test_an_open_service_among_closed_ones() -> None:
    entry = {
        "command": "smtpd",
        "overrides": {"smtpd_relay_restrictions": "permit", "smtpd_recipient_restrictions": ""},
    }
    assert "10025/inet" in " ".join(told({"services": {"10025/inet": entry}}))
    assert told({"services": {"127.0.0.1:10025/inet": entry}}) == ()


def test_a_service_that_others_wait_for() -> None:
    before = {"services": {"cleanup/unix": {"command": "cleanup"}}}
    assert told({}, before) == ("master.cf would have no cleanup, which other daemons need",)
    other = {"services": {"cleanup/unix": {"command": "smtpd"}}}
    assert told(other, before) == ("cleanup/unix would run smtpd instead of cleanup",)
