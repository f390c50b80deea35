"""Hours and days as the store counts them: by the Unix time of their beginning, a day in this host's zone.

A stamp without an offset is read in this host's zone, by the rules that held on its day (summer time among them).
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache

from mailmend.parse import maillog


def hour(written: str, dated: datetime, offset: tzinfo | None) -> int | None:
    """When the hour began that a log writes as `Nov 22 10` or `2026-11-22T10`; None where it is no time.

    *dated* gives the year that it lacks; *offset* is the one the log's stamps have, None where they have none.
    """
    at = maillog.time(f"{written}:00:00", dated)
    return None if at is None else int(at.replace(tzinfo=offset).timestamp())


def local(at: int) -> datetime:
    """*at* in this host's zone."""
    return datetime.fromtimestamp(at).astimezone()


@lru_cache(maxsize=4096)
def midnight(at: int) -> datetime:
    """When the day of *at* began in this host's zone."""
    when = datetime.fromtimestamp(at)
    return datetime(when.year, when.month, when.day).astimezone()


@lru_cache(maxsize=4096)
def day(at: int) -> int:
    """The same as a Unix time; 0 stays the beginning of all."""
    return int(midnight(at).timestamp()) if at else 0


@lru_cache(maxsize=4096)
def month(at: int) -> int:
    """When the month of *at* began in this host's zone; 0 stays the beginning of all."""
    when = datetime.fromtimestamp(at)
    return int(datetime(when.year, when.month, 1).timestamp()) if at else 0


def next_day(at: int) -> int:
    """When the day after that of *at* begins: it may have 23 or 25 hours."""
    return day(day(at) + 30 * 3600)
