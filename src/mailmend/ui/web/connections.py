"""Whoever holds connections open without asking makes room for who asks (the attack is known as slowloris).

A request has to have arrived whole within some seconds of its connection's beginning or of the answer before it, and
where there are many connections, the one that has waited longest without a whole request is closed for the next one.
By source there is no bound: behind `ssh -L` or a proxy, everybody comes from the same address.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 20.0  # seconds for a request to arrive whole: a bounce of 2 MB over a slow line
MOST = 150  # connections; uvicorn's own bound (limit_concurrency) answers 503 to everybody, and lies above


class Connection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, to whoever does not only hold the line."""

    _waits_since = 0.0  # the event loop's clock
    _ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        others = [each for each in self.connections if isinstance(each, Connection) and each is not self]
        waiting = [each for each in others if each.is_waiting()]
        if len(others) >= MOST and waiting:
            min(waiting, key=lambda each: each._waits_since).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ends:
            self._ends.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def is_waiting(self) -> bool:
        """Whether no whole request is here that has yet to be answered."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and not self.transport.is_closing()

    def _wait(self) -> None:
        if self._ends:
            self._ends.cancel()
        self._waits_since = self.loop.time()
        self._ends = self.loop.call_later(PATIENCE, self._give_up)

    def _give_up(self) -> None:
        if self.is_waiting():
            self.transport.abort()
