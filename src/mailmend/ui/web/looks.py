"""What the pages show of the host: documents, each looked at once for whoever asks meanwhile, and kept a little."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from mailmend.model import CannotLook, MailmendError
from mailmend.ui.show import Shape
from mailmend.ui.web.saved import Stamp

_MOST = 100  # entries of the history that were looked at


@dataclass(frozen=True, slots=True)
class Seen:
    """*document* is None where it could not be looked at; *failure* says why then."""

    document: Shape | None
    at: datetime
    monotonic: float
    failure: MailmendError | None = None

    @property
    def whole(self) -> Shape:
        """The document; raises what kept it from being looked at."""
        if self.document is None:
            raise self.failure or CannotLook("it was not looked at")
        return self.document


@dataclass(slots=True)
class Looks:
    """The last look at each thing, by name. What a change touches is looked at anew after `forget`."""

    _seen: dict[str, Seen] = field(default_factory=dict)
    _forgotten: float = 0.0
    _stamp: Stamp | None = None
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def latest(self, name: str) -> Seen | None:
        """The last look, however old; None where there was none."""
        return self._seen.get(name)

    def within(self, name: str, seconds: float) -> Seen | None:
        """A look not older than *seconds*, and not from before what was done since."""
        seen = self._seen.get(name)
        if seen is None or seen.monotonic < self._forgotten or time.monotonic() - seen.monotonic > seconds:
            return None
        return seen

    def look(self, name: str, job: Callable[[], Shape], seconds: float) -> Seen:
        """A look within *seconds*: *job* makes it, unless another request just has. It blocks."""
        with self._lock:
            turn = self._locks.setdefault(name, threading.Lock())
        with turn:
            if seen := self.within(name, seconds):
                return seen
            began = time.monotonic()
            try:
                seen = Seen(job(), datetime.now().astimezone(), began)
            except MailmendError as failure:
                seen = Seen(None, datetime.now().astimezone(), began, failure)
            with self._lock:
                self._seen[name] = seen
                while len(self._seen) > _MOST:
                    gone = min(self._seen, key=lambda each: self._seen[each].monotonic)
                    del self._seen[gone]
                    self._locks.pop(gone, None)
            return seen

    def begin(self, name: str, job: Callable[[], Shape], seconds: float) -> None:
        """`look`, beside whoever asks; nothing where one is under way."""
        with self._lock:
            turn = self._locks.setdefault(name, threading.Lock())
        if not turn.locked():
            threading.Thread(
                target=self.look, args=(name, job, seconds), daemon=True, name=f"look {name}"
            ).start()

    def forget(self) -> None:
        """What was seen until now is old."""
        self._forgotten = time.monotonic()

    def hear(self, stamp: Stamp) -> None:
        """`forget`, where the files are others than when this was called last."""
        if stamp != self._stamp:
            self._stamp = stamp
            self.forget()
