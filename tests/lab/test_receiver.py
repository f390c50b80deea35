"""The stand-in for Google's receivers holds senders to the rules that Google publishes, per family and world."""

from __future__ import annotations

import pytest

from mailmend.lab import Attempt, Lab

pytestmark = pytest.mark.lab
SRS = {"sender_canonical_classes": "envelope_sender", "sender_canonical_maps": "regexp:/etc/postfix/srs"}
SRS_MAP = "/^(.*)@(.*)$/ SRS0=HHH=TT=${2}=${1}@example.org\n"
PTR6 = "2001:db8:1::10 PTR relay.example.org."
SPF = "example.org TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all"


def one(lab: Lab, family: str, main: dict[str, str] | None = None, **how: object) -> Attempt:
    """One message over one family."""
    only = {"smtp_address_preference": "ipv6"} if family == "ipv6" else {"inet_protocols": "ipv4"}
    lab.relay.reset(main={**only, **(main or {})}, files={"srs": SRS_MAP})
    lab.relay.start()
    (outcome,) = lab.outcomes(lab.send(count=1, **how)).values()  # type: ignore[arg-type]
    assert outcome.family == family
    return outcome


@pytest.fixture
def world(lab: Lab) -> Lab:
    lab.reset()
    return lab


# ---- what must be accepted ----------------------------------------------------------------


def test_lenient_ipv4_asks_for_nothing(world: Lab) -> None:
    world.dns.withdraw("192.0.2.10", "PTR")
    assert one(world, "ipv4").status == "sent"


def test_ipv6_with_ptr_and_dkim_is_accepted(world: Lab) -> None:
    world.dns.publish(PTR6)
    assert one(world, "ipv6", signed=True).status == "sent"


def test_ipv6_from_the_address_with_good_dns_is_accepted_when_signed(world: Lab) -> None:
    assert one(world, "ipv6", {"smtp_bind_address6": "2001:db8:1::25"}, signed=True).status == "sent"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_srs_and_spf_authenticate_an_unsigned_forward_even_in_the_strict_world(
    world: Lab, family: str
) -> None:
    world.receiver.world("strict")
    world.dns.publish(PTR6, SPF)
    assert one(world, family, SRS).status == "sent"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_dmarc_reject_is_satisfied_by_the_senders_own_signature(world: Lab, family: str) -> None:
    world.receiver.world("strict")
    world.dns.publish(PTR6, SPF)
    assert one(world, family, SRS, sender="alice@strict.example", signed=True).status == "sent"


# ---- what must be refused, and with which words -------------------------------------------


@pytest.mark.parametrize(
    ("records", "signed"),
    [([], True), (["2001:db8:1::10 PTR other.example.org."], True), ([PTR6], False), ([PTR6, SPF], False)],
    ids=["no-ptr", "ptr-not-confirmed", "unsigned", "spf-of-another-domain"],
)
@pytest.mark.parametrize("kind", ["lenient", "strict"])
def test_ipv6_without_ptr_or_authentication_is_refused(
    world: Lab, kind: str, records: list[str], signed: bool
) -> None:
    world.receiver.world(kind)
    world.dns.publish(*records)
    outcome = one(world, "ipv6", signed=signed)
    assert outcome.status == "bounced"
    assert "does not meet IPv6 sending guidelines" in outcome.text


def test_strict_ipv4_without_ptr_is_5_7_25(world: Lab) -> None:
    world.receiver.world("strict")
    world.dns.withdraw("192.0.2.10", "PTR")
    assert (
        "550-5.7.25 [192.0.2.10] The IP address sending this message" in one(world, "ipv4", signed=True).text
    )


def test_strict_ipv4_unauthenticated_is_5_7_26_with_the_domain_and_address(world: Lab) -> None:
    world.receiver.world("strict")
    text = one(world, "ipv4").text
    assert "550-5.7.26 Your email has been blocked because the sender is unauthenticated." in text
    assert "SPF [sender.example] with ip: [192.0.2.10] = did not pass" in text


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_srs_does_not_satisfy_a_dmarc_reject(world: Lab, family: str) -> None:
    world.receiver.world("strict")
    world.dns.publish(PTR6, SPF)
    outcome = one(world, family, SRS, sender="alice@strict.example")
    assert "Unauthenticated email from strict.example is not accepted due to" in outcome.text


def test_a_421_over_ipv4_falls_through_to_ipv6_and_bounces(world: Lab) -> None:
    """Why smtp_address_preference = ipv4 loses mail."""
    world.receiver.mode("ipv4-tempfail")
    world.relay.reset(main={"smtp_address_preference": "ipv4"})
    world.relay.start()
    outcomes = world.outcomes(world.send(count=4)).values()
    assert {(o.status, o.family) for o in outcomes} == {("bounced", "ipv6")}


def test_a_421_over_ipv6_falls_through_to_ipv4(world: Lab) -> None:
    world.receiver.mode("ipv6-tempfail")
    assert world.relay.reset(main={"smtp_address_preference": "ipv6"}) is None
    world.relay.start()
    outcomes = world.outcomes(world.send(count=4)).values()
    assert {(o.status, o.family) for o in outcomes} == {("sent", "ipv4")}


@pytest.mark.parametrize(
    ("signed", "main", "counted"),
    [(False, SRS, "your SPF domain [example.org"), (True, {}, "your DKIM domain [sender.example")],
    ids=["spf", "dkim"],
)
def test_more_than_it_takes_at_once_is_4_7_28_by_domain_and_by_address(
    world: Lab, signed: bool, main: dict[str, str], counted: str
) -> None:
    world.dns.publish(SPF, PTR6)
    world.receiver.allow(1, 3600)
    assert one(world, "ipv4", main, signed=signed).status == "sent"
    world.relay.reset(main={"smtp_address_preference": "ipv6", **main}, files={"srs": SRS_MAP})
    world.relay.start()
    (late,) = world.outcomes(world.send(count=1, signed=signed)).values()
    assert late.status == "deferred"
    replies = {m.family: " ".join(m.reply.split()) for m in world.receiver.received()[1:]}
    assert replies["ipv6"].startswith("421-4.7.28 ")
    assert counted in replies["ipv6"].replace("421-4.7.28 ", "")
    assert "originating from your IP address" in replies["ipv4"].replace("421-4.7.28 ", "")


def test_what_it_takes_at_once_is_forgotten_with_everything_else(world: Lab) -> None:
    world.receiver.allow(1, 3600)
    assert one(world, "ipv4").status == "sent"
    assert one(world, "ipv4").status == "deferred"
    world.receiver.allow(None)
    assert one(world, "ipv4").status == "sent"


# ---- what it keeps ------------------------------------------------------------------------


def test_everything_received_is_kept_with_its_verdict(world: Lab) -> None:
    outcome = one(world, "ipv6", signed=True)
    (received,) = world.receiver.received()
    assert (received.trace, received.family, received.peer) == (outcome.trace, "ipv6", "2001:db8:1::10")
    assert (received.helo, received.mail_from) == ("relay.example.org", "alice@sender.example")
    assert received.recipients == ("someone@gmail.com",)
    assert received.verdict is not None
    assert (received.verdict["fcrdns"], received.verdict["spf"], received.verdict["dkim"]) == (
        False,
        "fail",
        "pass",
    )
    assert received.reply.startswith("550-5.7.1 ")


def test_tls_is_used_where_it_is_offered(world: Lab) -> None:
    world.receiver.tls(True)
    one(world, "ipv4")
    assert [r.tls for r in world.receiver.received()] == [True]
