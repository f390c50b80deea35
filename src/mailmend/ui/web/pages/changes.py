"""TO BE WRITTEN by its owner."""

from __future__ import annotations

from starlette.responses import Response

from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing


async def show(asked: Asked[Nothing]) -> Response:
    return asked.page("changes.html")


ENDPOINTS = (Endpoint("/changes", show, "The page changes."),)
