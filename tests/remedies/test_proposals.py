"""Each remedy on hosts as data: where it must hold back, what it changes, what stays as it was."""

from __future__ import annotations

from typing import Any

import pytest

from mailmend.facts.case import Case, gather
from mailmend.model import Finding, Proposal, Refused, Scope
from mailmend.remedies import (
    bind_address,
    dns_records,
    ipv4_client,
    ipv4_for_receiver,
    ipv4_only,
    ipv4_transport,
)
from worlds import world

REFUSED6 = {"family": "ipv6", "status": "bounced", "count": 20, "dsn": "5.7.1", "text": (
    "550-5.7.1 [2001:db8:1::10] Our system has detected that this message does not meet IPv6 sending guidelines "
    "550 5.7.1 https://support.google.com/mail/?p=IPv6AuthError a1si2 - gsmtp"
)}  # fmt: skip
SENT4 = {"family": "ipv4", "status": "sent", "count": 20}
REFUSED4 = {"family": "ipv4", "status": "bounced", "count": 3, "dsn": "5.7.26", "text": (
    "550-5.7.26 Your email has been blocked because the sender is unauthenticated. 550-5.7.26 Gmail requires all "
    "senders to authenticate with either SPF or DKIM. 550 5.7.26 a1si2 - gsmtp"
)}  # fmt: skip
NO_PTR: dict[str, Any] = {"dns": {"2001:db8:1::10 PTR": []}, "log": {"deliveries": [SENT4, REFUSED6]}}


def proposed(remedy: Any, findings: tuple[Finding, ...] = (), **changes: Any) -> Proposal:
    host = world.made(**{**NO_PTR, **changes})
    probe = host.probe()
    return remedy.propose(gather(findings, probe, Scope()), probe)  # type: ignore[no-any-return]


def case(**changes: Any) -> Case:
    probe = world.made(**{**NO_PTR, **changes}).probe()
    return gather((), probe, Scope())


def settings(proposal: Proposal) -> dict[str, str | None]:
    return {change.target: change.after for change in proposal.changes}


IPV4_REMEDIES = [ipv4_for_receiver, ipv4_transport, ipv4_client, ipv4_only]


# ---- where a remedy must hold back --------------------------------------------------------


@pytest.mark.parametrize("remedy", IPV4_REMEDIES, ids=lambda remedy: remedy.ID)
def test_ipv4_refused_there_too_is_no_way_out(remedy: Any) -> None:
    proposal = proposed(remedy, log={"deliveries": [SENT4, REFUSED6, REFUSED4]})
    assert proposal.blocked
    assert "3 messages over IPv4 too" in next(o.reason for o in proposal.objections if o.blocking)


@pytest.mark.parametrize("remedy", [ipv4_transport, ipv4_client, ipv4_only], ids=lambda remedy: remedy.ID)
def test_an_ipv6_address_in_inet_interfaces_stops_it(remedy: Any) -> None:
    assert proposed(remedy, settings={"inet_interfaces": "127.0.0.1, [2001:db8:1::10]"}).blocked


def test_the_filter_is_not_stopped_by_it() -> None:
    assert not proposed(
        ipv4_for_receiver, settings={"inet_interfaces": "192.0.2.10, [2001:db8:1::10]"}
    ).blocked


@pytest.mark.parametrize("remedy", [*IPV4_REMEDIES, bind_address], ids=lambda remedy: remedy.ID)
def test_behind_somebody_elses_relay_it_is_theirs_to_act(remedy: Any) -> None:
    relayed = {"settings": {"relayhost": "[mx.isp.example]"}}
    proposal = proposed(remedy, **relayed, dns={**NO_PTR["dns"], "2001:db8:1::25 PTR": ["out.example.org."],
        "out.example.org AAAA": ["2001:db8:1::25"]},
        host={"addresses": ["192.0.2.10 eth0", "2001:db8:1::10 eth0", "2001:db8:1::25 eth0"]})  # fmt: skip
    assert proposal.blocked
    assert "mx.isp.example" in next(o.reason for o in proposal.objections if o.blocking)


