"""Failures in the order of the log -> what one address family put off and the other refused for good.

Postfix tries the next address after a 4xx, within one attempt or in a later one. Where that is of the other family
and answers 5xx, the mail comes back, although the first family would have been tried again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from sys import intern
from typing import NamedTuple, TypeVar

from mailmend.model import Family, family_of
from mailmend.parse.logscan import Failed, PassedOn

_KEPT = 25_000  # messages put off, attempts under way, and bounces that an earlier part of the log may tell more of
_BITS: dict[Family, int] = {"ipv4": 1, "ipv6": 2}
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
Message = tuple[str, str, str]  # host, queue id, recipient


class Fell(NamedTuple):
    """Bounces over *family*, for *cause*, of what the other family had only put off."""

    receiver: str | None
    family: Family
    cause: str


class _Tried(NamedTuple):
    """An attempt: whose of which message, and when it ended."""

    process: tuple[str, str, str]
    stamp: str


class _PutOff(NamedTuple):
    """*families* as in `_BITS`; *first* is the first attempt seen, of which a part before may have the beginning."""

    families: int
    first: _Tried


_FIRST = {
    over: _PutOff(_BITS[over] if over else 0, _Tried(("", "", ""), "")) for over in (None, "ipv4", "ipv6")
}


class _Bounce(NamedTuple):
    message: tuple[str, str, str]
    tried: tuple[_Tried, ...]
    fell: Fell


class Through:
    """What fell through, counted. Of each part of a log there may be one, to be joined in the order of the parts.

    *alone*: there is but this one, so no part before it can tell more of a bounce. *put_off*: what one before it had
    told (`changed`), the oldest first; None: nobody asks for what changed.
    """

    def __init__(self, *, alone: bool = False, put_off: Mapping[Message, int] | None = None) -> None:
        self._alone = alone
        self._is_asked = put_off is not None
        self._changed: set[Message] = set()  # if asked: put off, or not any more, since `changed`
        self.fell: Counter[Fell] = Counter()
        # The families that put it off.
        self._put_off: dict[Message, _PutOff] = {}
        # (host, queue id, process) -> when, by family, that process had a 4xx and went on to the next address.
        self._passed_on: dict[tuple[str, str, str], dict[int, str]] = {}
        self._unanswered: list[_Bounce] = []
        for message, families in (put_off or {}).items():
            self._put_off[message] = _PutOff(families, _Tried(message, ""))

    def passed_on(self, seen: PassedOn) -> None:
        """A 4xx in the middle of an attempt. To be told before the outcomes of the same block."""
        over = family_of(seen.ip)
        if over:
            process = (intern(seen.host), seen.queue_id, intern(seen.pid))
            self._passed_on.setdefault(process, {})[_BITS[over]] = seen.stamp
            _trim(self._passed_on)

    def failed(self, one: Failed, over: Family | None, word: str, receiver: str | None, cause: str) -> None:
        """An outcome: *word* is `deferred` or `bounced`, *over* the family of the last address tried."""
        host, queue_id = one.host, one.queue_id
        message = (host, queue_id, one.recipient)
        if self._alone and (host, queue_id, one.pid) not in self._passed_on:
            put_off = self._put_off
            known = put_off.pop(message, None)
            if word == "bounced" and known is None:
                return  # as nearly all are
            if word == "deferred" and known is None:
                # Nobody asks when it was tried first, where nothing comes before.
                put_off[intern(host), queue_id, one.recipient] = _FIRST[over]
                if self._is_asked:
                    self._changed.add(message)
                if len(put_off) > 2 * _KEPT:
                    self._gone(_trim(put_off))
                return
            if known is not None:
                put_off[message] = known  # the newest now
                if word == "deferred" and over and known.families & _BITS[over]:
                    return
        host = intern(host)  # of what is kept, thousands have the same
        message = (host, queue_id, one.recipient)
        tried = _Tried((host, queue_id, intern(one.pid)), one.stamp)
        if word == "deferred":
            self._deferred(message, _PutOff(_BITS[over] if over else 0, tried))
            if len(self._put_off) > 2 * _KEPT:
                self._gone(_trim(self._put_off))
        elif word == "bounced" and over:
            self._came_back(_Bounce(message, (tried,), Fell(receiver, over, cause)))

    def close(self) -> None:
        """No part follows: let go of what only such a one would ask for."""
        self._put_off.clear()
        self._passed_on.clear()

    def update(self, later: Through) -> None:
        """Add what the part that follows has found, and what only both together tell."""
        self.fell.update(later.fell)
        for bounce in later._unanswered:
            self._came_back(bounce)
        for message, put_off in later._put_off.items():
            self._deferred(message, put_off)
        for process, when in later._passed_on.items():
            self._passed_on.setdefault(process, {}).update(when)
        _trim(self._put_off)
        _trim(self._passed_on)

    def changed(self) -> dict[Message, int]:
        """What changed since the last time, by the families that put it off; 0: not to be kept."""
        changed, self._changed = self._changed, set()
        return {m: known.families if (known := self._put_off.get(m)) else 0 for m in changed}

    def _gone(self, messages: Iterable[Message]) -> None:
        if self._is_asked:
            self._changed.update(messages)

    def _deferred(self, message: tuple[str, str, str], new: _PutOff) -> None:
        known = self._put_off.pop(message, None)
        families = new.families | self._before(new.first) | (known.families if known else 0)
        self._put_off[message] = _PutOff(families, known.first if known else new.first)
        if self._is_asked and (known is None or known.families != families):
            self._changed.add(message)

    def _came_back(self, bounce: _Bounce) -> None:
        known = self._put_off.pop(bounce.message, None)
        if known:
            self._gone([bounce.message])
        before = known.families if known else 0
        for tried in bounce.tried:
            before |= self._before(tried)
        if before & ~_BITS[bounce.fell.family]:
            self.fell[bounce.fell] += 1
        elif not self._alone and len(self._unanswered) < _KEPT:
            first = (known.first,) if known else ()
            self._unanswered.append(bounce._replace(tried=(*first, *bounce.tried)))

    def _before(self, of: _Tried) -> int:
        """The families that an attempt had a 4xx over before it ended: a block tells them out of order."""
        when = self._passed_on.get(of.process)
        return sum(over for over, at in when.items() if not _later(at, of.stamp)) if when else 0


def _later(one: str, than: str) -> bool:
    """Whether of two stamps of one day the first is the later; of two days nobody knows without a year."""
    day = 10 if one[:1].isdigit() else 6
    return one[:day] == than[:day] and one > than


def _trim(kept: dict[_Key, _Value]) -> list[_Key]:
    """Let the oldest go, which are given back, many at a time: one by one costs a search each."""
    oldest = list(islice(kept, len(kept) - _KEPT)) if len(kept) > 2 * _KEPT else []
    for key in oldest:
        del kept[key]
    return oldest
