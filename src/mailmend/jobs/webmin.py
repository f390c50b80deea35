"""webmin: Webmin's own Apply button runs `mailmend apply`, and gets its old command back with --undo."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import mailmend
from mailmend.jobs.here import Here, require_root
from mailmend.model import CannotLook, Refused

_LAUNCHER = "mailmend"


def webmin(here: Here, *, undo: bool = False) -> tuple[str, str | None, str]:
    """Point Webmin's Postfix module at us, or back: (file, command before, command now)."""
    from mailmend.system import webmin as module

    require_root("changing Webmin's configuration")
    path = here.host().webmin
    if path is None:
        raise CannotLook("Webmin's Postfix module is not installed here", "nothing was changed")
    if undo:
        return (path, *module.restore(path, here.state))
    return (path, *module.point(path, command(here.config_directory), here.state))


def command(config_directory: str | None) -> str:
    """How Webmin's shell is to call us: a way to run this mailmend that was seen to work as root's.

    Raises Refused where none works, or where others than root may write what root would run.
    """
    from mailmend.system.host import require_roots_own
    from mailmend.system.webmin import answers

    for argv in _ways():
        if answers(argv):
            for path in (argv[0], sys.executable, str(Path(mailmend.__file__).parent)):
                require_roots_own(path, "Webmin would run it as root")
            where = ("--config-directory", config_directory) if config_directory else ()
            return shlex.join((*argv, "apply", *where))
    raise Refused("no way was found to run this mailmend from Webmin", "install it, then run it again")


def _ways() -> Iterator[tuple[str, ...]]:
    """The installed command; the launcher beside a checkout's source; this interpreter with our module."""
    beside = Path(sys.executable).with_name(_LAUNCHER)
    launcher = Path(mailmend.__file__).parents[2] / _LAUNCHER
    for path in (Path(sys.argv[0]).absolute(), beside, launcher):
        if path.name == _LAUNCHER and path.is_file():
            yield (str(path),)
    yield (sys.executable, "-m", "mailmend")
