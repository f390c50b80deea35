"""Requests of the driver, outside, to the servers of the lab, inside, over Unix sockets (unix(7)).

Every server has one base socket, a sequenced packet pair whose other end the driver holds; its end of file is
the driver's end, however it came. A request is one packet that carries a fresh stream socket, and descriptors
that the request is about. On that stream go one line of JSON with the request and one line with the reply,
so requests run side by side, and a closed stream means that nobody waits any more.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from typing import Any

from mailmend.model import CannotLook

MOST_FDS = 8


def pair() -> tuple[socket.socket, socket.socket]:
    """A base socket: the driver's end and the server's."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@dataclass(frozen=True, slots=True)
class Line:
    """The driver's end."""

    base: socket.socket
    name: str

    def call(
        self, operation: str, *, fds: tuple[int, ...] = (), timeout: float = 60, **arguments: Any
    ) -> Any:
        """Ask and wait; TimeoutError after *timeout* seconds, CannotLook for what the server says went wrong."""
        result, received = self.exchange(operation, fds, timeout, arguments)
        for fd in received:
            os.close(fd)
        return result

    def exchange(
        self, operation: str, fds: tuple[int, ...], timeout: float, arguments: dict[str, Any]
    ) -> tuple[Any, list[int]]:
        """Like call; also returns the descriptors that came with the reply."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                try:
                    socket.send_fds(self.base, [b"?"], [theirs.fileno(), *fds])
                except OSError as failure:
                    raise CannotLook(f"the lab's {self.name} is gone") from failure
            ours.settimeout(timeout)
            try:
                ours.sendall(json.dumps([operation, arguments]).encode() + b"\n")
                text, received = _read_line(ours)
            except ConnectionError:
                text, received = b"", []
        if not text:
            raise CannotLook(f"the lab's {self.name} ended while it worked on: {operation}")
        reply = json.loads(text)
        if "error" in reply:
            raise CannotLook(reply["error"])
        return reply["result"], received


def next_request(base: socket.socket) -> tuple[socket.socket, list[int]] | None:
    """The server's end: the stream of the next request and its descriptors; None when the driver has gone."""
    packet, fds, _flags, _address = socket.recv_fds(base, 16, MOST_FDS)
    if not packet or not fds:
        return None
    return socket.socket(fileno=fds[0]), fds[1:]


def read_request(stream: socket.socket) -> tuple[str, dict[str, Any]] | None:
    """None where the driver ended before it had asked."""
    text, _fds = _read_line(stream)
    return tuple(json.loads(text)) if text else None


def result(value: Any) -> bytes:
    return json.dumps({"result": value}).encode() + b"\n"


def error(reason: str) -> bytes:
    return json.dumps({"error": reason}).encode() + b"\n"


def _read_line(stream: socket.socket) -> tuple[bytes, list[int]]:
    text, received = b"", []
    while not text.endswith(b"\n"):
        part, fds, _flags, _address = socket.recv_fds(stream, 1 << 16, MOST_FDS)
        received += fds
        if not part:
            return b"", received
        text += part
    return text, received
