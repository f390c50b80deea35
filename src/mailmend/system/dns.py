"""A record's question -> what the host's resolver says (RFC 1035, RFC 8020), in bounded time and size.

Dozens of questions are asked at once from threads. One question may take about five seconds; a resolver that
has answered nobody in that time is taken for dead, and what is asked of it then fails at once.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import CannotLook
from mailmend.questions import DnsAnswer, Records

if TYPE_CHECKING:
    from collections.abc import Callable

    from dns.message import Message, QueryMessage
    from dns.name import Name
    from dns.rdata import Rdata
    from dns.rdatatype import RdataType

RESOLV_CONF = Path("/etc/resolv.conf")
TRIES = (1.5, 3.0)  # seconds, all servers in each round
BUDGET = 5.0  # seconds for one question, whatever the number of servers
RECHECK = 1.0  # seconds in which a resolver must answer for the root before it is taken for dead
DEAD_FOR = 30.0  # seconds after which a dead resolver is tried again
SILENT_NAMES = 3  # so many names in a row without an answer: dead, even if the root is answered
RECORD_CAP = 256
SIZE_CAP = 64 * 1024
CNAME_CAP = 8
PAYLOAD = 1232  # octets (DNS flag day 2020)


@dataclass(frozen=True, slots=True)
class Server:
    ip: str
    port: int = 53

    @property
    def loopback(self) -> bool:
        return ip_address(self.ip.partition("%")[0]).is_loopback


def servers(path: Path = RESOLV_CONF) -> tuple[Server, ...]:
    """The first three name servers of resolv.conf(5); the local one where none is named."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    named = [line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1]
    found = []
    for ip in named:
        try:
            found.append(Server(ip)) if ip_address(ip.partition("%")[0]) else None
        except ValueError:
            continue
    return tuple(found[:3]) or (Server("127.0.0.1"),)


@dataclass(slots=True)
class _Health:
    """What this process knows of the resolver; guarded by *lock*. Times are of the monotonic clock."""

    heard: float = 0.0
    silent: int = 0
    dead_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def resolver(find: Callable[[], tuple[Server, ...]] = servers) -> Callable[[Records], DnsAnswer]:
    """A looker for Records. *find* names the servers anew for each question.

    CannotLook: a malformed name, no answer, SERVFAIL or REFUSED, more than the caps allow.
    """
    health = _Health()

    def look(question: Records) -> DnsAnswer:
        asked = _query(question)
        where = find()
        response, server = _exchange(asked, where, health)
        return _answer(question, response, server)

    return look


def _query(question: Records) -> QueryMessage:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.rdatatype
    import dns.reversename

    try:
        if question.type == "PTR":
            name: Name = dns.reversename.from_address(question.name)
        else:
            name = dns.name.from_text(question.name.rstrip(".") + ".")
        query = dns.message.make_query(
            name, dns.rdatatype.from_text(question.type), use_edns=0, payload=PAYLOAD
        )
    except (dns.exception.DNSException, ValueError) as bad:  # UnicodeError among the latter
        what = "an IP address" if question.type == "PTR" else "a domain name"
        raise CannotLook(f"{question.name!r} is not {what}: {bad}") from None
    query.flags |= dns.flags.AD  # asks whether the answer was validated (RFC 6840 5.7)
    return query


def _exchange(query: QueryMessage, where: tuple[Server, ...], health: _Health) -> tuple[Message, Server]:
    import dns.rcode

    begun = time.monotonic()
    refusal: tuple[Message, Server] | None = None
    for seconds in TRIES:
        for server in where:
            left = begun + BUDGET - time.monotonic()
            with health.lock:
                if time.monotonic() < health.dead_until:
                    raise _silence(where)
            if left <= 0:
                break
            response = _ask(query, server, min(seconds, left))
            if response is None:
                continue
            with health.lock:
                health.heard, health.silent, health.dead_until = time.monotonic(), 0, 0.0
            if response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return response, server
            refusal = response, server
        if refusal:  # a server that answers "I cannot" says so again when asked again
            break
    if refusal:
        raise _refused(query, *refusal)
    if _dead(where, health, begun):
        raise _silence(where)
    raise CannotLook(f"{_names(where)} did not answer for {_asked(query)} within {BUDGET:g} s")


