"""What takes long is done once, beside the pages: how far it is, then its answer, kept for as long as it is good."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mailmend.model import CannotLook, MailmendError, Refused

if TYPE_CHECKING:
    from mailmend.ui.web.endpoint import Asked

Answer = TypeVar("Answer")
Says = Callable[[str], None]

_MOST = 40  # works that are remembered
_WAITING = 6  # that wait for the same turn; one more is refused
_SHARE = (
    20  # so many times as long as it took, an answer is good: looking takes a twentieth of the time at most
)


@dataclass(slots=True, eq=False)
class Work(Generic[Answer]):
    """*says* is how far it is; when *ended* (monotonic seconds) there is an *answer*, or the *failure* to find one.

    *before* is the same work done earlier, where that found an answer and nobody asked for another. *of* is what it is
    an answer of: of anything else it is none.
    """

    turn: str
    at: datetime
    began: float
    says: str = ""
    answer: Answer | None = None
    failure: MailmendError | None = None
    ended: float | None = None
    before: Work[Answer] | None = None
    of: object = None

    @property
    def shown(self) -> Work[Answer]:
        """This work; while it is under way the one before, whose answer is only a little old."""
        before = self.before
        return before if self.ended is None and before is not None else self

    @property
    def result(self) -> Answer:
        """The answer of a work that has ended. Raises what kept it from one."""
        if self.answer is None:
            raise self.failure or CannotLook("it was not looked at")
        return self.answer

    def good(self, lasts: float) -> bool:
        """Whether it is under way, or ended so lately that it need not be done again."""
        if self.ended is None:
            return True
        took = self.ended - self.began
        return time.monotonic() - self.ended <= max(lasts, took * _SHARE)


@dataclass(slots=True)
class Works:
    """Works by their name. Those of one *turn* are done one after the other: a log has one reader at a time."""

    _works: dict[str, Work[Any]] = field(default_factory=dict)
    _turns: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(
        self,
        name: str,
        turn: str,
        job: Callable[[Says], Answer],
        *,
        lasts: float,
        anew: bool = False,
        of: object = None,
    ) -> Work[Answer]:
        """The work *name*: one that is good for *lasts* seconds, else begun now. *anew*: one that ended is not good.

        One *of* anything else is not good, even if it is under way. Refused where too many wait for that turn.
        """
        with self._lock:
            known = self._works.get(name)
            if known is not None and known.of != of:
                known = None
            if known is not None and known.good(lasts) and not (anew and known.ended is not None):
                return known
            waiting = sum(each.ended is None and each.turn == turn for each in self._works.values())
            if waiting >= _WAITING:
                raise Refused("too much is being looked at already", "try it again in a moment")
            work: Work[Answer] = Work(turn, datetime.now().astimezone(), time.monotonic(), of=of)
            if known is not None and known.answer is not None and not anew:
                known.before, work.before = None, known
            self._works[name] = work
            self._forget()
            mine = self._turns.setdefault(turn, threading.Lock())
        threading.Thread(target=_do, args=(work, job, mine), daemon=True, name=f"work {turn}").start()
        return work

    def _forget(self) -> None:
        ended = [name for name, each in self._works.items() if each.ended is not None]
        for name in ended[: max(0, len(self._works) - _MOST)]:
            del self._works[name]


def _do(work: Work[Answer], job: Callable[[Says], Answer], turn: threading.Lock) -> None:
    def says(step: str) -> None:
        work.says = step

    with turn:
        work.began = time.monotonic()
        try:
            work.answer = job(says)
        except MailmendError as failure:
            work.failure = failure
        except BaseException as failure:
            work.failure = CannotLook(f"it could not be looked at: {type(failure).__name__}")
            raise
        finally:
            work.ended, work.before = time.monotonic(), None


def works(asked: Asked[Any]) -> Works:
    """Those of this console."""
    state = asked.request.app.state
    if not hasattr(state, "works"):
        state.works = Works()
    found: Works = state.works
    return found


async def patience(work: Work[Any], seconds: float) -> bool:
    """Whether there is something to show of *work*, waiting for it that long; nothing else waits meanwhile."""
    until = time.monotonic() + seconds
    while work.shown.ended is None and time.monotonic() < until:
        await asyncio.sleep(0.02)
    return work.shown.ended is not None
