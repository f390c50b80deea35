"""A report -> mailmend.report/1, and its rows as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailmend.ui.encode import printable
from mailmend.ui.show import common
from mailmend.ui.show.common import Shape, document

if TYPE_CHECKING:
    from datetime import datetime

    from mailmend.jobs.report import Told
    from mailmend.road.findings import Note
    from mailmend.road.report import Delays, Hit, Row, Waits

COLUMNS = ("receiver", "family", "status", "cause", "count", "forwarded", "first", "last", "text")
PARTS = ("before_queue", "in_queue", "connecting", "sending")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so


def moment(at: datetime | None) -> str | None:
    """RFC 3339 with the offset of this host: one zone, whatever zones the log is written in."""
    return common.moment(at.astimezone()) if at else None


def report(told: Told) -> Shape:
    """mailmend.report/1; *store*: the delivery store that was asked, null where the log was read.

    *span*: its first and last time. *deliveries*: the failures, most frequent first, then what was sent (*cause* null).
    *domains*, *senders*: those whose mail failed most; the null sender is "". *findings*: what follows, with
    the *command* that *cures* it or else looks closer. *waiting*: deferred and not settled at the end, *oldest* first
    deferred at *since*; null: not known. *delays*: seconds in Postfix's four parts.
    *hours*: counts for each hour from *hour* on, cut at each change. *changes*: failed of all deliveries since the
    change before, and until the next.
    """
    found = told.report
    return document(
        "report",
        {
            "store": str(told.store) if told.store else None,
            "lines": found.lines,
            "unparsed": found.unparsed,
            "span": [moment(at) for at in found.span],
            "messages": found.messages,
            "deliveries": [_row(row) for row in found.rows],
            "domains": [_hit("domain", hit) for hit in found.domains],
            "senders": [_hit("sender", hit) for hit in found.senders],
            "rejected": [{"reason": reason, "count": count} for reason, count in found.rejected],
            "findings": [_note(note) for note in found.findings],
            "waiting": None if found.waits is None else [_waits(each) for each in found.waits],
            "more_waiting": found.more_wait,
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
        times = (moment(row.first) or "", moment(row.last) or "")
        writer.writerow((receiver, family, status, cause, row.count, row.forwarded, *times, _cell(row.text)))
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
        "first": moment(row.first),
        "last": moment(row.last),
        "domains": _names("domain", row.domains),
        "senders": _names("sender", row.senders),
    }


def _names(kind: str, names: Sequence[tuple[str, int]]) -> list[Shape]:
    return [{kind: name, "count": count} for name, count in names]


def _hit(kind: str, of: Hit) -> Shape:
    return {kind: of.name, "count": of.count, "bounced": of.bounced, "deferred": of.deferred}


def _note(note: Note) -> Shape:
    return {
        "cause": note.cause,
        "receiver": note.receiver,
        "family": note.family,
        "says": note.says,
        "why": note.why or None,
        "command": note.command,
        "cures": note.cures,
        "count": note.count,
        "forwarded": note.forwarded,
        "first": moment(note.first),
        "last": moment(note.last),
        "domains": _names("domain", note.domains),
        "senders": _names("sender", note.senders),
    }


def _waits(of: Waits) -> Shape:
    return {
        "receiver": of.receiver,
        "family": of.family,
        "cause": of.cause,
        "count": of.count,
        "messages": of.messages,
        "oldest": of.queue_id,
        "since": moment(of.since),
        "tried": moment(of.tried),
        "text": of.text or None,
    }


def _delays(of: Delays) -> Shape:
    return {
        "receiver": of.receiver,
        "measured": of.measured,
        "median": dict(zip(PARTS, of.medians, strict=True)),
        "p95": dict(zip(PARTS, of.p95, strict=True)),
    }
