"""The nouns of a rehearsal: frozen values. A change, tried on a copy of the host, and what came of the mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a host was not rehearsed, or not as it is there, and *why*."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of *count* test mails: *status* `rejected` (not taken at all), `lost` (no word in time), or
    the log's own word. *relay* is who was reached, *text* the last words."""

    status: Literal["sent", "bounced", "deferred", "rejected", "lost"]
    family: Literal["ipv4", "ipv6"] | None
    relay: str | None
    text: str
    count: int

    @property
    def through(self) -> bool:
        return self.status == "sent"


@dataclass(frozen=True, slots=True)
class Passage:
    """One way of mail, gone with the configuration as it is and with the change.

    *id* names the way (`gmail`, `forward`, ...), *says* is it in words.
    """

    id: str
    says: str
    recipient: str
    before: tuple[Fate, ...]
    after: tuple[Fate, ...]

    @property
    def verdict(self) -> Literal["better", "same", "worse"]:
        """By what does not get through: more of it is worse, less is better; so is lost mail against mail that waits.

        Nothing sent is nothing through.
        """
        if not self.after:
            return "worse"
        lost = [sum(f.count for f in fates if not f.through) for fates in (self.before, self.after)]
        of = [max(sum(f.count for f in fates), 1) for fates in (self.before, self.after)]
        # Which address is tried is chance: a part that fails is the same as another part that fails.
        shares = [0.0 if n == 0 else 1.0 if n == whole else 0.5 for n, whole in zip(lost, of, strict=True)]
        if shares[0] == shares[1] == 1.0:
            # Nothing gets through either way: what bounces is gone, what is deferred may still arrive.
            gone = [any(f.status == "bounced" for f in fates) for fates in (self.before, self.after)]
            return "same" if gone[0] == gone[1] else "worse" if gone[1] else "better"
        return "better" if shares[1] < shares[0] else "worse" if shares[1] > shares[0] else "same"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A change tried on a copy of the host in a private network (`postconf -d mail_version` of both).

    *listeners* as `address:port`; *complaints* are lines of the log that only the change brought; *failures*
    say why it must not be done; *left_out* what is not known by it.
    """

    passages: tuple[Passage, ...]
    listeners: tuple[tuple[str, ...], tuple[str, ...]]
    complaints: tuple[str, ...]
    failures: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    version: str
    lab_version: str
    at: datetime

    @property
    def holds(self) -> bool:
        return not self.failures
