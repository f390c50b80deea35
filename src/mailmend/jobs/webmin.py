"""webmin: Webmin's own Apply button runs `mailmend apply`, and gets its old command back with --undo."""

from __future__ import annotations

import sys
from pathlib import Path

from mailmend.jobs.here import Here, require_root
from mailmend.model import CannotLook


def command() -> str:
    """How Webmin is to call us: the mailmend that runs now, by its full path."""
    return f"{Path(sys.argv[0]).resolve()} apply"


def webmin(here: Here, *, undo: bool = False) -> tuple[str, str | None, str]:
    """Point Webmin's Postfix module at us, or back: (file, command before, command now)."""
    from mailmend.system import webmin as module

    require_root("changing Webmin's configuration")
    path = here.host().webmin
    if path is None:
        raise CannotLook("Webmin's Postfix module is not installed here", "nothing was changed")
    if undo:
        return (path, *module.restore(path, here.state))
    return (path, *module.point(path, command(), here.state))
