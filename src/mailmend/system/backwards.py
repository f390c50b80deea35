"""A change's record -> the edits that take it back from what the files are now, others' edits kept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import PurePath

from mailmend.model import FileEdit, Record, Refused
from mailmend.system import swap

Merge = Callable[[FileEdit, str], str | None]


class Conflict(Refused):
    """A file is neither what the change left nor what it found: nothing was touched; *difference* shows it."""

    def __init__(self, reason: str, next_step: str, difference: str) -> None:
        super().__init__(f"CONFLICT: {reason}", next_step)
        self.difference = difference


def backwards(record: Record, merge: Merge) -> tuple[tuple[FileEdit, ...], str]:
    """What takes *record* back, and what stays all the same: a table that is named by others too."""
    edits = tuple(e for e in (_one_backwards(edit, merge) for edit in record.files) if e.before != e.after)
    kept = {e.path: by for e in edits if e.after is None and (by := _named_in(e.path, record.files, edits))}
    says = "; ".join(f"{path} is kept: {by} still names it" for path, by in kept.items())
    return tuple(e for e in edits if e.path not in kept), says


def overwritten(records: Iterable[Record], merge: Merge) -> tuple[tuple[Record, str], ...]:
    """Each change in force with a file in which it no longer stands, though nobody took it back.

    *records* is the history, newest first. Configuration management writes over a change at its next run, and so
    does whoever restores a backup. Of a file only the newest change of ours is asked about: it may well have
    changed what an older one had set. Raises Refused where a file cannot be read.
    """
    newest: dict[str, tuple[Record, FileEdit]] = {}
    for record in records:
        if record.state in ("kept", "trial"):
            for edit in record.files:
                newest.setdefault(edit.path, (record, edit))
    ours = ((record, edit) for record, edit in newest.values() if record.undoes is None)
    return tuple((record, edit.path) for record, edit in ours if not _stands(edit, merge))


def since(record: Record) -> str:
    """What others have made of the files since *record*, as a difference; empty where they are as it left them.

    Raises Refused where a file cannot be read.
    """
    found = ""
    for edit in record.files:
        with swap.refusing(edit.path):
            current = swap.read(edit.path)
        if current not in (edit.before, edit.after):
            found += difference(edit.path, edit.after, current)
    return found


def _stands(edit: FileEdit, merge: Merge) -> bool:
    with swap.refusing(edit.path):
        current = swap.read(edit.path)
    if current == edit.after:
        return True
    if current in (edit.before, None):
        return False
    without = merge(edit, current)
    return without is not None and without != current


def _named_in(table: str, files: Iterable[FileEdit], edits: Iterable[FileEdit]) -> str | None:
    """The configuration file that, after *edits*, still names *table*; None where none does."""
    after = {edit.path: edit.after for edit in edits}
    folders = dict.fromkeys(PurePath(p).parent for p in (*(f.path for f in files), table))
    # `$config_directory/NAME` is the same file: a name that is found once too often keeps a table, no more.
    word = re.compile(rf"(?<![\w.-]){re.escape(PurePath(table).name)}(?![\w.-])")
    for path in (str(folder / name) for folder in folders for name in swap.CONFIGURATION):
        text = after[path] if path in after else swap.read(path)
        if any(word.search(line) for line in (text or "").split("\n") if not line.lstrip().startswith("#")):
            return path
    return None


def in_order(edits: Iterable[FileEdit]) -> tuple[FileEdit, ...]:
    """New tables first, then what names them, and last what is removed: a crash leaves nothing named and missing."""

    def stage(edit: FileEdit) -> int:
        if edit.after is None:
            return 2
        return 1 if PurePath(edit.path).name in swap.CONFIGURATION else 0

    return tuple(sorted(edits, key=stage))


def _one_backwards(edit: FileEdit, merge: Merge) -> FileEdit:
    """The edit that takes *edit* back from what the file is now; before == after where nothing is to do."""
    with swap.refusing(edit.path):
        current = swap.read(edit.path)
    if current in (edit.before, edit.after):
        return FileEdit(edit.path, current, edit.before)
    merged = merge(edit, current) if current is not None else None
    if merged is None:
        raise Conflict(
            f"{edit.path} was changed since, in what is to be taken back",
            f"compare it with the difference and edit {edit.path} by hand; nothing was touched",
            difference(edit.path, edit.after, current),
        )
    return FileEdit(edit.path, current, merged)


def difference(path: str, before: str | None, after: str | None) -> str:
    old, new = ([line + "\n" for line in (text or "").split("\n")] for text in (before, after))
    return "".join(difflib.unified_diff(old, new, path, path))
