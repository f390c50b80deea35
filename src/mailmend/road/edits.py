"""Changes -> the files before and after, losslessly, with their unified difference and the digest of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from difflib import unified_diff

from mailmend.model import CannotLook, Change, FileEdit, Probe, Refused
from mailmend.parse import maincf, mastercf
from mailmend.questions import File, FileState, Setting


def config_directory(probe: Probe) -> str:
    """Where this Postfix reads main.cf and master.cf (postconf(5) config_directory)."""
    seen = probe.ask(Setting("config_directory"))
    if seen.answer is None or not seen.answer.value:
        raise CannotLook(
            f"Postfix's configuration cannot be read: {seen.error}", "is Postfix installed here?"
        )
    return seen.answer.value


def compose(changes: Iterable[Change], probe: Probe) -> tuple[FileEdit, ...]:
    """The files that *changes* touch, each once, main.cf and master.cf last.

    Lookup tables come first: a main.cf that names a missing table defers all mail.
    DNS changes touch no file. Raises Refused where a file changed under the plan, CannotLook where
    one cannot be read.
    """
    directory = config_directory(probe)
    tables: dict[str, FileEdit] = {}
    main = master = None
    for change in changes:
        if change.kind == "file":
            tables[change.target] = FileEdit(change.target, _text(probe, change.target), change.after)
        elif change.kind == "setting":
            main = main or maincf.parse(_required(probe, f"{directory}/main.cf"))
            main = (
                main.assign(change.target, change.after)
                if change.after is not None
                else main.remove(change.target)
            )
        elif change.kind == "override":
            master = master or mastercf.parse(_required(probe, f"{directory}/master.cf"))
            service, _, name = change.target.rpartition("/")
            master = master.assign_override(service, name, change.after)
        elif change.kind == "field" and change.after is not None:
            master = master or mastercf.parse(_required(probe, f"{directory}/master.cf"))
            service, _, name = change.target.rpartition("/")
            master = master.assign_column(service, name, change.after)
        elif change.kind == "service":
            master = master or mastercf.parse(_required(probe, f"{directory}/master.cf"))
            master = (
                master.remove_service(change.target)
                if change.after is None
                else master.add_service(change.after)
                if change.before is None
                else master.replace_service(change.target, change.after)
            )
    edits = list(tables.values())
    if master is not None:
        edits.append(
            FileEdit(f"{directory}/master.cf", _required(probe, f"{directory}/master.cf"), str(master))
        )
    if main is not None:
        edits.append(FileEdit(f"{directory}/main.cf", _required(probe, f"{directory}/main.cf"), str(main)))
    return tuple(edit for edit in edits if edit.before != edit.after)


def difference(files: Iterable[FileEdit]) -> str:
    """The unified difference of all files, as patch(1) reads it."""
    out: list[str] = []
    for edit in files:
        lines = unified_diff(
            (edit.before or "").splitlines(keepends=True),
            (edit.after or "").splitlines(keepends=True),
            edit.path if edit.before is not None else "/dev/null",
            edit.path if edit.after is not None else "/dev/null",
        )
        for line in lines:
            out.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(out)


def digest(remedy: str | None, changes: Iterable[Change], files: Iterable[FileEdit]) -> str:
    """What an approval covers: the remedy, its changes and every byte of the files, before and after."""
    content = [
        remedy,
        [[c.kind, c.target, c.before, c.after, c.activation] for c in changes],
        [[f.path, _sha(f.before), _sha(f.after)] for f in files],
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()


def _sha(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _state(probe: Probe, path: str) -> FileState:
    seen = probe.ask(File(path))
    if seen.answer is None:
        raise CannotLook(f"{path} cannot be read: {seen.error}", "run mailmend as root")
    return seen.answer


def _text(probe: Probe, path: str) -> str | None:
    state = _state(probe, path)
    return state.text if state.exists else None


def _required(probe: Probe, path: str) -> str:
    text = _text(probe, path)
    if text is None:
        raise Refused(
            f"{path} does not exist", "mailmend changes an existing configuration, it does not make one"
        )
    return text
