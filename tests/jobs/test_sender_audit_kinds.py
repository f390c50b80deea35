"""Whose forwarded mail is taken, and whose not: told from the log, before the next message, and never wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from facts import srs_relay
from jobs.sender_audit_relay import (
    AUTHORS,
    MILTER,
    PTR6,
    Key,
    begin,
    domain,
    every_kind,
    known_as,
    reload,
    rows,
    run_verifier,
    senders,
)
from mailmend.facts import srs
from mailmend.lab import Lab
from mailmend.lab.senders import kinds

pytestmark = pytest.mark.lab


# ---- every kind of sender ------------------------------------------------------------------


HOSTS = {
    "named": ((PTR6,), {}),
    "fresh": ((), {}),
    "alters": (
        (PTR6,),
        {"smtp_header_checks": "regexp:{{/^Subject: (.*)/ REPLACE Subject: forwarded}}"},
    ),
}


@pytest.mark.parametrize(
    ("host", "family"),
    [
        pytest.param(host, family, marks=() if (host, family) == ("named", "ipv4") else pytest.mark.slow)
        for host in HOSTS
        for family in ("ipv4", "ipv6")
    ],
)
def test_what_is_told_of_each_kind_is_what_its_next_message_meets(lab: Lab, host: str, family: str) -> None:
    """Once a verifier and the authors are in the log, nothing is unknown and nothing wrong."""
    records, main = HOSTS[host]
    begin(lab, {"smtp_address_preference": family, **MILTER, **AUTHORS, **main}, records=records)
    first = every_kind(lab)
    reload(lab)
    told = senders(lab)
    counted: Counter[Key] = Counter()
    refused: Counter[Key] = Counter()
    for kind in kinds():
        counted[known_as(kind)] += kind.count
        refused[known_as(kind)] += sum(a.status == "bounced" for a in first[kind.name])
    found = rows(told)
    assert {key: (row["count"], row["refused"]) for key, row in found.items()} == {
        key: (counted[key], refused[key]) for key in counted
    }
    assert told["forwarded"] == sum(counted.values())
    assert {row["told_by"] for row in found.values()} == {"rules"}
    second = every_kind(lab)
    became = {"accepted": {"sent"}, "refused": {"bounced"}}
    wrong = [
        (kind.name, found[known_as(kind)], second[kind.name])
        for kind in kinds()
        if {a.status for a in second[kind.name]} != became.get(found[known_as(kind)]["verdict"])
    ]
    assert not wrong
    # The receiver's own words name the same cause as the rules.
    said = {key: (row["cause"], row["causes"]) for key, row in found.items() if row["refused"]}
    assert said == {
        key: (cause, [{"cause": cause, "count": refused[key]}]) for key, (cause, _) in said.items()
    }


def test_without_a_verifier_both_outcomes_are_told_and_nothing_is_claimed(lab: Lab) -> None:
    begin(lab, {}, verifier=False)
    first = every_kind(lab)
    reload(lab)
    for row in senders(lab)["senders"]:
        if row["sender"] == "open.example":  # its SPF names everybody, so that a signature does not matter
            assert (row["verdict"], row["if_signed"]) == ("accepted", None)
            continue
        assert row["verdict"] == "unknown"
        assert row["if_signed"]["verdict"] in ("accepted", "unknown")
        assert row["if_unsigned"]["verdict"] == "refused"
    told = {row["sender"]: row for row in senders(lab)["senders"]}
    assert told["spf-reject.example"]["if_unsigned"]["cures"] == []
    assert told["spf-none.example"]["if_unsigned"]["cures"] == ["srs"]
    # What became of it under the running configuration tells more than no verifier does.
    second = every_kind(lab)
    own = {kind.envelope: kind.name for kind in kinds() if kind.envelope == kind.author and not kind.broken}
    several = Counter(domain(kind.envelope) for kind in kinds())
    for row in senders(lab)["senders"]:
        name = next((name for envelope, name in own.items() if domain(envelope) == row["sender"]), "")
        if several[row["sender"]] == 1:
            (status,) = {a.status for a in second[name]}
            assert (row["verdict"], status) in {("accepted", "sent"), ("refused", "bounced")}, row
            assert {a.status for a in first[name]} == {status}
        elif {
            a.status for kind in kinds() if domain(kind.envelope) == row["sender"] for a in second[kind.name]
        } == {
            "sent",
            "bounced",
        }:
            assert row["verdict"] == "unknown", row


def test_where_every_message_is_rewritten_the_original_sender_is_told(lab: Lab) -> None:
    """The usual way of SRS: sender_canonical_maps, and one queue id."""
    rewrites = {"sender_canonical_maps": srs.FORWARD, "sender_canonical_classes": "envelope_sender"}
    begin(lab, {**MILTER, **AUTHORS, **rewrites, "virtual_alias_domains": "example.org, srs.example.org"})
    lab.dns.publish(*srs_relay.RECORDS)
    srs_relay.postsrsd(lab.relay)
    some = [kind for kind in kinds() if kind.name in ("spf-none", "both-reject", "spf-reject", "list-munged")]
    for kind in some:
        became = lab.send(
            to="u@example.org", count=2, sender=kind.envelope, author=kind.author, signer=kind.signer
        )
        status = {a.status for a in lab.outcomes(became).values()}
        assert status == ({"bounced"} if kind.name == "spf-reject" else {"sent"})
    reload(lab)
    told = {key: (row["count"], row["refused"], row["verdict"]) for key, row in rows(senders(lab)).items()}
    assert told == {
        known_as(kind): (2, 2, "refused") if kind.name == "spf-reject" else (2, 0, "accepted")
        for kind in some
    }


@pytest.mark.slow
def test_what_is_said_to_cure_cures_and_what_cannot_be_cured_stays_refused(lab: Lab) -> None:
    begin(lab, {**MILTER, **AUTHORS})
    every_kind(lab)
    before = rows(senders(lab))
    for kind in kinds():
        if before[known_as(kind)]["cures"] == [
            "dns-records"
        ]:  # a notice: what is judged is this host's HELO name
            lab.dns.publish("relay.example.org TXT v=spf1 a -all")
            traces = lab.send(to="u@example.org", count=1, sender=kind.envelope, author=kind.author)
            assert [a.status for a in lab.outcomes(traces).values()] == ["sent"]
    srs_relay.start(lab, {**MILTER, **AUTHORS}, files={"forwards": "u@example.org someone@gmail.com\n"})
    run_verifier(lab)
    lab.receiver.world("strict")
    lab.dns.publish(PTR6)
    after = every_kind(lab)
    for kind in kinds():
        row = before[known_as(kind)]
        if row["cures"] == ["srs"]:
            assert {a.status for a in after[kind.name]} == {"sent"}, (row, after[kind.name])
        if row["another_way"]:
            assert {a.status for a in after[kind.name]} == {"bounced"}, (row, after[kind.name])
    assert {tuple(row["cures"]) for row in before.values()} == {(), ("srs",), ("dns-records",)}
    # Each went through this host twice; it is counted once, by whoever sent it, signed as it arrived.
    told = senders(lab)
    assert told["forwarded"] == sum(kind.count for kind in kinds())
    assert {key: row["count"] for key, row in rows(told).items()} == {
        key: row["count"] for key, row in before.items()
    }
    became = {"accepted": {"sent"}, "refused": {"bounced"}}
    for kind in kinds():
        assert became[rows(told)[known_as(kind)]["verdict"]] == {a.status for a in after[kind.name]}, (
            kind.name
        )