@pytest.mark.parametrize(
    ("version", "blocked"),
    [
        ("3.7.11", True),
        ("3.8.17", True),
        ("3.8.18", False),
        ("3.10.11", False),
        ("3.11.3", True),
        ("3.12.0", False),
    ],
)
def test_a_filter_and_dane_go_together_only_where_the_crash_is_fixed(version: str, blocked: bool) -> None:
    proposal = proposed(
        ipv4_for_receiver, settings={"smtp_tls_security_level": "dane"}, defaults={"mail_version": version}
    )
    assert proposal.blocked is blocked


def test_a_policy_for_the_destination_alone_counts_as_dane_too() -> None:
    proposal = proposed(
        ipv4_for_receiver,
        settings={"smtp_tls_policy_maps": "hash:/etc/postfix/tls"},
        tables={"hash:/etc/postfix/tls": {"gmail.com": "dane-only"}},
    )
    assert proposal.blocked


@pytest.mark.parametrize(
    "changes",
    [{"defaults": {"mail_version": "2.11.3"}}, {"settings": {"smtp_host_lookup": "native"}}],
    ids=["before-3.0", "native-lookups"],
)
def test_where_a_filter_has_no_effect_another_is_named(changes: dict[str, Any]) -> None:
    proposal = proposed(ipv4_for_receiver, **changes)
    assert proposal.blocked
    assert "ipv4-client" in next(o.next_step for o in proposal.objections if o.blocking)


def test_no_other_address_in_good_standing_means_no_bind_address() -> None:
    assert proposed(bind_address).blocked


@pytest.mark.parametrize("flags", ["temporary", "link-local", "loopback"])
def test_an_address_that_changes_or_does_not_leave_is_never_bound(flags: str) -> None:
    proposal = proposed(
        bind_address,
        host={"addresses": ["2001:db8:1::10 eth0", f"2001:db8:1::25 eth0 {flags}"]},
        dns={
            **NO_PTR["dns"],
            "2001:db8:1::25 PTR": ["out.example.org."],
            "out.example.org AAAA": ["2001:db8:1::25"],
        },
    )
    assert proposal.blocked


def test_nothing_is_asked_of_others_where_dns_is_in_order() -> None:
    assert proposed(dns_records, dns={"2001:db8:1::10 PTR": ["relay.example.org."]}).changes == ()


@pytest.mark.parametrize("remedy", IPV4_REMEDIES, ids=lambda remedy: remedy.ID)
def test_a_destination_with_ipv6_alone_is_not_cut_off(remedy: Any) -> None:
    dns = {
        **NO_PTR["dns"],
        "only6.example MX": ["1 mx.only6.example."],
        "mx.only6.example AAAA": ["2001:db8:4::66"],
    }
    probe = world.made(**{**NO_PTR, "dns": dns}).probe()
    proposal = remedy.propose(gather((), probe, Scope(recipients=("only6.example",))), probe)
    assert proposal.forbidden
    assert "no host that takes mail for only6.example has an IPv4 address" in proposal.objections[0].reason


def test_a_transport_for_domains_does_not_go_past_what_depends_on_the_sender() -> None:
    maps = {"sender_dependent_relayhost_maps": "hash:/etc/postfix/by_sender"}
    assert proposed(ipv4_transport, settings=maps, tables={"hash:/etc/postfix/by_sender": {}}).forbidden


def test_somebody_elses_service_of_our_name_is_not_taken_for_ours() -> None:
    assert proposed(ipv4_transport, services={"smtp-ipv4/unix": {"command": "smtp"}}).forbidden


def test_mail_that_does_not_leave_this_host_has_no_remedy() -> None:
    probe = world.made(**NO_PTR).probe()
    with pytest.raises(Refused, match="does not leave this host"):
        gather((), probe, Scope(recipients=("postmaster@relay.example.org",)))


