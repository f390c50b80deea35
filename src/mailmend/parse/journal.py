"""A JSON record that carries a line of a log -> that line: journalctl -o json, Docker's json-file, syslog shippers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_TEXT = ("MESSAGE", "log", "message", "msg", "line", "short_message")
_NAME = ("SYSLOG_IDENTIFIER", "program", "ident", "tag", "appname", "app_name", "process", "_COMM")
_PID = ("_PID", "SYSLOG_PID", "pid", "procid")
_HOST = ("_HOSTNAME", "host", "hostname", "HOSTNAME")
_CARRIES = frozenset(("log", "line", *_NAME))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def line(record: dict[str, Any]) -> str | None:
    """The line that *record* carries, as syslog would write it; None where it is another thing."""
    if record.keys().isdisjoint(_CARRIES):
        return None
    message = next((text for name in _TEXT if (text := _text(record.get(name)))), "").strip()
    if not message:
        return None
    name = _first(record, _NAME)
    if not name:
        # Docker's, Loki's: the whole line, as the program in the container wrote it.
        return message if record.keys() & {"log", "line"} else None
    head = f"{_first(record, _HOST) or 'host'} {name}[{_first(record, _PID) or '1'}]:"
    stamp = _time(record.get("__REALTIME_TIMESTAMP"))
    return f"{stamp} {head} {message}" if stamp else f"{head} {message}"


def _first(record: dict[str, Any], names: tuple[str, ...]) -> str:
    found = next((record[name] for name in names if isinstance(record.get(name), (str, int))), "")
    return "".join(str(found)[:255].split())


def _text(value: object) -> str:
    """A text; journald gives one that has bytes which are no UTF-8, or escapes, as a list of numbers."""
    if isinstance(value, list) and all(isinstance(each, int) and 0 <= each < 256 for each in value):
        return bytes(value).decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _time(microseconds: object) -> str:
    """`1795338001000000` -> `2026-11-22T09:00:01+00:00`."""
    try:
        return (_EPOCH + timedelta(microseconds=int(str(microseconds)))).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return ""
