"""DNS: the records that receivers judge this host by, as they are and as they should be, to be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from mailmend.ui.web.endpoint import Asked, Endpoint
from mailmend.ui.web.works import Work, patience, works

if TYPE_CHECKING:
    from mailmend.jobs.dns import Names, Row
    from mailmend.ui.web.console import Console
    from mailmend.ui.web.works import Says

LASTS = 300.0  # seconds; records live longer, and whoever changed one looks again
_PATIENCE = 0.1
_STATES = {
    "right": ("as it should be", "good"),
    "wrong": ("wrong", "bad"),
    "missing": ("missing", "bad"),
    "unknown": ("not known", "warn"),
    "note": ("not judged", "warn"),
}
_WORST_FIRST = ("wrong", "missing", "unknown", "note", "right")
_LONG = 2000  # characters of a record


class Look(msgspec.Struct):
    """*again*: looked up now."""

    again: bool = False


async def show(asked: Asked[Look]) -> Response:
    """The page: at once, with the records where they were looked up lately."""
    return await _answer(asked, "dns.html")


async def told(asked: Asked[Look]) -> Response:
    """The records alone, or which one is being looked up: the page asks until they are there."""
    return await _answer(asked, "_dns_told.html")


async def _answer(asked: Asked[Look], template: str) -> Response:
    console = asked.console
    work: Work[Names] = works(asked).ask(
        "dns", "dns", lambda says: _records(console, says), lasts=LASTS, anew=asked.given.again
    )
    waits = not await patience(work, _PATIENCE)
    work = work.shown
    values: dict[str, Any] = {"names": None, "subjects": []}
    if not waits and work.failure is None:
        values = {"names": work.result, "subjects": subjects(work.result)}
    return asked.page(template, work=work, waits=waits, STATES=_STATES, LONG=_LONG, **values)


def _records(console: Console, says: Says) -> Names:
    from mailmend.jobs.dns import records

    return records(console.here(), says)


def subjects(names: Names) -> list[tuple[str, list[tuple[int, Row]]]]:
    """The rows by the address or domain that they speak for, those with something wrong first; each row numbered."""
    by: dict[str, list[tuple[int, Row]]] = {}
    for number, row in enumerate(names.rows):
        by.setdefault(row.of, []).append((number, row))
    worst = {of: min(_WORST_FIRST.index(row.standing) for _, row in rows) for of, rows in by.items()}
    return sorted(by.items(), key=lambda each: worst[each[0]])


ENDPOINTS = (
    Endpoint("/dns", show, "DNS records as they are and as they should be.", takes=Look),
    Endpoint("/dns/told", told, "The records, or which is being looked up.", takes=Look, watching=True),
)
