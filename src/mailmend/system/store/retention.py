"""What is too old goes: failures after their days, of days past the names that were rare. Counts stay for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

from mailmend.system.store.write import Writer

_AT_ONCE = 5000  # rows of a transaction: nobody waits for long
_DAY = 86400
RECENT = 3 * _DAY  # for so long all domains and senders are known that failures hit
_NAMES = 10  # of each place and day (and month) afterwards
clock: Callable[[], float] = time.time  # seconds since 1970


def apply(writer: Writer, stopped: Callable[[], bool]) -> None:
    """Let go what is too old, a little at a time. Refused, CannotLook as the writer has them."""
    now = int(clock())
    days = writer.kept_days()
    while days and not stopped() and writer.drop_failed(now - days * _DAY, _AT_ONCE):
        pass
    while not stopped() and writer.thin_hits("hits", now - RECENT, _NAMES):
        pass
    # A month that began 35 days ago is over for three days at least.
    while not stopped() and writer.thin_hits("month_hits", now - RECENT - 32 * _DAY, _NAMES):
        pass
    writer.shrink()
