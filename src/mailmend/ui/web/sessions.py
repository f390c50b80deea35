"""Who is logged in to the pages: a cookie -> a session; each is over after 15 minutes without a person."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

IDLE = 15 * 60.0  # seconds
LONGEST = 12 * 3600.0  # seconds
COOKIE = "mailmend"
_MOST = 100


class Authority(Protocol):
    """Who knows which codes are good: the root helper, or (without one) this process itself."""

    def login(self, code: str, source: str) -> str:
        """A grant for *code*, typed at *source*. Refused where it is none, or *source* guessed too often."""

    def require(self, grant: str) -> object:
        """Refused where *grant* is over."""

    def keep(self, grant: str) -> None:
        """A person is there. Refused where *grant* is over."""

    def end(self, grant: str) -> None:
        """Log out."""


@dataclass(slots=True)
class Session:
    """*grant* is what the authority knows it by; *token* goes with every write; *source*: the address it began at."""

    grant: str
    token: str
    source: str
    since: float
    seen: float

    def holds(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())


@dataclass(slots=True)
class Sessions:
    """The open ones, in memory: where the console ends, everybody is logged out."""

    clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    _open: dict[str, Session] = field(default_factory=dict)

    def begin(self, grant: str, source: str) -> tuple[str, Session]:
        """A new cookie, whatever was sent before, and its session."""
        cookie, now = secrets.token_urlsafe(32), self.clock()
        self._open[cookie] = session = Session(grant, secrets.token_urlsafe(32), source, now, now)
        while len(self._open) > _MOST:
            self._open.pop(min(self._open, key=lambda each: self._open[each].seen))
        return cookie, session

    def find(self, cookie: str | None) -> Session | None:
        """Whose *cookie* is, where that is not over."""
        session = self._open.get(cookie or "")
        if session is None:
            return None
        now = self.clock()
        if now - session.seen > IDLE or now - session.since > LONGEST:
            self._open.pop(cookie or "", None)
            return None
        return session

    def keep(self, session: Session) -> None:
        """A person is there."""
        session.seen = self.clock()

    def end(self, cookie: str | None) -> None:
        self._open.pop(cookie or "", None)
