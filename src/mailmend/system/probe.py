"""The three probes: one that looks, one that remembers every answer, one that replays a recording."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from mailmend.model import CannotLook, Evidence, Probe, Question
from mailmend.questions import AnyQuestion

A = TypeVar("A")
Looker = Callable[[Any], Any]


def now() -> datetime:
    return datetime.now(UTC).astimezone()


class Live:
    """Looks each time it is asked. *lookers* maps a type of question to the function that answers it.

    A looker that raises CannotLook (or meets an OSError) becomes evidence with an error: a failure to
    look is data. Any other exception is a bug and propagates.
    """

    def __init__(self, lookers: Mapping[type[AnyQuestion], Looker]) -> None:
        self._lookers = lookers

    def ask(self, question: Question[A], /) -> Evidence[A]:
        looker = self._lookers.get(type(question))
        if looker is None:
            return Evidence(question, None, f"{type(question).__name__} cannot be looked up here", now())
        try:
            return Evidence(question, cast(A, looker(question)), None, now())
        except CannotLook as failure:
            return Evidence(question, None, str(failure), now())
        except OSError as failure:
            return Evidence(question, None, f"{failure.filename or question}: {failure.strerror}", now())


class Remembering:
    """Asks the inner probe once per epoch and question, however many threads want the answer."""

    def __init__(self, inner: Probe, epoch: str = "before") -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, AnyQuestion], Future[Evidence[Any]]] = {}
        self.epoch = epoch

    def begin(self, epoch: str) -> None:
        """Start a new epoch: every question is looked at afresh, the old answers stay in the record."""
        with self._lock:
            self.epoch = epoch

    def ask(self, question: Question[A], /) -> Evidence[A]:
        with self._lock:
            key = (self.epoch, question)
            future = self._answers.get(key)
            mine = future is None
            if future is None:
                future = self._answers[key] = Future()
        if mine:
            try:
                future.set_result(self._inner.ask(question))
            except BaseException as bug:
                future.set_exception(bug)
                raise
        return future.result()

    def recording(self) -> dict[tuple[str, AnyQuestion], Evidence[Any]]:
        """All that was asked and answered so far, by epoch."""
        with self._lock:
            return {key: f.result() for key, f in self._answers.items() if f.done() and not f.exception()}


class Recorded:
    """Replays a recording. What was never recorded is unknown, never looked up live."""

    def __init__(
        self, answers: Mapping[tuple[str, AnyQuestion], Evidence[Any]], epoch: str = "before"
    ) -> None:
        self._answers = answers
        self.epoch = epoch

    def begin(self, epoch: str) -> None:
        self.epoch = epoch

    def ask(self, question: Question[A], /) -> Evidence[A]:
        return self._answers.get((self.epoch, question)) or Evidence(question, None, "not recorded", now())
