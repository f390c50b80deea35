"""What of main.cf and master.cf counts, where it is written twice or left out by a comment."""

from __future__ import annotations

import sys

import pytest

from mailmend.facts import services as entries
from mailmend.facts.domains import listed
from mailmend.facts.endpoints import Endpoint, configured
from mailmend.facts.settings import file_words, services, smtp_services
from mailmend.lab import Lab
from mailmend.questions import Service, Services
from mailmend.system.probe import Live
from worlds import world


def entry(name: str, command: str, kind: str = "unix", **overrides: str) -> Service:
    return Service(name, kind, "-", "-", "n", "-", "-", command, tuple(overrides.items()))


TWICE = (
    entry("smtp", "smtp", smtp_bind_address="192.0.2.1"),
    entry("relay", "smtp"),
    entry("smtp", "smtp", kind="inet"),
    entry("smtp", "smtp", smtp_bind_address="192.0.2.2"),
    entry("relay", "error"),
)


def test_of_two_entries_the_last_alone_counts() -> None:
    probe = Live({Services: lambda _: TWICE})
    assert [s.id for s in services(probe)] == ["smtp/unix", "relay/unix", "smtp/inet"]
    assert smtp_services(probe) == ("smtp/unix",)
    assert [s.overrides for s in entries.smtp_clients(probe)] == [(("smtp_bind_address", "192.0.2.2"),)]
    assert entries.overrides(probe, "smtp/unix") == {"smtp_bind_address": "192.0.2.2"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("192.0.2.0/24, 2001:db8::/32\n", ("192.0.2.0/24", "2001:db8::/32")),
        ("a.example\n  b#c.example # d e\n", ("a.example", "b#c.example")),
        ("# d.example\na.example\n   # e.example f.example\n", ("a.example",)),
        ("", ()),
    ],
    ids=["a-list", "at-the-end-of-a-line", "comments", "empty"],
)
def test_a_list_in_a_file_has_comments_by_the_line(text: str, told: tuple[str, ...]) -> None:
    assert file_words(text) == told


def test_a_domain_in_a_comment_is_not_ours() -> None:
    host = world.made(
        settings={"mydestination": "/etc/postfix/ours"},
        files={"/etc/postfix/ours": "# was gmail.com\nexample.org\n"},
    )
    assert listed("example.org", "mydestination", host.probe())
    assert not listed("gmail.com", "mydestination", host.probe())


def test_an_entry_that_is_disabled_asks_for_no_socket() -> None:
    host = world.made(
        settings={"master_service_disable": "submission/inet", "inet_protocols": "ipv4"},
        services={"submission/inet": {"command": "smtpd"}},
    )
    assert configured(host.probe()) == (Endpoint("0.0.0.0", 25, "smtp/inet"),)


_TELL = """
from mailmend.facts.services import overrides
from mailmend.system.live import live
print(overrides(live(), "smtp/unix").get("smtp_bind_address6"))
"""


@pytest.mark.lab
def test_postfix_takes_the_last_entry_too(lab: Lab) -> None:
    lab.reset(main={"smtp_address_preference": "ipv6"})
    again = "\nsmtp unix - - n - - smtp\n  -o smtp_bind_address6=2001:db8:1::25\n"
    lab.relay.write("/etc/postfix/master.cf", lab.relay.read("/etc/postfix/master.cf") + again)
    lab.relay.run(["touch", "-d", "1 minute ago", "/etc/postfix/master.cf"])
    lab.relay.start()
    (trace,) = lab.send(to="else@example.org", count=1)
    lab.outcomes([trace])
    assert [r.peer for r in lab.elsewhere.received() if r.trace == trace] == ["2001:db8:1::25"]
    assert lab.relay.run([sys.executable, "-c", _TELL], timeout=30).stdout.strip() == "2001:db8:1::25"
