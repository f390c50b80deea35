"""Where mail to an address really goes, as trivial-rewrite(8) would resolve it."""

from __future__ import annotations

from typing import Any

import pytest

from mailmend.facts.looking import Unknown
from mailmend.facts.route import Route, route, routes
from worlds import world


def way(recipient: str, sender: str | None = None, **changes: Any) -> Route:
    return route(recipient, world.made(**changes).probe(), sender)


def tables(**content: dict[str, str]) -> dict[str, dict[str, str]]:
    return {f"hash:/etc/postfix/{name}": table for name, table in content.items()}


TRANSPORT = {"transport_maps": "hash:/etc/postfix/transport"}
RELAY = {"relayhost": "[relay.example.net]"}


def test_mail_to_strangers_goes_to_their_own_mail_hosts() -> None:
    found = way("someone@gmail.com")
    assert (found.service, found.nexthop, found.relayed, found.forwarded) == (
        "smtp/unix",
        "gmail.com",
        False,
        False,
    )


def test_local_mail_does_not_leave() -> None:
    found = way("root@localhost")
    assert (found.service, found.smtp, found.address_class) == ("local/unix", False, "local")


def test_an_address_without_alias_in_an_alias_domain_ends_here() -> None:
    assert way("nobody@example.org").service == "error/unix"


def test_a_forwarded_address_goes_where_its_alias_points() -> None:
    found = way("user@example.org")
    assert (found.final, found.service, found.nexthop) == ("someone@gmail.com", "smtp/unix", "gmail.com")
    assert found.decided == ("virtual_alias_maps", "default_transport")


def test_a_catch_all_forwards_the_whole_domain() -> None:
    found = way("example.org", tables=tables(virtual={"@example.org": "all@gmail.com"}))
    assert found.final == "all@gmail.com"


def test_every_target_of_an_alias_has_its_own_way() -> None:
    probe = world.made(
        tables=tables(virtual={"team@example.org": "a@gmail.com, root@localhost, b@example.net"})
    ).probe()
    assert [(r.final, r.leaves) for r in routes("team@example.org", probe)] == [
        ("a@gmail.com", True),
        ("root@localhost", False),
        ("b@example.net", True),
    ]


def test_aliases_that_point_at_each_other_end() -> None:
    found = way(
        "a@example.org",
        tables=tables(virtual={"a@example.org": "b@example.org", "b@example.org": "a@example.org"}),
    )
    assert not found.leaves


def test_an_extension_finds_the_plain_alias() -> None:
    assert way("user+lists@example.org", settings={"recipient_delimiter": "+"}).final == "someone@gmail.com"


def test_a_local_alias_leads_out() -> None:
    aliases = {"hash:/etc/aliases": {"postmaster": "boss@gmail.com"}}
    found = way("postmaster@localhost", tables=aliases)
    assert found.final == "boss@gmail.com"
    assert "alias_maps" in found.decided


def test_relayhost_takes_what_leaves_and_nothing_else() -> None:
    assert way("someone@gmail.com", settings=RELAY).nexthop == "[relay.example.net]"
    assert way("someone@gmail.com", settings=RELAY).relayed
    assert way("root@localhost", settings=RELAY).service == "local/unix"


@pytest.mark.parametrize(
    ("entry", "key", "service", "nexthop"),
    [
        ("smtp:[mx.example.net]", "gmail.com", "smtp/unix", "[mx.example.net]"),
        ("smtp:", "gmail.com", "smtp/unix", "gmail.com"),
        (":[mx.example.net]", "gmail.com", "smtp/unix", "[mx.example.net]"),
        (":", "gmail.com", "smtp/unix", "[relay.example.net]"),
        ("relay:", "someone@gmail.com", "relay/unix", "gmail.com"),
        ("relay:", "*", "relay/unix", "gmail.com"),
        ("relay:", ".com", "relay/unix", "gmail.com"),
        ("relay:", "com", "smtp/unix", "[relay.example.net]"),
        ("relay:", "example.com", "smtp/unix", "[relay.example.net]"),
    ],
    ids=[
        "nexthop-given",
        "transport-alone-bypasses-relayhost",
        "nexthop-alone",
        "neither-changes-nothing",
        "one-address",
        "wildcard",
        "parent-with-dot",
        "parent-without-dot-is-no-match",
        "another-domain",
    ],
)
def test_transport_maps_win(entry: str, key: str, service: str, nexthop: str) -> None:
    found = way("someone@gmail.com", settings=TRANSPORT | RELAY, tables=tables(transport={key: entry}))
    assert (found.service, found.nexthop) == (service, nexthop)


def test_a_pattern_table_sees_whole_addresses_only() -> None:
    settings = {"transport_maps": "regexp:/etc/postfix/transport"}
    found = way(
        "gmail.com", settings=settings, tables={"regexp:/etc/postfix/transport": {"gmail.com": "relay:"}}
    )
    assert found.service == "smtp/unix"


def test_a_default_transport_with_nexthop_beats_relayhost() -> None:
    found = way("someone@gmail.com", settings=RELAY | {"default_transport": "smtp:[gate.example.net]"})
    assert found.nexthop == "[gate.example.net]"


def test_relay_domains_use_the_relay_client() -> None:
    found = way("someone@customer.example", settings={"relay_domains": "customer.example"})
    assert (found.service, found.address_class, found.nexthop) == ("relay/unix", "relay", "customer.example")


def test_relay_domains_cover_subdomains() -> None:
    assert (
        way("x@sub.customer.example", settings={"relay_domains": "customer.example"}).service == "relay/unix"
    )
    assert (
        way("x@othercustomer.example", settings={"relay_domains": "customer.example"}).service == "smtp/unix"
    )


def test_the_senders_own_relay_comes_before_relayhost() -> None:
    changes = {
        "settings": RELAY | {"sender_dependent_relayhost_maps": "hash:/etc/postfix/by_sender"},
        "tables": tables(by_sender={"@example.org": "[out.example.org]"}),
    }
    assert way("a@gmail.com", "info@example.org", **changes).nexthop == "[out.example.org]"
    assert way("a@gmail.com", "info@other.example", **changes).nexthop == "[relay.example.net]"
    assert way("a@gmail.com", None, **changes).nexthop == "[relay.example.net]"


def test_the_senders_own_transport_comes_before_the_default() -> None:
    changes = {
        "settings": {"sender_dependent_default_transport_maps": "hash:/etc/postfix/by_sender"},
        "tables": tables(by_sender={"info@example.org": "relay:"}),
    }
    assert way("a@gmail.com", "info@example.org", **changes).service == "relay/unix"


def test_a_clone_of_the_client_is_still_a_client() -> None:
    found = way(
        "a@gmail.com",
        settings=TRANSPORT,
        tables=tables(transport={"gmail.com": "smtp-ipv4:"}),
        services={"smtp-ipv4/unix": {"command": "smtp -o inet_protocols=ipv4"}},
    )
    assert (found.service, found.smtp) == ("smtp-ipv4/unix", True)


def test_a_table_that_cannot_be_read_is_no_route() -> None:
    with pytest.raises(Unknown, match="hash:/etc/postfix/transport: open"):
        way("a@gmail.com", settings=TRANSPORT)
