"""A report -> mailmend.report/1, and its rows as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from mailmend.ui.encode import printable
from mailmend.ui.show.common import Shape, document, moment

if TYPE_CHECKING:
    from mailmend.jobs.report import Told
    from mailmend.road.report import Delays, Row

COLUMNS = ("receiver", "family", "status", "cause", "count", "forwarded", "text")
PARTS = ("before_queue", "in_queue", "connecting", "sending")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so


def report(told: Told) -> Shape:
    """*deliveries*: the failures, most frequent first, then what was sent; seconds in *delays*."""
    found = told.report
    return document(
        "report",
        {
            "lines": found.lines,
            "unparsed": found.unparsed,
            "span": [moment(at) for at in found.span],
            "messages": found.messages,
            "deliveries": [_row(row) for row in found.rows],
            "rejected": [{"reason": reason, "count": count} for reason, count in found.rejected],
            "findings": [
                {
                    "cause": note.cause,
                    "receiver": note.receiver,
                    "family": note.family,
                    "says": note.says,
                    "command": note.command,
                }
                for note in found.findings
            ],
            "delays": [_delays(each) for each in found.delays],
            "hours": [
                {
                    "hour": moment(at.hour),
                    "receiver": at.receiver,
                    "family": at.family,
                    "status": at.status,
                    "count": count,
                }
                for at, count in found.hours
            ],
            "changes": [
                {
                    "id": turn.change,
                    "at": moment(turn.at),
                    "receiver": turn.receiver,
                    "family": turn.family,
                    "before": {"failed": turn.before[0], "deliveries": turn.before[1]},
                    "after": {"failed": turn.after[0], "deliveries": turn.after[1]},
                }
                for turn in told.turns
            ],
        },
    )


def table(told: Told) -> str:
    """The deliveries, one row each under `COLUMNS`; nothing in it is taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in told.report.rows:
        receiver, family, status, cause = (part or "" for part in row.place)
        writer.writerow((receiver, family, status, cause, row.count, row.forwarded, _cell(row.text)))
    return out.getvalue()


def _cell(text: str) -> str:
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _row(row: Row) -> Shape:
    return {
        "receiver": row.place.receiver,
        "family": row.place.family,
        "status": row.place.status,
        "cause": row.place.cause,
        "count": row.count,
        "forwarded": row.forwarded,
        "text": row.text or None,
        "who": list(row.who),
        "domains": [{"domain": name, "count": count} for name, count in row.domains],
        "senders": [{"sender": name, "count": count} for name, count in row.senders],
    }


def _delays(of: Delays) -> Shape:
    return {
        "receiver": of.receiver,
        "measured": of.measured,
        "median": dict(zip(PARTS, of.medians, strict=True)),
        "p95": dict(zip(PARTS, of.p95, strict=True)),
    }
