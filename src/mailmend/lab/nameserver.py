"""DNS questions over UDP and TCP -> the lab's zones, as a resolver would answer them (RFC 1035, RFC 2308).

Its mode is how the relay's resolver behaves: `ok`, `dead` (no answer at all), `servfail`, `lying` (every
PTR names a host that does not exist). The stand-in receivers look into the zones themselves and see the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from mailmend.lab.zones import Zones, apex

MODES = ("ok", "dead", "servfail", "lying")
LIE = "host.liar.example."
# What a client can take over UDP when it does not say more (RFC 1035 4.2.1).
PLAIN_UDP = 512


class Nameserver:
    def __init__(self, zones: Zones) -> None:
        self.zones = zones
        self.mode = "ok"

    def answer(self, packet: bytes, over_udp: bool) -> bytes | None:
        """The reply to one question, or None where there is none to give."""
        from dnslib import QTYPE, RCODE, RR, DNSError, DNSRecord

        try:
            question = DNSRecord.parse(packet)
        except DNSError:
            return None
        if self.mode == "dead" or question.header.qr or not question.questions:
            return None
        name, kind = str(question.q.qname), QTYPE.get(question.q.qtype)
        reply = question.reply()
        reply.header.ra = 1
        if self.mode == "servfail":
            reply.header.rcode = RCODE.SERVFAIL
            return bytes(reply.pack())
        records, exists = self._records(name, str(kind))
        for record in records:
            reply.add_answer(_as_asked(record, name))
        if not records:
            zone = apex(name)
            reply.add_auth(RR(zone, QTYPE.SOA, ttl=1, rdata=_soa(zone)))
            reply.header.rcode = RCODE.NOERROR if exists else RCODE.NXDOMAIN
        packed = bytes(reply.pack())
        if over_udp and len(packed) > _room(question):
            short = question.reply()
            short.header.ra = short.header.tc = 1
            packed = bytes(short.pack())
        return packed

    def _records(self, name: str, kind: str) -> tuple[list[Any], bool]:
        from dnslib import NS, PTR, QTYPE, RR

        zone = apex(name)
        if self.mode == "lying" and kind == "PTR":
            return [RR(name, QTYPE.PTR, ttl=1, rdata=PTR(LIE))], True
        records, exists = self.zones.lookup(name, kind)
        if not records and zone == name.lower() != ".":
            if kind == "SOA":
                records = [RR(name, QTYPE.SOA, ttl=5, rdata=_soa(zone))]
            elif kind == "NS":
                records = [RR(name, QTYPE.NS, ttl=5, rdata=NS(f"ns.{zone}"))]
        return records, exists

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Answer on bound sockets: UDP, and listening TCP."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            if sock.type == socket.SOCK_DGRAM:
                await loop.create_datagram_endpoint(lambda: _Udp(self), sock=sock)
            else:
                await asyncio.start_server(self._tcp, sock=sock)

    async def _tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                reply = self.answer(await reader.readexactly(size), over_udp=False)
                if reply is None:
                    break
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()
        writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: Nameserver) -> None:
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        reply = self._server.answer(data, over_udp=True)
        if reply is not None:
            self._transport.sendto(reply, addr)


def _soa(zone: str) -> Any:
    from dnslib import SOA

    parent = "" if zone == "." else zone
    return SOA(f"ns.{parent}", f"hostmaster.{parent}", (1, 3600, 600, 86400, 1))


def _as_asked(record: Any, name: str) -> Any:
    """Answers keep the spelling of the question (0x20), as real servers do."""
    from dnslib import RR

    same = str(record.rname).lower() == name.lower()
    return RR(name if same else record.rname, record.rtype, ttl=record.ttl, rdata=record.rdata)


def _room(question: Any) -> int:
    """The UDP size that the client offers by EDNS (RFC 6891), at least 512 octets."""
    from dnslib import QTYPE

    return max([PLAIN_UDP, *(int(r.rclass) for r in question.ar if r.rtype == QTYPE.OPT)])
