"""What can be looked at by name, for who cannot run a command: the same documents as `--json` has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import ParseError
from mailmend.ui import show
from mailmend.ui.show import Shape

if TYPE_CHECKING:
    from mailmend.jobs.unloaded import Behind

Of = Literal["status", "check", "history", "entry", "unloaded"]


def look(of: Of, here: Here, change: str | None = None, progress: Progress = silent) -> Shape:
    """status/1, check/1, history/1; `entry`: history/1 with the entry *change* alone, and what others did `since`.

    `unloaded`: unloaded/1, the files as they are saved and what of them does not run.
    Raises as the command does.
    """
    match of:
        case "status":
            from mailmend.jobs.status import status

            return show.status(status(here))
        case "check":
            from mailmend.jobs.check import check

            return show.checked(check(here, progress=progress), here.host().hostname)
        case "history":
            from mailmend.jobs.history import history

            return show.history(history(here))
        case "unloaded":
            from mailmend.jobs.unloaded import behind

            return _unloaded(behind(here))
    if change is None:
        raise ParseError("an entry of the history has a name", "mailmend history lists them")
    from mailmend.jobs.history import entry

    return show.entry(*entry(here, change))


def _unloaded(found: Behind) -> Shape:
    """unloaded/1: {"files": [{"path", "live", "summary", "diff", "since", "names", "loaded"}], "restart": [...]}."""
    files = [show.value(each) for each in found.files]
    return show.document("unloaded", {"files": files, "restart": [show.finding(f) for f in found.restart]})
