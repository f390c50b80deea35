"""Changes: who changed what, when, why, how it was proven, and the way back."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from mailmend.ui.web.console import MEANWHILE
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing

_LASTS = 2.0  # seconds


class Named(msgspec.Struct):
    """An entry of the history."""

    change: str


async def show(asked: Asked[Nothing]) -> Response:
    """All of them, the newest first."""
    seen = await asked.console.seen(asked.person, "history", within=_LASTS, meanwhile=MEANWHILE)
    return asked.page("changes.html", seen=seen, records=seen.document["records"] if seen.document else [])


async def one(asked: Asked[Named]) -> Response:
    """One change whole."""
    seen = await asked.console.seen(asked.person, "entry", asked.given.change[:100], within=_LASTS)
    (record,) = seen.whole["records"]
    return asked.page("change.html", record=record, on_page=record["by"].startswith("console:"))


ENDPOINTS = (
    Endpoint("/changes", show, "All changes, the newest first."),
    Endpoint("/changes/{change}", one, "One change whole.", takes=Named),
)
