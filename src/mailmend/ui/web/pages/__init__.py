"""What the console can be asked, one page a file: `ENDPOINTS` of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.web.pages import bounces, changes, dns, files, live, login, now, proposals, settings

if TYPE_CHECKING:
    from mailmend.ui.web.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *login.ENDPOINTS,
    *now.ENDPOINTS,
    *live.ENDPOINTS,
    *proposals.ENDPOINTS,
    *bounces.ENDPOINTS,
    *settings.ENDPOINTS,
    *files.ENDPOINTS,
    *changes.ENDPOINTS,
    *dns.ENDPOINTS,
)