def _ask(query: QueryMessage, server: Server, seconds: float) -> Message | None:
    """One exchange, over TCP where the answer is too long for UDP; None where nothing usable came back."""
    import dns.exception
    import dns.query
    import dns.rcode

    family = socket.AF_INET6 if ":" in server.ip else socket.AF_INET
    end = time.monotonic() + seconds
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            # Connected, so that a closed port is told at once instead of waited for.
            sock.connect(socket.getaddrinfo(server.ip, server.port, family, socket.SOCK_DGRAM)[0][4])
            response: Message = dns.query.udp(
                query, server.ip, seconds, server.port, sock=sock, ignore_unexpected=True, ignore_errors=True
            )
        if response.flags & 0x0200:  # TC
            response = dns.query.tcp(query, server.ip, max(0.1, end - time.monotonic()), server.port)
        if response.rcode() == dns.rcode.FORMERR and query.edns >= 0:
            # A server from before EDNS (RFC 6891 7).
            plain = type(query)(id=query.id)
            plain.flags, plain.question = query.flags, query.question
            return _ask(plain, server, max(0.1, end - time.monotonic()))
    except (dns.exception.DNSException, OSError, EOFError, ValueError):
        return None
    return response


def _dead(where: tuple[Server, ...], health: _Health, begun: float) -> bool:
    """Nobody answered one question: is it the name (False), or is it the resolver?"""
    import dns.message

    with health.lock:
        if health.heard >= begun:
            return False
        health.silent += 1
        hopeless = health.silent >= SILENT_NAMES
    root = dns.message.make_query(".", "NS", use_edns=0, payload=PAYLOAD)
    if not hopeless and any(_ask(root, server, RECHECK / len(where)) for server in where):
        return False
    with health.lock:
        if health.heard >= begun:
            return False
        health.dead_until = time.monotonic() + DEAD_FOR
        return True


def _names(where: tuple[Server, ...]) -> str:
    return ("resolver " if len(where) == 1 else "resolvers ") + ", ".join(server.ip for server in where)


def _silence(where: tuple[Server, ...]) -> CannotLook:
    says = "does not answer" if len(where) == 1 else "do not answer"
    return CannotLook(f"{_names(where)} {says}", "see nameserver in /etc/resolv.conf")


def _asked(query: Message) -> str:
    import dns.rdatatype

    entry = query.question[0]
    return f"{entry.name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(entry.rdtype)}"


def _refused(query: QueryMessage, response: Message, server: Server) -> CannotLook:
    import dns.rcode

    return CannotLook(
        f"resolver {server.ip} answers {dns.rcode.to_text(response.rcode())} for {_asked(query)}"
    )


def _answer(question: Records, response: Message, server: Server) -> DnsAnswer:
    import dns.flags
    import dns.rcode
    import dns.rdatatype

    wanted = response.question[0]
    name, kind = wanted.name, wanted.rdtype
    found = _records(response, name, kind)
    for _ in range(CNAME_CAP):
        alias = _records(response, name, dns.rdatatype.CNAME)
        if found or not alias or kind == dns.rdatatype.CNAME:
            break
        name = alias[0].target  # type: ignore[attr-defined]
        found = _records(response, name, kind)
    else:
        if not found:
            raise CannotLook(f"{question.name} {question.type}: a chain of more than {CNAME_CAP} CNAMEs")
    if len(found) > RECORD_CAP:
        raise CannotLook(f"{question.name} {question.type}: more than {RECORD_CAP} records")
    texts = tuple(_text(record) for record in found)
    if sum(map(len, texts)) > SIZE_CAP:
        raise CannotLook(f"{question.name} {question.type}: records of more than {SIZE_CAP // 1024} KB")
    return DnsAnswer(
        records=texts,
        exists=response.rcode() != dns.rcode.NXDOMAIN,
        # Nobody between us and a resolver on this host could have set the flag.
        authenticated=server.loopback and bool(response.flags & dns.flags.AD),
    )


def _records(response: Message, name: Name, kind: RdataType) -> list[Rdata]:
    import dns.rdataclass

    return [
        record
        for rrset in response.answer
        if rrset.name == name and rrset.rdtype == kind and rrset.rdclass == dns.rdataclass.IN
        for record in rrset
    ]


def _text(record: Rdata) -> str:
    """Presentation form; names in lower case, the strings of a TXT joined (RFC 7208 3.3)."""
    import dns.rdatatype

    if record.rdtype == dns.rdatatype.TXT:
        return b"".join(record.strings).decode("ascii", "surrogateescape")  # type: ignore[attr-defined]
    return record.to_text().lower()
