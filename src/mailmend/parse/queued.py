"""The queue manager's lines in a block of Postfix's log -> who sent which message, and what left the queue (qmgr(8)).

There are several of them to each message, so they are found by the name of the program, wherever it stands. What
stands before it has to be, letter for letter, how a line of this log begins that was read from the left before:
words that a stranger wrote into a line have that line's own beginning before them, with its process in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import itemgetter

from mailmend.parse.classes import spelled

_HEADS = 8  # hosts and instances in one log whose lines are known; those of others are read one by one
# How a line begins: its stamp, host and program.
_BEGINNING = re.compile(
    rb"\n([A-Z][a-z]{2} [ \d]\d [\d:.]++|\d{4}-\d\d-\d\dT[^ \[\n]++)( [^ \[\n/]++ (?:[^ \[\n/]++/)+qmgr)\["
)
_QUOTED = rb'(?:"(?:[^"\\\n]++|\\[^\n])*"|)'  # as in parse.logscan
_ID = rb"\d++\]: (?:\[ID \d++ \w++\.\w++\] |)([0-9A-Za-z]++): "
# The sender with its bracket, so that the null sender is something too; nothing where the message left the queue.
_TOLD = _ID + rb"(?:from=(<" + _QUOTED + rb'[^<>"\n]*+)>, [a-z]|removed(?=\n))'
_UNTOLD = _TOLD.replace(b"(<", b"(?:<").replace(b"([0-9", b"(?:[0-9")  # the same without groups
_sender = itemgetter(1)


class Queued:
    """Reads blocks, and learns how the lines of this log begin."""

    def __init__(self) -> None:
        self._heads: set[tuple[int, bytes]] = set()
        self._pattern = self._compiled()
        self.over: list[bytes] = []
        self._left: list[bytes] = []  # what left the queue in the block before

    def read(self, block: bytes) -> tuple[Iterable[tuple[bytes, bytes]], list[bytes]] | None:
        """(queue id, `<` and sender) of each message that was taken up, and the ids of those that left the queue.

        None where a line has an unknown beginning, or messages were deleted (postsuper(1)): read them one by one.
        *over* is then what left the queue in the block before and was not named in this one: ids are used again,
        and the lines of two processes may be in any order.
        """
        before, self._left, self.over = self._left, [], []
        rows = self._pattern.findall(b"\n" + block)
        gone = [queue_id for queue_id, sender in rows if not sender]
        if b"" in gone:
            return None
        last = dict(rows)
        self._left = [queue_id for queue_id, sender in last.items() if not sender]
        self.over = [queue_id for queue_id in before if queue_id not in last]
        return filter(_sender, rows), gone

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
            b"(?<=\\n[^\\[\\n]{%d}%s\\[)" % (width, re.escape(rest)) for width, rest in sorted(self._heads)
        ]
        known = b"(?:" + (b"|".join(before) or b"(?!)") + b")"
        # A line that begins otherwise yields an id that is empty, and so does what postsuper(1) did: two letters that
        # both names end in are sooner found than each name by itself.
        other = rb"(?<=qmgr\[)" + _UNTOLD + rb"|(?<=/postsuper\[)"
        return re.compile(spelled(rb"r\[(?:" + known + _TOLD + b"|" + other + b")"))