def test_a_stray_refusal_over_ipv4_is_no_trend() -> None:
    much = {**SENT4, "count": 1000}
    assert not proposed(
        ipv4_for_receiver, log={"deliveries": [much, REFUSED6, {**REFUSED4, "count": 1}]}
    ).blocked


def test_a_refusal_over_ipv4_stops_our_choice_and_not_the_operators() -> None:
    proposal = proposed(ipv4_for_receiver, log={"deliveries": [SENT4, REFUSED6, REFUSED4]})
    assert proposal.blocked
    assert not proposal.forbidden


def test_enforcing_a_bind_address_does_not_stop_the_other_family() -> None:
    good = {"2001:db8:1::25 PTR": ["out.example.org."], "out.example.org AAAA": ["2001:db8:1::25"]}
    proposal = proposed(
        bind_address,
        settings={"smtp_bind_address": "192.0.2.99"},
        host={"addresses": ["192.0.2.10 eth0", "2001:db8:1::10 eth0", "2001:db8:1::25 eth0"]},
        dns={**NO_PTR["dns"], **good},
    )
    assert settings(proposal) == {"smtp_bind_address6": "2001:db8:1::25"}
    assert "192.0.2.99" in " ".join(o.reason for o in proposal.objections)


# ---- what it changes ----------------------------------------------------------------------


def test_the_filter_names_every_host_of_the_receiver_and_nobody_else() -> None:
    import re

    proposal = proposed(ipv4_for_receiver)
    table = next(c.after for c in proposal.changes if c.kind == "file") or ""
    patterns = [
        re.compile(line.split(" IGNORE")[0].strip("/")) for line in table.splitlines() if line[:1] == "/"
    ]

    def ignored(answer: str) -> bool:
        return any(pattern.search(answer) for pattern in patterns)

    for host in (
        "gmail-smtp-in.l.google.com",
        "aspmx.l.google.com",
        "alt4.aspmx.l.google.com",
        "aspmx2.googlemail.com",
    ):
        assert ignored(f"{host}. 300 IN AAAA 2001:db8:2::1a")
        assert not ignored(f"{host}. 300 IN A 198.51.100.27")
    assert not ignored("mx.notgoogle.com. 300 IN AAAA 2001:db8:4::99")
    assert not ignored("mail.google.com.example. 300 IN AAAA 2001:db8:4::99")


def test_an_existing_filter_is_put_behind_ours_in_main_cf_and_in_overrides() -> None:
    proposal = proposed(
        ipv4_for_receiver,
        settings={"smtp_dns_reply_filter": "pcre:/etc/postfix/own"},
        services={
            "smtp/unix": {"command": "smtp", "overrides": {"smtp_dns_reply_filter": "pcre:/etc/postfix/fast"}}
        },
    )
    ours = "regexp:/etc/postfix/ipv4_only_receivers"
    assert settings(proposal)["smtp_dns_reply_filter"] == f"{ours}, pcre:/etc/postfix/own"
    assert settings(proposal)["smtp/unix/smtp_dns_reply_filter"] == f"{ours},pcre:/etc/postfix/fast"


def test_an_inline_filter_keeps_every_blank() -> None:
    own = "regexp:{ { /^mx\\.elsewhere\\.example\\. [^ ]+ IN AAAA / IGNORE } }"
    proposal = proposed(
        ipv4_for_receiver,
        services={"smtp/unix": {"command": "smtp", "overrides": {"smtp_dns_reply_filter": own}}},
    )
    after = settings(proposal)["smtp/unix/smtp_dns_reply_filter"] or ""
    assert after.endswith(f", {own}")


def test_the_forward_itself_can_be_named() -> None:
    probe = world.made(**NO_PTR).probe()
    known = gather((), probe, Scope(recipients=("user@example.org",)))
    assert [(way.recipient, way.domain) for way in known.ways] == [("someone@gmail.com", "gmail.com")]
    assert known.receiver == "google"


