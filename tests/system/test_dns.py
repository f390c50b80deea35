"""Asking a resolver that is well, one that is ill, one that is dead, and one that means harm: real servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from dnslib import CNAME, QTYPE, RCODE, RR, TXT
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from mailmend.model import CannotLook
from mailmend.questions import DnsAnswer, Records
from mailmend.system import dns

ZONE = """
example.org. 60 IN MX 5 MX.Example.org.
example.org. 60 IN MX 10 mx2.example.org.
example.org. 60 IN TXT "v=spf1 ip4:192.0.2.0/24 " "-all"
mx.example.org. 60 IN A 192.0.2.25
mx.example.org. 60 IN AAAA 2001:db8::25
www.example.org. 60 IN CNAME mx.example.org.
25.2.0.192.in-addr.arpa. 60 IN PTR MX.example.org.
5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR mx.example.org.
"""


class Zone(BaseResolver):
    """Answers from ZONE; some names make it misbehave."""

    def __init__(self) -> None:
        self.records = RR.fromZone(ZONE)
        self.asked: list[str] = []

    def resolve(self, request: Any, _handler: Any) -> Any:
        name, kind = str(request.q.qname).lower(), QTYPE[request.q.qtype]
        self.asked.append(f"{name} {kind}")
        reply = request.reply()
        reply.header.ad = 1
        if name.startswith("servfail"):
            reply.header.rcode = RCODE.SERVFAIL
        elif name.startswith("silent"):
            time.sleep(1.5)
        elif name.startswith("loop"):
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(name)))
        elif name.startswith("chain"):
            for n in range(20):
                reply.add_answer(
                    RR(f"chain{n or ''}.example.org", QTYPE.CNAME, rdata=CNAME(f"chain{n + 1}.example.org"))
                )
        elif name.startswith("long"):
            for n in range(40):
                reply.add_answer(RR(name, QTYPE.TXT, rdata=TXT(f"{n} " + "x" * 150)))
        elif name.startswith("flood"):
            for n in range(400):
                reply.add_answer(RR(name, QTYPE.TXT, rdata=TXT(f"{n}")))
        elif name.startswith("bytes"):
            reply.add_answer(RR(name, QTYPE.TXT, rdata=TXT([b"v=spf1 \xff"])))
        elif name == ".":
            reply.add_answer(RR(".", QTYPE.TXT, rdata=TXT("root")))
        else:
            self._from_zone(name, kind, reply)
        return reply

    def _from_zone(self, name: str, kind: str, reply: Any) -> None:
        mine = [r for r in self.records if str(r.rname).lower() == name]
        if not mine:
            reply.header.rcode = RCODE.NXDOMAIN
        for record in mine:
            if QTYPE[record.rtype] in (kind, "CNAME"):
                reply.add_answer(record)
            if QTYPE[record.rtype] == "CNAME" and kind != "CNAME":
                self._from_zone(str(record.rdata).lower(), kind, reply)


@pytest.fixture(scope="module")
def zone() -> Iterator[tuple[Zone, dns.Server]]:
    resolver, quiet = Zone(), DNSLogger("-request,-reply,-truncated,-error,-recv,-send,-data")
    udp = DNSServer(resolver, address="127.0.0.1", port=0, logger=quiet)
    port = udp.server.server_address[1]
    tcp = DNSServer(resolver, address="127.0.0.1", port=port, tcp=True, logger=quiet)
    udp.start_thread()
    tcp.start_thread()
    yield resolver, dns.Server("127.0.0.1", port)
    for server in (udp, tcp):
        server.stop()
        server.server.server_close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patience, a tenth as long: for what is not about time."""
    monkeypatch.setattr(dns, "TRIES", (0.15, 0.3))
    monkeypatch.setattr(dns, "BUDGET", 0.5)
    monkeypatch.setattr(dns, "RECHECK", 0.3)


