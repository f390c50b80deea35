"""Who types wrong codes or passwords waits: each source by itself, ever longer; and all strangers together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from mailmend.model import Refused

FREE = 5  # wrong tries of one source before it has to wait
MOST = 60.0  # seconds to wait
FORGIVEN = 600.0  # seconds in which half of what a source did is forgotten
AT_ONCE, A_SECOND = 60.0, 1.0  # wrong tries of all sources that were never right, before these wait too
_SOURCES, _KNOWN = 1000, 100


@dataclass(slots=True)
class _Tries:
    count: float
    at: float
    until: float


@dataclass(slots=True)
class Patience:
    """*clock* is seconds that never go back. It is not for several threads at once: who uses it locks."""

    clock: Callable[[], float]
    _wrong: OrderedDict[str, _Tries] = field(default_factory=OrderedDict)
    _right: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _all: float = 0.0
    _seen: float = 0.0

    def require(self, source: str) -> None:
        """Refused while *source* has to wait. Who was right before is not kept out by what strangers do."""
        now, source = self.clock(), network(source)
        tries = self._wrong.get(source)
        if tries is not None and now < tries.until:
            raise Refused(f"too many wrong tries; wait {tries.until - now:.0f} seconds", "")
        if source not in self._right and self._level(now) > AT_ONCE - 1:
            raise Refused("too many wrong tries from too many places; wait a few seconds", "")

    def wrong(self, source: str) -> None:
        now, source = self.clock(), network(source)
        self._all = self._level(now) + 1
        self._seen = now
        tries = self._wrong.pop(source, _Tries(0.0, now, now))
        count = tries.count * 0.5 ** ((now - tries.at) / FORGIVEN) + 1
        wait = 0.0 if count < FREE else min(MOST, 2.0 ** min(count - FREE, 10))
        self._wrong[source] = _Tries(count, now, now + wait)
        while len(self._wrong) > _SOURCES:
            self._wrong.popitem(last=False)

    def right(self, source: str) -> None:
        source = network(source)
        self._wrong.pop(source, None)
        self._right[source] = None
        self._right.move_to_end(source)
        while len(self._right) > _KNOWN:
            self._right.popitem(last=False)

    def _level(self, now: float) -> float:
        """Wrong tries of all, of which so many a second are forgotten."""
        return max(0.0, self._all - (now - self._seen) * A_SECOND)


def network(source: str) -> str:
    """What one guesser has many of counts as one: of an IPv6 address the /64 (RFC 4291 2.5.4)."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)
