"""Blocks of a log, given one after the other -> what a process beside finds in them, and why, in their order.

That process reads, and knows nothing of the store: whoever gave the blocks keeps what comes of them, and where they
end. It ends with whoever started it, by whatever signal.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mailmend import catalogue
from mailmend.parse.logscan import Failed, PassedOn, Rejected, Scanned, Scanner, Senders
from mailmend.road.causes import Causes, Known
from mailmend.system.logfiles import BLOCK

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

STATUSES = {"bounced": "bounced", "deferred": "deferred", "SOFTBOUNCE": "deferred"}
_SLOTS = 16  # blocks under way
_SLOT = 2 * BLOCK + 1  # no block of `identity.Reading` is longer
_Counts = dict[tuple[bytes, ...], int]
_COUNTS = -1  # asked for instead of a block


def whys(causes: Causes, every: list[Failed]) -> list[Known | None]:
    """Why each of *every* failed; None of a probe (sendmail -bv), which is no mail."""
    return [causes.of(failed) if failed.status in STATUSES else None for failed in every]


class Gone(Exception):
    """That process was killed, or could not be started. What it was given and did not answer is to be read again."""


class Beside:
    """A `Scanner` *by* those fields, of every *sampled*-th delivery the delays, that knows *senders* already; and
    the catalogue's answers (`Causes`) on what it finds failed.
    """

    def __init__(self, by: tuple[str, ...], sampled: int, senders: Senders) -> None:
        import multiprocessing

        # Spawned, not forked: the progress line has a thread.
        spawned = multiprocessing.get_context("spawn")
        self._given = 0
        self._waiting: deque[Callable[[Any], None]] = deque()
        self._pipe, theirs = spawned.Pipe()
        try:
            array = spawned.RawArray("c", _SLOTS * _SLOT)
            self._slots = memoryview(array).cast("B")
            self._process = spawned.Process(target=_read, args=(theirs, array, by, sampled), daemon=True)
            self._process.start()
            theirs.close()  # or else its end would not be noticed
            self._pipe.send((senders.recent, senders.older))
        except (OSError, AssertionError) as error:  # a daemon may have no children
            self._pipe.close()
            theirs.close()
            raise Gone(str(error)) from None

    @property
    def waiting(self) -> int:
        """How many were given or asked for that are not answered yet."""
        return len(self._waiting)

    def give(self, block: bytes, told: Callable[[Scanned, list[Known | None]], None]) -> None:
        """*block* (whole lines) is read some time; a later `answer` calls *told*: what it holds, why each failed."""
        while len(self._waiting) >= _SLOTS:
            self.answer()
        slot = self._given % _SLOTS
        self._given += 1
        self._slots[slot * _SLOT : slot * _SLOT + len(block)] = block
        self._ask((slot, len(block)), lambda answer: told(*_scanned(answer)))

    def counts(self, told: Callable[[_Counts], None]) -> None:
        """*told* is called with what was counted in the blocks that were given since this was last asked."""
        while len(self._waiting) >= _SLOTS:
            self.answer()
        self._ask((_COUNTS, 0), told)

    def answer(self, *, wait: bool = True) -> bool:
        """Tell the oldest that waits; False where nothing does, or not to *wait* and there is no answer yet."""
        try:
            if not self._waiting or not (wait or self._pipe.poll()):
                return False
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise Gone("the process that read the log was killed") from None
        self._waiting.popleft()(answer)
        return True

    def close(self) -> None:
        """End it, whatever it does."""
        self._pipe.close()
        self._process.kill()
        self._process.join()
        self._process.close()

    def _ask(self, what: tuple[int, int], told: Callable[[Any], None]) -> None:
        try:
            self._pipe.send(what)
        except OSError:
            raise Gone("the process that read the log was killed") from None
        self._waiting.append(told)


def _read(pipe: Connection, array: Any, by: tuple[str, ...], sampled: int) -> None:
    """The process beside: answers until whoever asks is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the other, and so this
    gc.disable()  # many small objects and no cycles
    causes = Causes(catalogue.load())
    scanner = Scanner(by=by, sampled=sampled, forwarded=True)
    slots = memoryview(array).cast("B")
    try:
        recent, older = pipe.recv()
        scanner.senders.recent.update(recent)
        scanner.senders.older.update(older)
        while True:
            slot, size = pipe.recv()
            if slot == _COUNTS:
                pipe.send(dict(scanner.counts))
                scanner.counts.clear()
            else:
                seen = scanner.scan(bytes(slots[slot * _SLOT : slot * _SLOT + size]))
                pipe.send(_plain(seen, whys(causes, seen.failed)))
    except (EOFError, OSError):
        os._exit(0)


_Plain = tuple[int, int, int, list[Any], list[Any], list[Any], list[Any], dict[Any, int], list[Known | None]]


def _plain(of: Scanned, known: list[Known | None]) -> _Plain:
    """What the store asks for, without names: those cost as much to send as the rest."""
    return (
        of.lines,
        of.unparsed,
        of.messages,
        list(map(tuple, of.failed)),
        list(map(tuple, of.rejected)),
        list(map(tuple, of.passed_on)),
        of.delays,
        of.forwarded,
        known,
    )


def _scanned(answer: _Plain) -> tuple[Scanned, list[Known | None]]:
    lines, unparsed, messages, failed, rejected, passed_on, delays, forwarded, known = answer
    seen = Scanned(
        lines=lines,
        unparsed=unparsed,
        messages=messages,
        failed=list(map(Failed._make, failed)),
        rejected=list(map(Rejected._make, rejected)),
        passed_on=list(map(PassedOn._make, passed_on)),
        delays=delays,
        forwarded=forwarded,
    )
    return seen, known
