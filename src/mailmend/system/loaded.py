"""What the running Postfix has loaded: a copy of a file, taken when the file was seen to run, under that load's name.

Postfix does not tell what it runs with. A file that was last saved before the last reload is what runs; so it is kept,
and for as long as nothing is loaded anew, what is saved later can be held against it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from mailmend.places import loaded
from mailmend.questions import Running
from mailmend.system.durable import write

_MOST = 1 << 20  # bytes of a file


def note(state: Path, paths: Iterable[str], running: Running) -> None:
    """Keep those of *paths* that were saved before the last reload of *running*. OSError where it cannot be kept."""
    if not running.load or running.reloaded is None:
        return
    kept = _kept(state)
    now = {path: text for path in paths if (text := _text(Path(path), running.reloaded)) is not None}
    told = kept | {path: (running.load, text) for path, text in now.items()}
    if told != kept:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(loaded(state), json.dumps(told), 0o600)


def text(state: Path, path: str, running: Running) -> str | None:
    """What *running* has loaded of *path*; None where that was not seen, or may not be read."""
    load, told = _kept(state).get(path, ("", None))
    return told if running.load and load == running.load else None


def _text(path: Path, before: datetime) -> str | None:
    """The file, where it was last saved before then; None: it was not, or is large, or no UTF-8."""
    with path.open("rb") as file:
        read = file.read(_MOST + 1)
        saved = os.fstat(file.fileno()).st_mtime
    if len(read) > _MOST or saved > before.timestamp():
        return None
    try:
        return read.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _kept(state: Path) -> dict[str, tuple[str, str]]:
    """Each path with its load and text; nothing where nothing was kept, may be read, or can be understood."""
    try:
        return msgspec.json.decode(loaded(state).read_bytes(), type=dict[str, tuple[str, str]])
    except (OSError, msgspec.MsgspecError):
        return {}
