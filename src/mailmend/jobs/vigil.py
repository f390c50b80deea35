"""A hold ends by itself when its time or its volume is over, whoever made it and whatever became of that program."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.jobs.here import Here, here
from mailmend.jobs.hold import Hold, look, off, offered, offers
from mailmend.model import CannotLook, MailmendError
from mailmend.places import STATE
from mailmend.questions import Now

if TYPE_CHECKING:
    from mailmend.system.follow import Mark
    from mailmend.system.vigil import Vigil

LOOK = 5.0  # seconds between two looks at the queue, more where a look takes long
_PART = 20  # of the time may be spent with looking
_RETRY = 60.0


@dataclass(slots=True)
class _Offers:
    """How often refused mail was offered since the hold *of* began: what was logged up to *mark*."""

    of: str = ""
    total: int = 0
    mark: Mark | None = None

    def count(self, host: Here, seen: Hold) -> int | None:
        """None where the log cannot be read. Of a long log only what is new is read again."""
        from mailmend import receivers
        from mailmend.system import follow

        if seen.record is None or seen.bounds is None:
            return None
        try:
            if self.mark is None or self.of != seen.record.id:
                self.of, self.mark = seen.record.id, follow.mark(host.log())
                self.total = offered(host, seen.bounds, receivers.load())
            else:
                lines, self.mark = follow.read(host.log(), self.mark)
                self.total += offers(lines, seen.bounds, receivers.load())
        except CannotLook:
            return None
        return self.total


def tend(state: Path = STATE) -> str | None:
    """For the start of every command of root: a hold whose bounds are reached ends; one that nobody watches is
    watched again. Returns one line for a person where it ended. Nothing where none is kept, or another watches.
    """
    vigil = _vigil(state)
    try:
        if not vigil.kept():
            return None
        with vigil.alone() as alone:
            if not alone:
                return None
            said, left = _step(vigil, _Offers())
        if left is not None:
            vigil.watch()
    except OSError:
        return None
    return said


def watch(state: Path = STATE) -> str | None:
    """Stay until the hold ended, by itself or by anybody. Returns what is said of that; None where another watches."""
    from mailmend.system.announce import announce

    vigil = _vigil(state)
    if not vigil.kept():
        return None
    with vigil.alone() as alone:
        told, offers_seen = None, _Offers()
        while alone:
            began = time.monotonic()
            try:
                said, left = _step(vigil, offers_seen)
            except MailmendError as trouble:
                said, left = f"the hold cannot be ended: {trouble}", _RETRY
            if said and said != told:
                announce(said)
                told = said
            if left is None:
                return said
            took = time.monotonic() - began
            time.sleep(max(0.0, min(left - took, max(LOOK, took * _PART))))
    return None


def _step(vigil: Vigil, offers_seen: _Offers) -> tuple[str | None, float | None]:
    """One look: (what is to be said, seconds until the hold's end; None where there is none any more)."""
    host = here(vigil.instance(), vigil.state)
    now = host.probe.ask(Now()).at
    seen = look(host, queue=False)
    if not seen.in_force or seen.bounds is None:
        if _being_made(host):
            return None, LOOK
        vigil.end()
        return None, None
    until = seen.bounds.until
    if now < until:
        seen = look(host, log=False)
        seen = replace(seen, attempts=offers_seen.count(host, seen))
    why = seen.over(now)
    if why is None:
        return None, (until - now).total_seconds()
    off(host, reason=f"the hold ended by itself: {why}", flush=False)
    return _ended(seen, why), None


def _being_made(host: Here) -> bool:
    from mailmend.system.history import History

    return History(host.state).interrupted() is not None


def _ended(seen: Hold, why: str) -> str:
    waits = f"; {seen.messages} messages wait for their next attempt" if seen.messages else ""
    return f"the hold on refused mail ended by itself: {why}{waits}"


def _vigil(state: Path) -> Vigil:
    from mailmend.system.vigil import Vigil

    return Vigil(state)
