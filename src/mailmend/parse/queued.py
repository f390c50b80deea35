"""The queue manager's lines in a block of Postfix's log -> who sent which message, and what left the queue (qmgr(8)).

There are several of them to each message, so they are found by the name of the program, wherever it stands. What
stands before it has to be, letter for letter, how a line of this log begins that was read from the left before:
words that a stranger wrote into a line have that line's own beginning before them, with its process in brackets.
"""

from __future__ import annotations

import re
from itertools import filterfalse
from operator import itemgetter

_HEADS = 8  # hosts and instances in one log whose lines are known; those of others are read one by one
# How a line begins: its stamp, host and program.
_BEGINNING = re.compile(
    rb"\n([A-Z][a-z]{2} [ \d]\d [\d:.]++|\d{4}-\d\d-\d\dT[^ \[\n]++)( [^ \[\n/]++ (?:[^ \[\n/]++/)+qmgr)\["
)
_QUOTED = rb'(?:"(?:[^"\\\n]++|\\[^\n])*")?'  # as in parse.logscan
_TOLD = (
    rb"\[\d++\]: (?:\[ID \d++ \w++\.\w++\] )?([0-9A-Za-z]++): (?:from=<("
    + _QUOTED
    + rb'[^<>"\n]*+)>, [a-z]|(removed)(?=\n))'
)
_GONE = 3
_is_known = itemgetter(0)
_is_gone = itemgetter(_GONE)
_sender = itemgetter(1, 2)


class Queued:
    """Reads blocks, and learns how the lines of this log begin."""

    def __init__(self) -> None:
        self._heads: set[tuple[int, bytes]] = set()
        self._pattern = self._compiled()

    def read(self, block: bytes) -> tuple[list[tuple[bytes, ...]], list[bytes]] | None:
        """(queue id, sender) of each message that was taken up, and the ids of those that left the queue.

        None where a line has an unknown beginning, or messages were deleted (postsuper(1)): read them one by one.
        """
        rows = self._pattern.findall(b"\n" + block)
        if not all(map(_is_known, rows)) or b"/postsuper[" in block:
            return None
        senders = list(map(_sender, filterfalse(_is_gone, rows)))
        return senders, [row[1] for row in rows if row[_GONE]]

    def learn(self, lines: bytes) -> None:
        """Learn from *lines*, each with a line feed before it, how the queue manager's begin."""
        known = len(self._heads)
        for stamp, rest in set(_BEGINNING.findall(lines)):
            if len(self._heads) < _HEADS:
                self._heads.add((len(stamp), rest))
        if len(self._heads) > known:
            self._pattern = self._compiled()

    def _compiled(self) -> re.Pattern[bytes]:
        before = [
            b"(?<=\\n[^\\[\\n]{%d}%s)" % (width, re.escape(rest)) for width, rest in sorted(self._heads)
        ]
        return re.compile(b"qmg(?:(r)(?:" + (b"|".join(before) or b"(?!)") + b")|r)" + _TOLD)