def test_a_receiver_that_nobody_describes_is_known_by_its_hosts() -> None:
    dns = {
        **NO_PTR["dns"],
        "elsewhere.example MX": ["1 mx.elsewhere.example."],
        "mx.elsewhere.example A": ["198.51.100.7"],
    }
    probe = world.made(**{**NO_PTR, "dns": dns}).probe()
    known = gather((), probe, Scope(recipients=("elsewhere.example",)))
    table = next(c.after for c in ipv4_for_receiver.propose(known, probe).changes if c.kind == "file") or ""
    assert "mx\\.elsewhere\\.example" in table
    assert "google" not in table


def test_every_sender_that_takes_another_way_is_looked_after() -> None:
    proposal = proposed(
        ipv4_for_receiver,
        settings={"sender_dependent_default_transport_maps": "hash:/etc/postfix/by_sender"},
        tables={"hash:/etc/postfix/by_sender": {"@sender.example": "out2:"}},
        services={"out2/unix": {"command": "smtp", "overrides": {"smtp_dns_reply_filter": ""}}},
        log={"deliveries": [SENT4, {**REFUSED6, "senders": ["alice@sender.example"]}]},
    )
    assert "out2/unix/smtp_dns_reply_filter" in settings(proposal)


def test_in_place_already_means_no_change() -> None:
    first = proposed(ipv4_for_receiver)
    table = next(c.after for c in first.changes if c.kind == "file")
    again = proposed(
        ipv4_for_receiver,
        settings={"smtp_dns_reply_filter": "regexp:/etc/postfix/ipv4_only_receivers"},
        files={"/etc/postfix/ipv4_only_receivers": table},
    )
    assert again.changes == ()


def test_a_clone_takes_nexthop_overrides_and_limits_along() -> None:
    proposal = proposed(
        ipv4_transport,
        settings={"transport_maps": "hash:/etc/postfix/transport", "slow_destination_concurrency_limit": "2"},
        services={"slow/unix": {"command": "smtp", "overrides": {"smtp_helo_timeout": "60s"}}},
        tables={"hash:/etc/postfix/transport": {"gmail.com": "slow:"}},
    )
    changed = settings(proposal)
    assert (
        changed["transport_maps"] == "texthash:/etc/postfix/ipv4_only_transport, hash:/etc/postfix/transport"
    )
    assert changed["slow-ipv4_destination_concurrency_limit"] == "$slow_destination_concurrency_limit"
    entry = changed["slow-ipv4/unix"] or ""
    assert "-o smtp_helo_timeout=60s" in entry
    assert "-o inet_protocols=ipv4" in entry
    table = next(c.after for c in proposal.changes if c.kind == "file") or ""
    assert "gmail.com slow-ipv4:\n" in table


def test_the_limits_of_a_transport_whose_name_nothing_can_refer_to_are_copied() -> None:
    """`${my-out_...}` is a macro that stops Postfix."""
    proposal = proposed(
        ipv4_transport,
        settings={"transport_maps": "hash:/etc/postfix/transport", "my-out_destination_recipient_limit": "5"},
        services={"my-out/unix": {"command": "smtp"}},
        tables={"hash:/etc/postfix/transport": {"gmail.com": "my-out:"}},
    )
    assert settings(proposal)["my-out-ipv4_destination_recipient_limit"] == "5"


def test_the_client_remedy_takes_relay_along() -> None:
    assert set(settings(proposed(ipv4_client))) == {"smtp/unix/inet_protocols", "relay/unix/inet_protocols"}


def test_the_kludge_is_one_setting_and_says_what_it_costs() -> None:
    proposal = proposed(ipv4_only)
    assert [(c.target, c.after, c.activation) for c in proposal.changes] == [
        ("inet_protocols", "ipv4", "restart")
    ]
    assert ("listener", "[::]:25", "gone") in {(e.kind, e.subject, e.wanted) for e in proposal.expectations}
    warned = " ".join(o.reason for o in proposal.objections)
    assert "mynetworks loses" in warned
    assert "AAAA" in warned


