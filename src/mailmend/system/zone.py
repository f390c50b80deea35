"""This host's time zone by the rules that hold on each day: a log without offsets has summer time in it, and winter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo


class HostZone(tzinfo):
    """What `datetime.astimezone()` would say of that very time. An hour that comes twice is taken as the first."""

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        return None if at is None else at.replace(tzinfo=None, fold=0).astimezone().utcoffset()

    def tzname(self, at: datetime | None) -> str | None:
        return None if at is None else at.replace(tzinfo=None, fold=0).astimezone().tzname()

    def dst(self, at: datetime | None) -> timedelta | None:
        """Not known: the system tells the offset alone."""
        return None

    def fromutc(self, at: datetime) -> datetime:
        return at.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)


HERE = HostZone()
