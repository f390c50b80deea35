"""Who may ask: codes that root is shown, the sessions that they begin, and the patience with those who guess.

All of it is in memory: where the helper ends, everybody is logged out.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from mailmend.model import Refused

IDLE = 15 * 60.0  # seconds without a sign of a person
LONGEST = 12 * 3600.0  # seconds that a session lasts at most, however busy
CODE_LASTS = 10 * 60.0  # seconds
_CODES, _SESSIONS, _SOURCES = 20, 100, 1000
# Crockford's base 32: without I, L, O and U, and these are read as what they look like. 12 of them: 60 bits.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_FREE = 5  # wrong codes of one source before it has to wait
_MOST = 60.0  # seconds to wait
_Guesser = tuple[str, str]  # what for, and who


@dataclass(slots=True)
class _Session:
    since: float
    seen: float


@dataclass(slots=True)
class Sessions:
    """*clock* is seconds that never go back and go on while the host sleeps (CLOCK_BOOTTIME)."""

    clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    _codes: OrderedDict[bytes, float] = field(default_factory=OrderedDict)
    _open: OrderedDict[bytes, _Session] = field(default_factory=OrderedDict)
    _wrong: OrderedDict[_Guesser, tuple[int, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_code(self) -> str:
        """A code for one use, within `CODE_LASTS`: three groups of four."""
        letters = "".join(secrets.choice(_LETTERS) for _ in range(12))
        with self._lock:
            self._codes[_kept(letters)] = self.clock() + CODE_LASTS
            _shorten(self._codes, _CODES)
        return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"

    def login(self, code: str, source: str) -> str:
        """A new session's grant for *code*. Refused where it is none, or *source* has guessed too often."""
        with self._lock:
            self._use(code, ("login", source))
            grant = secrets.token_urlsafe(32)
            now = self.clock()
            self._open[_kept(grant)] = _Session(now, now)
            _shorten(self._open, _SESSIONS)
        return grant

    def step_up(self, code: str | None, grant: str) -> None:
        """Refused where *code* is not a fresh one, or is None."""
        if code is None:
            raise Refused("this asks for a fresh code", "mailmend web --code shows one to root")
        with self._lock:
            self._use(code, ("step up", grant))

    def require(self, grant: str) -> None:
        """Refused where *grant* is no session, or one that is over."""
        with self._lock:
            session, now = self._open.get(_kept(grant)), self.clock()
            if session is not None and now - session.seen <= IDLE and now - session.since <= LONGEST:
                return
            self._open.pop(_kept(grant), None)
        raise Refused("the session is over", "log in again: mailmend web --code shows a code to root")

    def keep(self, grant: str) -> None:
        """A person is there. Refused as `require`."""
        self.require(grant)
        with self._lock:
            if session := self._open.get(_kept(grant)):
                session.seen = self.clock()

    def end(self, grant: str) -> None:
        with self._lock:
            self._open.pop(_kept(grant), None)

    def _use(self, code: str, source: _Guesser) -> None:
        now = self.clock()
        count, until = self._wrong.get(source, (0, 0.0))
        # Only who guesses waits: nobody can lock another one out.
        if now < until:
            raise Refused(f"too many wrong codes; wait {until - now:.0f} seconds", "")
        lasts = self._codes.pop(_kept(code.upper().translate(_READ_AS)), None)
        if lasts is not None and now <= lasts:
            self._wrong.pop(source, None)
            return
        count += 1
        wait = 0.0 if count < _FREE else min(_MOST, 2.0 ** min(count - _FREE, 10))
        self._wrong[source] = (count, now + wait)
        self._wrong.move_to_end(source)
        _shorten(self._wrong, _SOURCES)
        raise Refused("that code is not one that is waited for", "mailmend web --code shows one to root")


def _kept(secret: str) -> bytes:
    """What is kept of a secret: what is found by its hash tells nothing by the time that the search took."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _shorten(table: OrderedDict[_Guesser, tuple[int, float]] | OrderedDict[bytes, float] | OrderedDict[bytes, _Session],
             most: int) -> None:  # fmt: skip
    while len(table) > most:
        table.popitem(last=False)
