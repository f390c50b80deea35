"""A receiver takes only so much at a time: its mail is paced, all other mail is not, and undone every byte is back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from facts import srs_relay
from mailmend.facts.case import gather
from mailmend.lab import Lab
from mailmend.model import Proposal, Scope
from mailmend.remedies import pace
from worlds import world

SENT: dict[str, Any] = {"family": "ipv4", "status": "sent", "count": 20}
ELSEWHERE = {**SENT, "relay": "mx.elsewhere.example", "to": "elsewhere.example"}
WORKSPACE = {**SENT, "relay": "aspmx.l.google.com", "to": "workspace.example"}


def proposed(**changes: Any) -> Proposal:
    probe = world.made(**{"log": {"deliveries": [SENT]}, **changes}).probe()
    return pace.propose(gather((), probe, Scope()), probe)


def after(proposal: Proposal) -> dict[str, str]:
    return {change.target: change.after or "" for change in proposal.changes}


def why(proposal: Proposal) -> str:
    return " ".join(o.reason for o in proposal.objections if o.blocking)


# ---- where it must hold back --------------------------------------------------------------


def test_what_is_paced_already_is_not_paced_again() -> None:
    proposal = proposed(
        settings={"transport_maps": "hash:/etc/postfix/transport", "slow_destination_rate_delay": "5s"},
        services={"slow/unix": {"command": "smtp"}},
        tables={"hash:/etc/postfix/transport": {"gmail.com": "slow:"}},
    )
    assert "paced already: slow_destination_rate_delay = 5s" in why(proposal)


@pytest.mark.parametrize(
    "parameter", ["sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps"]
)
def test_a_way_that_the_sender_chooses_is_not_gone_past(parameter: str) -> None:
    table = "hash:/etc/postfix/by_sender"
    proposal = proposed(settings={parameter: table}, tables={table: {"@example.org": "[mx.isp.example]"}})
    assert f"{parameter} = {table} chooses a way by the sender" in why(proposal)


@pytest.mark.parametrize("named", ["alice@gmail.com", "gmail.com"], ids=["address", "pattern"])
def test_the_way_of_one_address_is_not_made_that_of_its_whole_domain(named: str) -> None:
    """transport(5) looks for an address, and patterns for it, before its domain."""
    table = "hash:/etc/postfix/transport" if "@" in named else "regexp:/etc/postfix/transport"
    address = named if "@" in named else f"postmaster@{named}"
    host = world.made(
        settings={"transport_maps": table},
        services={"vip/unix": {"command": "smtp"}},
        tables={table: {address: "vip:[mx.other.example]"}},
        log={"deliveries": [SENT]},
    )
    probe = host.probe()
    proposal = pace.propose(gather((), probe, Scope(recipients=(named,))), probe)
    assert f"transport_maps leads {address} another way than gmail.com (vip:[mx.other.example])" in why(
        proposal
    )
    assert "mx.other.example" not in after(proposal).get("/etc/postfix/paced_transport", "")


def test_what_a_pattern_leads_elsewhere_is_not_counted_among_the_paced() -> None:
    table = "regexp:/etc/postfix/transport"
    proposal = proposed(
        settings={"transport_maps": table},
        tables={table: {"postmaster@workspace.example": "vip:[mx.other.example]"}},
        services={"vip/unix": {"command": "smtp"}},
        log={"deliveries": [SENT, WORKSPACE]},
    )
    assert "workspace.example" not in after(proposal)["/etc/postfix/paced_transport"]
    assert any("still goes its own way" in line for line in proposal.cost)


def test_a_postfix_without_the_delay_is_told_so() -> None:
    assert "came with 3.1" in why(proposed(defaults={"mail_version": "3.0.4"}))


def test_another_service_of_that_name_is_left_alone() -> None:
    there = {"smtp-paced-google/unix": {"command": "smtp"}}
    assert "master.cf has another smtp-paced-google/unix" in why(proposed(services=there))


def test_more_mail_than_the_pace_lets_through_stops_all_but_the_operators_own_word() -> None:
    proposal = proposed(log={"deliveries": [{**SENT, "count": 40_000}]})
    assert "40,000 messages a day" in why(proposal)
    assert not proposal.forbidden


def test_where_the_way_cannot_be_seen_it_only_stops_itself() -> None:
    probe = world.made(log={"deliveries": [SENT]}).probe()
    seen = gather((), probe, Scope())
    blind = world.made(log={"deliveries": [SENT]}, fails={"Services": "master.cf: Permission denied"})
    proposal = pace.propose(seen, blind.probe())
    assert proposal.blocked
    assert proposal.changes == ()


# ---- what it changes ----------------------------------------------------------------------


def test_every_domain_of_the_receiver_and_no_other_is_led_there() -> None:
    changed = after(proposed(log={"deliveries": [SENT, ELSEWHERE, WORKSPACE]}))
    table = changed["/etc/postfix/paced_transport"]
    assert [line for line in table.splitlines() if not line.startswith("#")] == [
        "gmail.com smtp-paced-google:",
        "workspace.example smtp-paced-google:",
    ]
    assert changed["smtp-paced-google_transport_rate_delay"] == "2s"
    assert changed["transport_maps"] == "texthash:/etc/postfix/paced_transport"


def test_a_relayhost_and_the_operators_own_transport_are_kept() -> None:
    changed = after(
        proposed(
            settings={
                "transport_maps": "hash:/etc/postfix/transport",
                "slow_destination_recipient_limit": "5",
                "relayhost": "[mx.isp.example]:587",
            },
            services={"slow/unix": {"command": "smtp", "overrides": {"smtp_tls_security_level": "encrypt"}}},
            tables={"hash:/etc/postfix/transport": {"gmail.com": "slow:[mx.other.example]"}},
            log={"deliveries": [SENT, WORKSPACE]},
        )
    )
    assert "gmail.com slow-paced-google:[mx.other.example]\n" in changed["/etc/postfix/paced_transport"]
    assert (
        "workspace.example smtp-paced-google:[mx.isp.example]:587\n"
        in changed["/etc/postfix/paced_transport"]
    )
    assert "-o smtp_tls_security_level=encrypt" in changed["slow-paced-google/unix"]
    assert changed["slow-paced-google_destination_recipient_limit"] == "$slow_destination_recipient_limit"
    assert changed["transport_maps"] == "texthash:/etc/postfix/paced_transport, hash:/etc/postfix/transport"


def test_another_receiver_is_paced_beside_the_first() -> None:
    text = "gmail.com smtp-paced-google:\n"
    host = world.made(
        settings={"transport_maps": "texthash:/etc/postfix/paced_transport"},
        files={"/etc/postfix/paced_transport": text},
        services={"smtp-paced-google/unix": {"command": "smtp"}},
        tables={"texthash:/etc/postfix/paced_transport": {"gmail.com": "smtp-paced-google:"}},
        dns={"elsewhere.example MX": ["10 mx.elsewhere.example."], "mx.elsewhere.example A": ["192.0.2.99"]},
        log={"deliveries": [SENT, ELSEWHERE]},
    )
    probe = host.probe()
    case = gather((), probe, Scope(recipients=("friend@elsewhere.example",)))
    changed = after(pace.propose(case, probe))
    assert changed["/etc/postfix/paced_transport"] == (
        f"{text}elsewhere.example smtp-paced-elsewhere-example:\n"
    )
    assert "transport_maps" not in changed
    assert changed["smtp-paced-elsewhere-example_transport_rate_delay"] == "2s"


def test_of_two_transports_each_has_its_own_pace() -> None:
    table = "hash:/etc/postfix/transport"
    proposal = proposed(
        settings={"transport_maps": table},
        services={"slow/unix": {"command": "smtp"}},
        tables={table: {"workspace.example": "slow:"}},
        log={"deliveries": [SENT, WORKSPACE]},
    )
    assert "by each of 2 transports one message every 2 s, 86,400 a day" in proposal.cost[0]


# ---- on real Postfix ----------------------------------------------------------------------


def fix(lab: Lab, remedy: str, *arguments: str) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", "fix", "--remedy", remedy, "--yes", "--confirm", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def config(lab: Lab) -> dict[str, str]:
    names = lab.relay.run(["find", "/etc/postfix", "-type", "f", "!", "-name", "*.tmp"]).stdout.split()
    return {name: lab.relay.read(name) for name in names}


def gaps(lab: Lab, service: str) -> list[float]:
    """Seconds between the deliveries that the log tells of *service*, in the order of the log."""
    lines = re.findall(rf"^(\S+) \S+ postfix/{service}/smtp\[.* status=sent", lab.relay.log(), re.MULTILINE)
    times = [datetime.fromisoformat(stamp) for stamp in lines]
    return [(b - a).total_seconds() for a, b in pairwise(times)]


@pytest.fixture
def fresh(lab: Lab) -> Iterator[Lab]:
    lab.reset(main={"inet_protocols": "ipv4"})
    yield lab
    lab.receiver.allow(None)
    lab.reset()


@pytest.mark.lab
def test_a_burst_is_taken_once_it_is_paced_and_undone_every_byte_is_back(fresh: Lab) -> None:
    fresh.relay.start()
    fresh.receiver.allow(1, 0.9)
    before = config(fresh)
    burst = fresh.outcomes(fresh.send(count=4, gap=0)).values()
    assert any("4.7.28" in o.text for o in burst)

    fresh.relay.run(["postsuper", "-d", "ALL"])
    assert fix(fresh, "pace")["state"] == "kept"
    traces = fresh.send(count=3, gap=0)
    others = fresh.send(to="else@example.org", count=3, gap=0)
    assert {o.service for o in fresh.outcomes(others).values()} == {"postfix/smtp"}
    paced = fresh.outcomes(traces).values()
    assert {(o.status, o.service) for o in paced} == {("sent", "postfix/smtp-paced-google/smtp")}
    between = gaps(fresh, "smtp-paced-google")
    assert len(between) == 2
    assert min(between) >= 1

    assert fix(fresh, "pace")["state"] == "in-place"
    proven = json.loads(fresh.relay.mailmend("--json", "prove").stdout)
    spaced = [j for j in proven["proof"]["judgements"] if "s apart" in j["says"]]
    assert [j["verdict"] for j in spaced] == ["holds"]

    undone = fresh.relay.mailmend("--json", "undo")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert json.loads(undone.stdout)["identical"]
    assert config(fresh) == before


@pytest.mark.lab
@pytest.mark.slow
def test_mail_that_goes_by_a_relayhost_still_goes_there(fresh: Lab) -> None:
    fresh.relay.reset(main={"relayhost": "[mx.elsewhere.example]"})
    fresh.relay.start()
    fix(fresh, "pace")
    (one,) = fresh.outcomes(fresh.send(count=1)).values()
    assert (one.status, one.service) == ("sent", "postfix/smtp-paced-google/smtp")
    assert (one.relay or "").startswith("mx.elsewhere.example[")


@pytest.mark.lab
@pytest.mark.slow
def test_the_family_and_the_tls_of_the_way_before_stay(fresh: Lab) -> None:
    """ipv4-transport, then pace: the clone of the clone speaks IPv4 only too."""
    fresh.relay.reset(main={"smtp_address_preference": "ipv6"}, master_extra="")
    fresh.relay.start()
    fix(fresh, "ipv4-transport")
    fix(fresh, "pace")
    outcomes = fresh.outcomes(fresh.send(count=2)).values()
    assert {(o.status, o.family, o.service) for o in outcomes} == {
        ("sent", "ipv4", "postfix/smtp-ipv4-paced-google/smtp")
    }


@pytest.mark.lab
@pytest.mark.slow
def test_what_srs_rewrites_is_paced_for_this_receiver_alone(fresh: Lab) -> None:
    fresh.relay.reset(main={"inet_protocols": "ipv4"})
    fresh.receiver.world("strict")
    fresh.dns.publish(*srs_relay.RECORDS)
    srs_relay.postsrsd(fresh.relay)
    fresh.relay.start()
    fix(fresh, "srs")
    before = config(fresh)
    assert "notices (null sender), which are not rewritten" in json.dumps(fix(fresh, "pace"))
    (notice,) = fresh.outcomes(
        fresh.send(count=1, sender="", author="postmaster@sender.example", signed=True)
    ).values()
    assert (notice.status, notice.service) == ("sent", "postfix/smtp")
    traces = fresh.send(count=2, gap=0)
    (other,) = fresh.outcomes(fresh.send(to="else@example.org", count=1)).values()
    assert (other.status, other.service) == ("sent", "postfix/smtp")
    assert {(o.status, o.service) for o in fresh.outcomes(traces).values()} == {
        ("sent", "postfix/smtp-paced-google/smtp")
    }
    assert min(gaps(fresh, "smtp-paced-google")) >= 1
    assert {m.mail_from.rpartition("@")[2] for m in fresh.receiver.received()} == {"", "srs.example.org"}
    assert fix(fresh, "srs")["state"] == "in-place"
    assert json.loads(fresh.relay.mailmend("--json", "undo").stdout)["identical"]
    assert config(fresh) == before


@pytest.mark.lab
@pytest.mark.slow
def test_ipv4_transport_that_comes_later_keeps_the_pace(fresh: Lab) -> None:
    fresh.relay.reset(main={"smtp_address_preference": "ipv6"})
    fresh.relay.start()
    fix(fresh, "pace")
    fix(fresh, "ipv4-transport")
    outcomes = fresh.outcomes(fresh.send(count=2, gap=0)).values()
    assert {(o.status, o.family, o.service) for o in outcomes} == {
        ("sent", "ipv4", "postfix/smtp-paced-google-ipv4/smtp")
    }
    assert min(gaps(fresh, "smtp-paced-google-ipv4")) >= 1
