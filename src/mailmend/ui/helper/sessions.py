"""Who may ask, and for what: codes that root is shown, the sessions they begin, the one change that each approves.

A code is for a login, or for one digest in one session; never for both. All of it is in memory: where the helper ends,
everybody is logged out, and nothing is approved.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from mailmend.model import Refused
from mailmend.ui.helper.allowed import FROM_A_PAGE
from mailmend.ui.helper.patience import Patience
from mailmend.ui.helper.verbs import AnyProposal

IDLE = 15 * 60.0  # seconds without a sign of a person
LONGEST = 12 * 3600.0  # seconds that a session lasts at most, however busy
CODE_LASTS = 10 * 60.0  # seconds to log in with it
APPROVAL_LASTS = 5 * 60.0  # seconds to approve with it, and once more to act on that
PROPOSAL_LASTS = 10 * 60.0  # seconds that a page may show it before it is looked at again
_CODES, _SESSIONS, _PROPOSALS = 20, 100, 8
# Crockford's base 32: without I, L, O and U, and these are read as what they look like. 12 of them: 60 bits.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_SHOWS = "mailmend web --code shows one to root"
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Who:
    """A session as others may know it: *id* opens nothing; *user* is the account, "" for who came by a code."""

    id: str
    source: str
    user: str = ""

    def __str__(self) -> str:
        """As the history names it."""
        user = f"{self.user}/" if self.user else ""
        return f"{FROM_A_PAGE}{user}{self.id}@{self.source}"


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a page was shown. *since* is a time that it is made of, RFC 3339, None where none is."""

    proposal: AnyProposal
    digest: str
    step_up: bool
    since: str | None = None
    refused: Refused | None = None


@dataclass(slots=True)
class _Kept:
    proposed: Proposed
    at: float
    approved_until: float | None = None


@dataclass(slots=True)
class _Session:
    who: Who
    since: float
    seen: float
    proposals: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    waiting: str | None = None  # the digest that a code may be had for


@dataclass(frozen=True, slots=True)
class _Code:
    """*approves* is the session's id and the digest; None: it begins a session."""

    until: float
    approves: tuple[str, str] | None = None


