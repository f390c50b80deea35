"""Servers of other programs that Postfix asks, each the most harmless answer that its protocol has.

    python -m mailmend.lab.standins < servers.json

Run inside the relay: listens everywhere it was told to, then stays behind as a daemon until the lab ends.
Milter protocol as in libmilter/mfdef.h (sendmail), SMTPD_POLICY_README, Dovecot's authentication protocol
1.2, LMTP (RFC 2033).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_MILTER_VERSION = 6
# SMFIP_NOCONNECT ... SMFIP_NODATA: nothing of a message has to be shown; of what comes all the same, all is accepted.
_MILTER_NOTHING = 0x37F
_MILTER_SILENT = b"QADHM"


async def milter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts every message and changes none."""
    while True:
        size = struct.unpack(">I", await reader.readexactly(4))[0]
        packet = await reader.readexactly(size)
        command = packet[:1]
        if command == b"O":
            theirs = struct.unpack(">III", packet[1:13])
            answer = struct.pack(">III", min(theirs[0], _MILTER_VERSION), 0, theirs[2] & _MILTER_NOTHING)
            _tell(writer, b"O" + answer)
        elif command == b"Q":
            return
        elif command == b"E":
            _tell(writer, b"a")
        elif command not in (b"A", b"D", b"K"):
            _tell(writer, b"c")
        await writer.drain()


def _tell(writer: asyncio.StreamWriter, packet: bytes) -> None:
    writer.write(struct.pack(">I", len(packet)) + packet)


async def policy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Has no opinion: DUNNO."""
    while line := await reader.readline():
        if line == b"\n":
            writer.write(b"action=DUNNO\n\n")
            await writer.drain()


async def auth(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Offers PLAIN and LOGIN, and knows nobody."""
    writer.write(
        b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\n"
        b"COOKIE\t00000000000000000000000000000000\nDONE\n"
    )
    while line := await reader.readline():
        words = line.decode("utf-8", "replace").rstrip("\n").split("\t")
        if words[0] == "AUTH":
            writer.write(f"FAIL\t{words[1]}\n".encode())
            await writer.drain()


def lmtp() -> asyncio.Protocol:
    """Takes everything."""
    from aiosmtpd.lmtp import LMTP

    return LMTP(_Takes(), hostname="lmtp.rehearsal")


def taking() -> asyncio.Protocol:
    """A content filter that keeps what it is given."""
    from aiosmtpd.smtp import SMTP

    return SMTP(_Takes(), hostname="filter.rehearsal", enable_SMTPUTF8=True)


class _Takes:
    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802 (aiosmtpd's)
        return "250 2.0.0 OK"


async def onward(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A content filter that hands every byte on to the port where Postfix takes filtered mail."""
    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(1 << 16):
                target.write(data)
                await target.drain()
        target.close()

    await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))


async def _session(serve: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        await serve(reader, writer)
    writer.close()


def bound(server: Mapping[str, Any]) -> list[socket.socket]:
    """The listening sockets of one server; a place that is taken is left to whoever has it."""
    found = []
    for place in server["places"]:
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(str(path))
            path.chmod(0o666)
            found.append(sock)
    if server["host"]:
        with contextlib.suppress(OSError):
            known = socket.getaddrinfo(server["host"], server["port"], type=socket.SOCK_STREAM)
            for family, kind, protocol, _name, address in known:
                sock = socket.socket(family, kind, protocol)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(address)
                found.append(sock)
    for sock in found:
        sock.listen(64)
        sock.setblocking(False)
    return found


async def _serve(servers: list[tuple[Mapping[str, Any], list[socket.socket]]]) -> None:
    loop = asyncio.get_running_loop()
    plain: dict[str, Session] = {"milter": milter, "policy": policy, "auth": auth}
    for server, sockets in servers:
        kind = server["kind"]
        for sock in sockets:
            if kind == "lmtp" or (kind == "filter" and not server["onward"]):
                await loop.create_server(lmtp if kind == "lmtp" else taking, sock=sock)
            else:
                serve = plain.get(kind) or partial(onward, server["onward"])
                await asyncio.start_server(partial(_session, serve), sock=sock)
    await asyncio.Event().wait()


def main() -> None:
    servers = [(server, bound(server)) for server in json.load(sys.stdin)]
    if os.fork():
        os._exit(0)  # they listen: nobody has to wait for more
    os.setsid()
    asyncio.run(_serve(servers))


if __name__ == "__main__":
    main()
