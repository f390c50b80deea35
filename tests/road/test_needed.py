"""What a cure waits for: each thing with what to type, or with records that can be published as they stand."""

from __future__ import annotations

from mailmend.model import Objection, Plan, Proposal
from mailmend.road.needed import Needed, awaited, needed

MISSING = Objection("postsrsd is not installed", "apt-get install postsrsd")
RECORDS = Objection(
    "no MX record, and no SPF record",
    "publish: srs.example.org MX 10 relay.example.org. | srs.example.org TXT v=spf1 ip4:192.0.2.10 -all",
)


def plan(*declined: Proposal, chosen: Proposal | None = None) -> Plan:
    return Plan(chosen, (), (), "", "", (), declined, "")


def test_what_stops_nothing_is_not_needed() -> None:
    assert needed(Proposal("srs", "cures", (), objections=(Objection("mind this", blocking=False),))) == ()


def test_a_sentence_that_names_records_among_others_is_left_whole() -> None:
    step = "mailmend fix --remedy dkim-sign, then publish: its record"
    assert needed(Proposal("x", "cures", (), objections=(Objection("why", step),))) == (Needed("why", step),)


def test_each_thing_in_its_order_and_records_apart() -> None:
    assert needed(Proposal("srs", "cures", (), objections=(MISSING, RECORDS))) == (
        Needed("postsrsd is not installed", "apt-get install postsrsd"),
        Needed(
            "no MX record, and no SPF record",
            "",
            (
                ("srs.example.org", "MX", "10 relay.example.org."),
                ("srs.example.org", "TXT", "v=spf1 ip4:192.0.2.10 -all"),
            ),
        ),
    )


def test_srs_is_waited_for_only_where_nothing_else_is_done() -> None:
    blocked = Proposal("srs", "cures", (), objections=(MISSING,))
    other = Proposal("ipv4-for-receiver", "contains", ())
    assert awaited(plan(blocked)) is blocked
    assert awaited(plan(blocked, chosen=other)) is None
    assert awaited(plan(Proposal("pace", "contains", (), objections=(MISSING,)))) is None