@dataclass(slots=True)
class Sessions:
    """*clock* is seconds that never go back and go on while the host sleeps (CLOCK_BOOTTIME)."""

    clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    _codes: OrderedDict[bytes, _Code] = field(default_factory=OrderedDict)
    _open: OrderedDict[bytes, _Session] = field(default_factory=OrderedDict)
    _patience: Patience = field(init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._patience = Patience(self.clock)

    # ---- sessions

    def login_code(self) -> str:
        """A code for one login, within `CODE_LASTS`: three groups of four."""
        with self._lock:
            return self._code(_Code(self.clock() + CODE_LASTS))

    def login(self, code: str, source: str) -> str:
        """A new session's grant for *code*. Refused where it is none, or *source* has guessed too often."""
        with self._lock:
            self._use(code, source, None)
            return self._begin(source)

    def login_as(self, user: str, source: str, accepts: Callable[[], str | None]) -> str:
        """A new session's grant for the account that *accepts* names; it may take seconds, and nobody waits for it.

        Refused, with one and the same reason, where it names none; and where *source*, or whoever else tries this
        *user*, has guessed too often.
        """
        tries = (source, f"account {user}")
        with self._lock:
            for each in tries:
                self._patience.require(each)
        account = accepts()
        with self._lock:
            for each in tries:
                if account is None:
                    self._patience.wrong(each)
                else:
                    self._patience.right(each)
            if account is None:
                raise Refused("that name and password do not open this console", _SHOWS)
            return self._begin(source, account)

    def require(self, grant: str) -> Who:
        """Whose *grant* is. Refused where it is no session, or one that is over."""
        with self._lock:
            return self._session(grant).who

    def keep(self, grant: str) -> None:
        """A person is there. Refused as `require`."""
        with self._lock:
            self._session(grant).seen = self.clock()

    def end(self, grant: str) -> None:
        with self._lock:
            self._open.pop(_hashed(grant), None)

    # ---- what was proposed, and by which code it is approved

    def remember(self, grant: str, proposed: Proposed) -> None:
        """*proposed* was shown in this session; where it asks for a code, it is now the one that waits for it."""
        with self._lock:
            session = self._session(grant)
            before = session.proposals.pop(proposed.digest, None)
            kept = _Kept(proposed, self.clock())
            if proposed.step_up and session.waiting == proposed.digest and before is not None:
                kept.approved_until = before.approved_until
            elif proposed.step_up:
                self._forget_approval(session)
                session.waiting = proposed.digest
            session.proposals[proposed.digest] = kept
            _shorten(session.proposals, _PROPOSALS)

    def waiting(self) -> tuple[tuple[Who, Proposed], ...]:
        """Whatever waits for a code, the newest first."""
        with self._lock:
            found = [
                (kept.at, session.who, kept.proposed)
                for session in self._open.values()
                if self._lasts(session) and (kept := self._waits(session, session.waiting)) is not None
            ]
        return tuple((who, proposed) for _, who, proposed in sorted(found, key=lambda f: f[0], reverse=True))

    def approval_code(self, session_id: str, digest: str) -> str:
        """A code that approves *digest* in the session *session_id*. Refused where that does not wait any more."""
        with self._lock:
            for session in self._open.values():
                if session.who.id == session_id and self._lasts(session) and self._waits(session, digest):
                    return self._code(_Code(self.clock() + APPROVAL_LASTS, (session_id, digest)))
        raise Refused("that change does not wait for a code any more", "look at it again on the page")

    def step_up(self, grant: str, digest: str, code: str) -> None:
        """*code* approves *digest*. Refused where it is for anything else, was used, or came too late."""
        with self._lock:
            session = self._session(grant)
            kept = self._waits(session, digest)
            if kept is None:
                raise Refused("that change does not wait for a code", "look at it again")
            self._use(code, session.who.id, (session.who.id, digest))
            kept.approved_until = self.clock() + APPROVAL_LASTS

    def take(self, grant: str, digest: str) -> tuple[Who, Proposed]:
        """What *digest* is in this session, to be done now; an approval is used up by it.

        Refused where it was not proposed here, lately, or asks for a code and has none.
        """
        with self._lock:
            session = self._session(grant)
            kept = self._known(session, digest)
            if kept is None:
                raise Refused("this was not proposed in this session, or too long ago", "look at it again")
            if kept.proposed.refused is not None:
                raise kept.proposed.refused
            if kept.proposed.step_up:
                if kept.approved_until is None or self.clock() > kept.approved_until:
                    raise Refused("this asks for a fresh code", _SHOWS)
                self._forget_approval(session)
                session.waiting = None
            session.proposals.pop(digest)
        return session.who, kept.proposed

    # ---- inside

    def _begin(self, source: str, user: str = "") -> str:
        grant, now = secrets.token_urlsafe(32), self.clock()
        self._open[_hashed(grant)] = _Session(Who(secrets.token_hex(4), source, user), now, now)
        _shorten(self._open, _SESSIONS)
        return grant

    def _session(self, grant: str) -> _Session:
        session = self._open.get(_hashed(grant))
        if session is not None and self._lasts(session):
            return session
        self._open.pop(_hashed(grant), None)
        raise Refused("the session is over", f"log in again: {_SHOWS.replace('one', 'a code')}")

    def _lasts(self, session: _Session) -> bool:
        now = self.clock()
        return now - session.seen <= IDLE and now - session.since <= LONGEST

    def _known(self, session: _Session, digest: str | None) -> _Kept | None:
        kept = session.proposals.get(digest or "")
        return kept if kept is not None and self.clock() - kept.at <= PROPOSAL_LASTS else None

    def _waits(self, session: _Session, digest: str | None) -> _Kept | None:
        return self._known(session, digest) if digest is not None and digest == session.waiting else None

    def _forget_approval(self, session: _Session) -> None:
        """Of what waited until now: its approval, and the codes that were shown for it."""
        if (kept := session.proposals.get(session.waiting or "")) is not None:
            kept.approved_until = None
        for key, code in list(self._codes.items()):
            if code.approves is not None and code.approves[0] == session.who.id:
                del self._codes[key]

    def _code(self, code: _Code) -> str:
        letters = "".join(secrets.choice(_LETTERS) for _ in range(12))
        self._codes[_hashed(letters)] = code
        _shorten(self._codes, _CODES)
        return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"

    def _use(self, code: str, source: str, approves: tuple[str, str] | None) -> None:
        self._patience.require(source)
        key = _hashed(code.upper().translate(_READ_AS))
        found = self._codes.get(key)
        if found is not None and found.approves == approves and self.clock() <= found.until:
            del self._codes[key]
            self._patience.right(source)
            return
        self._patience.wrong(source)
        if found is None or self.clock() > found.until:
            raise Refused("that code is not one that is waited for", _SHOWS)
        raise Refused("that code is for something else", _SHOWS)


def _hashed(secret: str) -> bytes:
    """What is kept of a secret: what is found by its hash tells nothing by the time that the search took."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _shorten(table: OrderedDict[bytes, Kept] | OrderedDict[str, Kept], most: int) -> None:
    while len(table) > most:
        table.popitem(last=False)