@pytest.fixture
def nobody() -> Iterator[dns.Server]:
    """A server that takes every question and answers none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield dns.Server("127.0.0.1", sock.getsockname()[1])


def ask(server: dns.Server, name: str, kind: Any) -> DnsAnswer:
    return dns.resolver(lambda: (server,))(Records(name, kind))


# ---- what is no answer --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        pytest.param("a..example.org", "A", "is not a domain name", id="empty-label"),
        pytest.param("x" * 64 + ".example.org", "A", "is not a domain name", id="long-label"),
        pytest.param("x." * 200, "A", "is not a domain name", id="long-name"),
        pytest.param("\udc80.example.org", "A", "is not a domain name", id="undecodable"),
        pytest.param("mx.example.org", "PTR", "is not an IP address", id="name-for-address"),
        pytest.param("192.0.2.999", "PTR", "is not an IP address", id="no-such-address"),
        pytest.param(
            "servfail.example.org", "MX", "answers SERVFAIL for servfail.example.org MX", id="servfail"
        ),
        pytest.param("loop.example.org", "A", "CNAMEs", id="cname-loop"),
        pytest.param("chain.example.org", "A", "CNAMEs", id="cname-chain"),
        pytest.param("flood.example.org", "TXT", "more than 256 records", id="flood"),
    ],
)
def test_no_answer_is_an_error_that_says_why(
    zone: tuple[Zone, dns.Server], name: str, kind: Any, says: str
) -> None:
    with pytest.raises(CannotLook, match=says):
        ask(zone[1], name, kind)


# ---- what is an answer ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "records"),
    [
        pytest.param(
            "example.org", "MX", ("5 mx.example.org.", "10 mx2.example.org."), id="mx-in-lower-case"
        ),
        pytest.param("example.org", "TXT", ("v=spf1 ip4:192.0.2.0/24 -all",), id="txt-strings-joined"),
        pytest.param("mx.example.org", "AAAA", ("2001:db8::25",), id="aaaa"),
        pytest.param("www.example.org", "A", ("192.0.2.25",), id="through-a-cname"),
        pytest.param("www.example.org", "CNAME", ("mx.example.org.",), id="the-cname-itself"),
        pytest.param("192.0.2.25", "PTR", ("mx.example.org.",), id="ptr-by-address"),
        pytest.param("2001:db8:0:0::25", "PTR", ("mx.example.org.",), id="ptr-by-ipv6-address"),
        pytest.param("mx.example.org", "MX", (), id="no-such-type"),
        pytest.param("bytes.example.org", "TXT", ("v=spf1 \udcff",), id="bytes-that-are-no-text"),
    ],
)
def test_records_in_presentation_form(
    zone: tuple[Zone, dns.Server], name: str, kind: Any, records: tuple[str, ...]
) -> None:
    answer = ask(zone[1], name, kind)
    assert (answer.records, answer.exists) == (records, True)


def test_a_name_that_is_not_there_is_an_answer(zone: tuple[Zone, dns.Server]) -> None:
    assert ask(zone[1], "nobody.example.org", "A") == DnsAnswer((), False, True)


def test_a_long_answer_comes_over_tcp(zone: tuple[Zone, dns.Server]) -> None:
    assert len(ask(zone[1], "long.example.org", "TXT").records) == 40


def test_the_search_list_is_never_used(zone: tuple[Zone, dns.Server]) -> None:
    zone[0].asked.clear()
    ask(zone[1], "mx", "A")
    assert zone[0].asked == ["mx. A"]


def test_authentication_counts_only_from_this_host() -> None:
    assert dns.Server("127.0.0.53").loopback and dns.Server("::1").loopback
    assert not dns.Server("192.0.2.53").loopback and not dns.Server("fe80::1%eth0").loopback


# ---- resolvers that do not answer ---------------------------------------------------------------


def test_a_closed_port_is_told_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        server = dns.Server("127.0.0.1", sock.getsockname()[1])
    begun = time.monotonic()
    with pytest.raises(CannotLook, match=r"resolver 127\.0\.0\.1 does not answer"):
        ask(server, "example.org", "MX")
    assert time.monotonic() - begun < 1


def test_forty_questions_to_a_dead_resolver_end_within_ten_seconds(nobody: dns.Server) -> None:
    look = dns.resolver(lambda: (nobody,))

    def thread(number: int) -> list[str]:
        errors = []
        for question in range(5):  # each asked after the one before it, as a check does
            with pytest.raises(CannotLook) as failure:
                look(Records(f"n{number}-{question}.example.org", "A"))
            errors.append(failure.value.reason)
        return errors

    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        errors = [error for found in pool.map(thread, range(8)) for error in found]
    assert time.monotonic() - begun < 10  # the product's promise for a whole check
    assert len(errors) == 40
    assert errors.count("resolver 127.0.0.1 does not answer") >= 32


@pytest.mark.usefixtures("hasty")
def test_one_name_without_an_answer_does_not_condemn_the_resolver(zone: tuple[Zone, dns.Server]) -> None:
    look = dns.resolver(lambda: (zone[1],))
    with pytest.raises(CannotLook, match=r"did not answer for silent\.example\.org A"):
        look(Records("silent.example.org", "A"))
    assert look(Records("mx.example.org", "A")).records == ("192.0.2.25",)


@pytest.mark.usefixtures("hasty")
def test_the_second_server_is_asked_when_the_first_is_silent(
    zone: tuple[Zone, dns.Server], nobody: dns.Server
) -> None:
    answer = dns.resolver(lambda: (nobody, zone[1]))(Records("mx.example.org", "A"))
    assert answer.records == ("192.0.2.25",)


@pytest.mark.usefixtures("hasty")
def test_an_answer_to_another_question_is_not_taken() -> None:
    """A liar that answers each question with a made-up one: it is as if nobody had answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        server = dns.Server("127.0.0.1", sock.getsockname()[1])

        def lie() -> None:
            while True:
                try:
                    packet, peer = sock.recvfrom(4096)
                except OSError:
                    return
                if not packet:
                    return
                forged = packet[:2] + b"\x81\x80" + packet[4:12] + b"\x04evil\x07example\x00" + packet[-4:]
                sock.sendto(forged, peer)

        thread = threading.Thread(target=lie, daemon=True)
        thread.start()
        with pytest.raises(CannotLook, match=r"(does|did) not answer"):
            ask(server, "example.org", "A")
        sock.sendto(b"", sock.getsockname())
        thread.join(2)


# ---- resolv.conf(5) ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ips"),
    [
        pytest.param("", ["127.0.0.1"], id="none-named"),
        pytest.param("search example.org\n# nameserver 192.0.2.9\n", ["127.0.0.1"], id="only-comments"),
        pytest.param(
            "nameserver\nnameserver nonsense\nnameserver 192.0.2.53\n", ["192.0.2.53"], id="nonsense"
        ),
        pytest.param(
            "".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 6)),
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
            id="more-than-three",
        ),
        pytest.param("nameserver fe80::1%eth0\n", ["fe80::1%eth0"], id="with-a-zone"),
    ],
)
def test_the_servers_of_resolv_conf(tmp_path: Path, text: str, ips: list[str]) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text)
    assert [server.ip for server in dns.servers(path)] == ips
    assert [server.ip for server in dns.servers(tmp_path / "nowhere")] == ["127.0.0.1"]
