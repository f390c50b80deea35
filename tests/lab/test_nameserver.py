"""The lab's name server answers as RFC 1035, 2308 and 8020 ask, in each of its modes."""

from __future__ import annotations

import pytest

dnslib = pytest.importorskip("dnslib")

from mailmend.lab.nameserver import Nameserver  # noqa: E402
from mailmend.lab.zones import Zones, parse  # noqa: E402


@pytest.fixture
def server() -> Nameserver:
    return Nameserver(Zones("AAAA"))


def ask(server: Nameserver, name: str, kind: str, *, over_udp: bool = True) -> dnslib.DNSRecord:
    packet = server.answer(bytes(dnslib.DNSRecord.question(name, kind).pack()), over_udp)
    assert packet is not None
    return dnslib.DNSRecord.parse(packet)


def found(answer: dnslib.DNSRecord) -> list[str]:
    return [str(record.rdata) for record in answer.rr]


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("nowhere.example.org", "A", 3),
        ("x", "A", 3),
        ("0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR", 3),
        ("example.org", "AAAA", 0),
        ("_domainkey.sender.example", "TXT", 0),
        ("l.google.com", "A", 0),
    ],
    ids=["no-name", "no-zone", "no-ptr", "no-such-type", "empty-non-terminal", "above-names"],
)
def test_what_is_not_there_has_an_soa_and_the_right_code(
    server: Nameserver, name: str, kind: str, rcode: int
) -> None:
    answer = ask(server, name, kind)
    assert (answer.header.rcode, found(answer)) == (rcode, [])
    assert dnslib.QTYPE[answer.auth[0].rtype] == "SOA"


def test_names_are_found_in_any_spelling_and_answered_in_the_asked_one(server: Nameserver) -> None:
    answer = ask(server, "GMail.com", "MX")
    assert found(answer) == ["5 gmail-smtp-in.l.google.com.", "10 alt1.gmail-smtp-in.l.google.com."]
    assert str(answer.rr[0].rname) == "GMail.com."


def test_an_alias_is_followed(server: Nameserver) -> None:
    server.zones.publish(["www.example.org CNAME relay.example.org."])
    assert found(ask(server, "www.example.org", "A")) == ["relay.example.org.", "192.0.2.10"]


def test_an_alias_to_itself_ends(server: Nameserver) -> None:
    server.zones.publish(["loop.example.org CNAME loop.example.org."])
    assert set(found(ask(server, "loop.example.org", "A"))) == {"loop.example.org."}


def test_publishing_replaces_the_type_and_leaves_the_others(server: Nameserver) -> None:
    server.zones.publish(["relay.example.org A 192.0.2.20", "relay.example.org A 192.0.2.21"])
    assert found(ask(server, "relay.example.org", "A")) == ["192.0.2.20", "192.0.2.21"]
    assert found(ask(server, "relay.example.org", "AAAA")) == ["2001:db8:1::10"]


def test_a_long_text_is_cut_into_strings_and_needs_tcp(server: Nameserver) -> None:
    text = "v=spf1 " + " ".join(f"ip4:192.0.2.{n}" for n in range(60)) + " -all"
    server.zones.publish([f"example.org TXT {text}"])
    short = ask(server, "example.org", "TXT")
    assert (short.header.tc, found(short)) == (1, [])
    whole = ask(server, "example.org", "TXT", over_udp=False)
    assert b"".join(whole.rr[0].rdata.data).decode() == text


@pytest.mark.parametrize(
    "text", ["", "example.org", "example.org A", "example.org A relay", "example.org XYZ 1"]
)
def test_what_is_no_record_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="no DNS record: " + text):
        parse(text)


def test_a_dead_server_says_nothing_and_a_failing_one_says_so(server: Nameserver) -> None:
    server.mode = "dead"
    assert server.answer(bytes(dnslib.DNSRecord.question("gmail.com", "MX").pack()), over_udp=True) is None
    server.mode = "servfail"
    assert ask(server, "gmail.com", "MX").header.rcode == 2


def test_a_lying_server_lies_about_ptr_alone(server: Nameserver) -> None:
    server.mode = "lying"
    assert found(ask(server, "10.2.0.192.in-addr.arpa", "PTR")) == ["host.liar.example."]
    assert found(ask(server, "relay.example.org", "A")) == ["192.0.2.10"]


def test_garbage_gets_no_answer(server: Nameserver) -> None:
    assert server.answer(b"\x00\x01garbage", over_udp=True) is None