def test_another_address_of_the_host_is_bound_and_enforced_where_postfix_can() -> None:
    good = {"2001:db8:1::25 PTR": ["out.example.org."], "out.example.org AAAA": ["2001:db8:1::25"]}
    proposal = proposed(
        bind_address,
        host={"addresses": ["192.0.2.10 eth0", "2001:db8:1::10 eth0", "2001:db8:1::25 eth0 deprecated"]},
        dns={**NO_PTR["dns"], **good},
    )
    assert settings(proposal) == {"smtp_bind_address6": "2001:db8:1::25", "smtp_bind_address_enforce": "yes"}


def test_the_records_are_spelt_out_with_their_ip6_arpa_name() -> None:
    proposal = proposed(dns_records, dns={**NO_PTR["dns"], "example.org TXT": ["v=spf1 ip4:192.0.2.10 -all"]},
                        log={"deliveries": [SENT4, {**REFUSED6, "senders": ["bob@example.org"]}]})  # fmt: skip
    records = settings(proposal)
    arpa = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    assert records[f"{arpa} PTR"] == "relay.example.org."
    assert records["example.org TXT"] == "v=spf1 ip6:2001:db8:1::10 ip4:192.0.2.10 -all"


def test_whose_forwards_are_rewritten_already_is_not_told_to_rewrite_them() -> None:
    def costs(*senders: str) -> str:
        logged = {"forwarded": 20, "senders": list(senders)}
        proposal = proposed(dns_records, log={"deliveries": [{**SENT4, **logged}, {**REFUSED6, **logged}]})
        return " ".join(proposal.cost)

    srs = "SRS0=abcd=JM=sender.example=alice@srs.example.org"
    assert "PTR records are set" in costs(srs)
    assert "rewritten (SRS)" not in costs(srs)
    assert "rewritten (SRS)" in costs("alice@sender.example")
    # Some of it only, or none forwarded that is seen: it is still said.
    assert "rewritten (SRS)" in costs(srs, "alice@sender.example")
    assert "rewritten (SRS)" in " ".join(proposed(dns_records).cost)


def test_strangers_domains_are_never_given_records() -> None:
    proposal = proposed(
        dns_records,
        dns={**NO_PTR["dns"], "sender.example TXT": ["v=spf1 ip4:203.0.113.5 -all"]},
        log={"deliveries": [SENT4, {**REFUSED6, "forwarded": 20, "senders": ["alice@sender.example"]}]},
    )
    assert not [target for target in settings(proposal) if "sender.example" in target]


def test_the_case_is_read_from_the_log() -> None:
    known = case()
    assert (known.receiver, known.ipv4.sent, known.ipv6.refused) == ("google", 20, 20)
    assert [way.domain for way in known.ways] == ["gmail.com"]
    assert known.services == ("smtp/unix",)


def test_a_refusal_over_ipv4_that_is_long_over_stops_nothing() -> None:
    from datetime import UTC, datetime

    old = {**REFUSED4, "last": datetime(2025, 12, 20, tzinfo=UTC)}
    assert case(log={"deliveries": [SENT4, REFUSED6, old]}).ipv4.refused == 0
    assert not proposed(ipv4_for_receiver, log={"deliveries": [SENT4, REFUSED6, old]}).blocked


def test_behind_nat_no_spf_record_is_made_up() -> None:
    """Only IPv6 is known from outside: a record with it alone would refuse all that leaves over IPv4."""
    proposal = proposed(
        dns_records,
        host={"addresses": ["10.0.0.5 eth0", "2001:db8:1::10 eth0"]},
        kernel={"ipv4": "10.0.0.5", "ipv6": "2001:db8:1::10"},
        dns={**NO_PTR["dns"], "relay.example.org TXT": [], "example.org TXT": []},
    )
    assert not [c.target for c in proposal.changes if c.target.endswith(" TXT")]
    assert [c.target for c in proposal.changes if c.target.endswith(" PTR")]
    assert "10.0.0.5" in " ".join(o.reason for o in proposal.objections)
