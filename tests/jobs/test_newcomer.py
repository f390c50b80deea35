"""A relay as Debian installs it forwards to Gmail, and it bounces: each screen says what to type next, and it is done.

Both families, no PTR for the IPv6 address, a receiver that asks for SPF or DKIM over IPv4 too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab

MX = "srs.example.org MX 10 relay.example.org."
SPF = "srs.example.org TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all"
PTR = "2001:db8:1::10 PTR relay.example.org."


@pytest.fixture
def fresh(lab: Lab) -> Iterator[Lab]:
    lab.reset()
    lab.receiver.world("strict")
    lab.relay.start()
    yield lab
    lab.reset()


def screen(lab: Lab, *argv: str) -> str:
    """What it says, without how its lines are broken."""
    done = lab.relay.mailmend(*argv)
    assert max(map(len, done.stdout.splitlines()), default=0) <= 80 or "@@" in done.stdout, done.stdout
    return " ".join((done.stdout + done.stderr).split())


def told(lab: Lab, *argv: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(lab.relay.mailmend("--json", *argv).stdout)
    return said


def prefer(lab: Lab, family: str) -> None:
    lab.relay.run(["postconf", "-e", f"smtp_address_preference={family}"])
    lab.relay.reload()


def fared(lab: Lab, family: str, count: int = 3) -> set[str]:
    """What becomes of forwards over this family."""
    prefer(lab, family)
    every = lab.outcomes(lab.send(count=count)).values()
    assert {each.family for each in every} == {family}
    return {each.status for each in every}


def cured(lab: Lab, *remedy: str) -> None:
    lab.relay.install("postsrsd")
    lab.relay.start_daemon("postsrsd", 10001, 10002)
    lab.dns.publish(MX, SPF)
    done = told(lab, "fix", *remedy, "--yes", "--confirm")
    assert (done["state"], done["plan"]["remedy"]) == ("kept", "srs"), done


# ---- what must not be said ------------------------------------------------------------------


def test_who_forwards_nothing_is_not_led_to_forwards(fresh: Lab) -> None:
    fresh.outcomes(fresh.send(to="postmaster@relay.example.org", count=1))
    said = screen(fresh, "check")
    assert "mailmend check forwarding" not in said
    assert "Add this host's addresses, ip4: and ip6:, to the SPF record" in said


@pytest.mark.slow
def test_srs_is_not_offered_to_be_taken_back_when_the_other_records_are_seen(fresh: Lab) -> None:
    """It is no way round IPv6: with the PTR it is what keeps forwards accepted."""
    fared(fresh, "ipv6")
    cured(fresh, "--remedy", "srs")
    fared(fresh, "ipv6")
    fresh.dns.publish(PTR)
    status = told(fresh, "status")
    assert [change["remedy"] for change in status["changes"]] == ["srs"]
    assert status["held"] == []
    assert not any(one["still"] for one in status["pending"])
    assert "way back" not in screen(fresh, "status")


def test_a_forward_that_no_table_explains_is_told_with_srs_too(fresh: Lab) -> None:
    cured(fresh, "--remedy", "srs")
    fresh.outcomes(fresh.send(to="else@example.org", count=1, sender="anna@example.org"))
    fresh.relay.write("/etc/postfix/virtual", "user@example.org someone@gmail.com\n")
    fresh.relay.run(["postmap", "/etc/postfix/virtual"])
    assert "nothing found here accounts for: elsewhere.example (1)" in screen(fresh, "check", "forwarding")


# ---- the whole way --------------------------------------------------------------------------


def test_each_screen_names_the_next_step_until_forwards_are_accepted(fresh: Lab) -> None:
    assert fared(fresh, "ipv4") | fared(fresh, "ipv6") == {"bounced"}

    checked = screen(fresh, "check")
    assert (
        "Rewrite the envelope of forwarded mail to a domain of your own (SRS): SPF is then asked" in checked
    )
    assert "mailmend check forwarding every forward" in checked

    fixing = screen(fresh, "fix", "--yes")
    first, second = (
        "1. postsrsd is not installed apt-get install postsrsd 2. ",
        "srs.example.org. IN MX 10 relay.",
    )
    assert first in fixing
    assert second in fixing
    assert 'srs.example.org. IN TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all"' in fixing
    assert "then go on: mailmend fix" in fixing
    assert fixing.index(first) < fixing.index("DNS records to publish besides")

    cured(fresh)
    assert fared(fresh, "ipv4") == {"sent"}
    # The address without a name stays refused, and every screen says so, not only that SRS is there.
    assert fared(fresh, "ipv6") == {"bounced"}
    again = screen(fresh, "fix", "--yes")
    assert "2001:db8:1::10, from which smtp/unix sends, has no PTR record (ptr-missing)" in again
    assert "IN PTR relay.example.org." in again
    assert again.count("in place already") == 1
    assert "Of the last hour alone: mailmend report --since 1h srs is in place already" in again
    assert "Not delivered, by receiver and address family" in screen(fresh, "report", "--since", "1h")
    prefer(fresh, "any")
    (row,) = told(fresh, "check", "forwarding", "--senders")["senders"]
    assert (row["verdict"], row["over"], row["cures"]) == ("unknown", "ipv6", ["dns-records"])
    assert "refused over IPv6, accepted over IPv4: this host's IPv6 address has no name" in screen(
        fresh, "check", "forwarding", "--senders"
    )
    # The notices of those bounces went on to the original sender, whom no forward names.
    assert "nothing found here accounts for" not in screen(fresh, "check", "forwarding")
    watched = screen(fresh, "status")
    assert "2001:db8:1::10 PTR" in watched
    assert "forwarding:" not in watched

    assert "until its envelope is rewritten" not in again
    assert fared(fresh, "ipv6", 1) == {"bounced"}
    fresh.dns.publish(PTR)
    published = fresh.relay.run(["date", "+%Y-%m-%dT%H:%M:%S.%6N"]).stdout.strip()
    assert {each.status for each in fresh.outcomes(fresh.send(count=3)).values()} == {"sent"}
    # The refusals of before are told for a day yet, and that they are over.
    assert "mail over IPv6 was taken after that, last" in screen(fresh, "check")
    # No reload parts what was refused before the record from what came after it; the operator can.
    audited = screen(fresh, "check", "forwarding", "--senders")
    assert "its mail is of several kinds, or DNS has changed in between" in audited
    assert "`--since 2026-01-31T09:30` reads what came after that time alone" in audited
    (row,) = told(fresh, "check", "forwarding", "--senders", "--since", published)["senders"]
    assert (row["verdict"], row["refused"]) == ("accepted", 0)
