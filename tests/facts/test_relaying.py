"""A stranger led through smtpd's restriction lists, as access(5) and postconf(5) have it."""

from __future__ import annotations

import pytest

from mailmend.facts.relaying import entrances, walk, will_serve
from worlds import world

TABLE = "regexp:/etc/postfix/access"


def stopped(
    relay: str, settings: dict[str, str] | None = None, *, trusted: bool = False, says: str = ""
) -> str | None:
    """The term that stops a stranger; None where he may relay."""
    host = world.made(
        settings={"smtpd_relay_restrictions": relay, **(settings or {})},
        tables={TABLE: dict.fromkeys(("203.0.113.250", "nobody@foreign.example"), says)},
    )
    found = walk("smtp/inet", host.probe(), trusted=trusted).stopped
    return found[1] if found else None


@pytest.mark.parametrize(
    "says", ["", "DUNNO", "REJECT go away", "550 no", "450 later", "DEFER", "PREPEND X: y", "WARN it"]
)
def test_a_table_that_lets_nobody_in(says: str) -> None:
    assert stopped(f"check_client_access {TABLE}, reject_unauth_destination", says=says)


@pytest.mark.parametrize("says", ["OK", "ok", "RELAY", "12345", "permit", "permit_mynetworks, permit"])
def test_a_table_that_lets_everybody_in(says: str) -> None:
    assert stopped(f"check_client_access {TABLE}, reject_unauth_destination", says=says) is None
    assert stopped(f"{TABLE}, reject_unauth_destination", says=says) is None


@pytest.mark.parametrize(
    ("relay", "told"),
    [
        (
            "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
            "defer_unauth_destination",
        ),
        ("reject_rbl_client zen.example, reject_unauth_destination", "reject_unauth_destination"),
        ("reject_unknown_client_hostname, reject", "reject"),
        ("warn_if_reject reject_unauth_destination, defer", "defer"),
        ("check_policy_service { inet:127.0.0.1:10023, timeout=10s }, reject", "reject"),
        ("Permit_Mynetworks, Reject_Unauth_Destination", "Reject_Unauth_Destination"),
        ("guarded", "guarded"),
    ],
)
def test_what_stops_a_stranger(relay: str, told: str) -> None:
    settings = {
        "smtpd_restriction_classes": "guarded",
        "guarded": "permit_mynetworks, reject_unauth_destination",
    }
    assert stopped(relay, settings) == told
    probe = world.made(settings={"smtpd_relay_restrictions": relay, **settings}).probe()
    assert will_serve("smtp/inet", probe)


def test_who_is_in_mynetworks_is_let_in_only_where_that_is_permitted() -> None:
    assert stopped("permit_mynetworks, reject", trusted=True) is None
    assert stopped("permit_sasl_authenticated, reject", trusted=True) == "reject"


def test_another_list_may_stop_him() -> None:
    assert stopped("permit", {"smtpd_client_restrictions": "permit_mynetworks, reject"}) == "reject"
    assert stopped("permit", {"smtpd_recipient_restrictions": "reject_unauth_destination"})


@pytest.mark.parametrize(
    "relay", ["permit", "permit, reject", "permit_mynetworks", "warn_if_reject reject, permit", "open"]
)
def test_lists_that_stop_nobody_keep_smtpd_from_starting(relay: str) -> None:
    settings = {"smtpd_restriction_classes": "open", "open": "permit, reject"}
    probe = world.made(settings={"smtpd_relay_restrictions": relay, **settings}).probe()
    assert not will_serve("smtp/inet", probe)


def test_a_class_that_names_itself_ends() -> None:
    assert stopped("loop, reject", {"smtpd_restriction_classes": "loop", "loop": "loop"}) == "reject"


def test_a_stranger_reaches_neither_loopback_nor_what_is_disabled() -> None:
    probe = world.made(
        settings={"master_service_disable": "submission/inet"},
        services={
            "submission/inet": {"command": "smtpd"},
            "[::1]:10025/inet": {"command": "smtpd"},
            "192.0.2.10:2525/inet": {"command": "smtpd -o x=y"},
            "smtpd/pass": {"command": "smtpd"},
            "qmqp/inet": {"command": "qmqpd"},
        },
    ).probe()
    assert [entry.id for entry in entrances(probe)] == ["smtp/inet", "192.0.2.10:2525/inet", "smtpd/pass"]
