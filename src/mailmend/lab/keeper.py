"""The first process of the lab: one network, its name server and its mail servers. Run by the driver.

    unshare --mount --pid ... python -m mailmend.lab.keeper WORLD-FD RELAY-FD UNPACKED MOUNT-POINT

It ends when the driver's end of the base socket closes, and everything in the lab ends with it, because it
is the first process of the PID namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mailmend.lab import certificates, control, kernel, network, relay, root, senders, sending
from mailmend.lab.mailboxes import Google, Mailbox, Submission, as_told
from mailmend.lab.nameserver import Nameserver
from mailmend.lab.zones import Zones


class World:
    """Everything but the relay; its public methods are what the driver may call."""

    def __init__(
        self, unpacked: Path, spaces: dict[str, int], ip: list[str], environment: dict[str, str]
    ) -> None:
        secrets = unpacked / "etc/ssl"
        pair = (secrets / "certs/ssl-cert-snakeoil.pem", secrets / "private/ssl-cert-snakeoil.key")
        self._unpacked, self._ip, self._environment = unpacked, ip, environment
        self._key = sending.private_key(unpacked)
        public = sending.public_key(unpacked)
        self._zones = Zones(public, senders.records(public))
        self._resolver = Nameserver(self._zones)
        self._servers: dict[str, Mailbox] = {
            "receiver": Google("mx.google.com", self._zones, pair),
            "sender": Mailbox("mail.sender.example"),
            "elsewhere": Mailbox("mx.elsewhere.example"),
        }
        self._spaces = spaces
        # A thread that entered a network stays there: the sender's sessions are opened by this one.
        enter = functools.partial(kernel.enter, spaces["sender"])
        self._sender = ThreadPoolExecutor(1, initializer=enter)

    async def open(self) -> None:
        await self._resolver.serve(network.listening(self._spaces["net"], 53, udp=True))
        for name, server in self._servers.items():
            await server.serve(network.listening(self._spaces[name], 25))

    def hello(self) -> None:
        """Answered once everything listens."""

    def publish(self, records: list[str]) -> None:
        self._zones.publish(records)

    def withdraw(self, name: str, kind: str | None) -> None:
        self._zones.withdraw(name, kind)

    def pristine(self) -> None:
        """The zones, the modes and the empty mailboxes of the beginning."""
        self._zones.reset()
        self._resolver.mode = "ok"
        for server in self._servers.values():
            server.received.clear()
            server.tls = False
        google = self._servers["receiver"]
        assert isinstance(google, Google)  # noqa: S101 (for the type checker)
        google.world, google.mode, google.says = "lenient", "ok", ""
        google.allow(None)

    def reset_zones(self) -> None:
        self._zones.reset()

    def resolver(self, mode: str) -> None:
        self._resolver.mode = mode

    def receiver(self, attribute: str, value: Any) -> None:
        """Set `world`, `mode`, `says` or `tls` of the stand-in."""
        setattr(self._servers["receiver"], attribute, value)

    def allowed(self, count: int | None, seconds: float) -> None:
        """How many messages the stand-in takes at once (mailboxes.Google.allow)."""
        google = self._servers["receiver"]
        assert isinstance(google, Google)  # noqa: S101 (for the type checker)
        google.allow(count, seconds)

    def lease(self, host: str, addresses: list[str]) -> None:
        """Further addresses for `relay` or `elsewhere`."""
        network.lease(self._spaces, host, addresses, self._ip, self._environment)

    def certify(self, names: list[str]) -> str:
        """Every receiver offers STARTTLS with a new certificate for *names*; returns its text (PEM)."""
        certificate, key = certificates.throw_away(names, self._unpacked)
        self._context = certificates.context(certificate, key)
        for server in self._servers.values():
            server.certify(self._context)
        return certificate

    async def relayhost(self, name: str, port: int) -> None:
        """`elsewhere` takes mail for everybody at *port* too, after a login or without one; certify() first."""
        if port == 25 or name in self._servers:
            return
        server = Submission(name, wrapped=port == 465)
        server.certify(self._context)
        await server.serve(network.listening(self._spaces["elsewhere"], port))
        self._servers[name] = server

    def received(self, server: str) -> list[dict[str, Any]]:
        return [as_told(message) for message in self._servers[server].received]

    async def send(self, **arguments: Any) -> list[str]:
        """Replies of the relay to a batch (sending.send)."""
        task = functools.partial(sending.send, key=self._key, **arguments)
        return await asyncio.get_running_loop().run_in_executor(self._sender, task)


async def serve(base: socket.socket, world: World) -> None:
    """Answer requests until the driver has gone."""
    await world.open()
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    tasks = set()

    def arrived() -> None:
        request = control.next_request(base)
        if request is None:
            loop.remove_reader(base)
            if not ended.done():
                ended.set_result(None)
            return
        task = loop.create_task(_answer(request[0], world))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_reader(base, arrived)
    await ended


async def _answer(stream: socket.socket, world: World) -> None:
    reader, writer = await asyncio.open_connection(sock=stream, limit=1 << 26)
    operation, arguments = json.loads(await reader.readline())
    method: Callable[..., Any] = getattr(world, operation)
    try:
        value = method(**arguments)
        reply = control.result(await value if asyncio.iscoroutine(value) else value)
    except (ValueError, OSError) as failure:
        reply = control.error(f"{operation}: {failure}")
    with contextlib.suppress(ConnectionError):
        writer.write(reply)
        await writer.drain()
    writer.close()


def main() -> None:
    world_fd, relay_fd, unpacked, mount_point = (
        int(sys.argv[1]),
        int(sys.argv[2]),
        Path(sys.argv[3]),
        Path(sys.argv[4]),
    )
    base, relay_base = (socket.socket(fileno=fd) for fd in (world_fd, relay_fd))
    for sock in (base, relay_base):
        sock.set_inheritable(False)
    try:
        kernel.seclude()
        spaces = network.create()
        relay.begin(relay_base, spaces["relay"], unpacked, mount_point)
        relay_base.close()
        ip, environment = root.command("ip", unpacked)
        network.wire(spaces, [ip], environment)
        # Meanwhile the relay builds its machine; later these would delay the first message.
        for name in ("aiosmtpd.smtp", "dnslib", "spf", "dkim"):
            importlib.import_module(name)
        world = World(unpacked, spaces, [ip], environment)
    except OSError as failure:
        sys.exit(f"{failure.filename or 'network'}: {failure.strerror}")
    # Orphans of the relay's beginning come to this process; nobody waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asyncio.run(serve(base, world))
    os._exit(0)


if __name__ == "__main__":
    main()
