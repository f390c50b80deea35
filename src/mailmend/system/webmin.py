"""Webmin's Postfix module runs our command for its Apply button (`reload_cmd`), and gets its old one back.

Webmin runs reload_cmd after its own `postfix check` and judges by the exit status alone; without that key it runs
`postfix reload`, which silently keeps what needs stop and start.
"""

from __future__ import annotations

import difflib
import getpass
from pathlib import Path

from mailmend import __version__
from mailmend.model import Activation, CannotLook, FileEdit, Plan, Proof, Record, Refused
from mailmend.parse.logical import control_character
from mailmend.system import host, swap, transaction
from mailmend.system.guard import Guard
from mailmend.system.history import History
from mailmend.system.probe import now

CONFIG = "/etc/webmin/postfix/config"
_KEY = "reload_cmd"
_REASON = "webmin: the Apply button"


def point(path: str, command: str, state: Path, by: str | None = None) -> tuple[str | None, str]:
    """Set reload_cmd in Webmin's *path* to *command*: (what it was, what it is). Nothing to do: both alike.

    All other lines, mode and owner stay. The old file is in the history below *state*.
    Raises CannotLook where Webmin's Postfix module is not installed, Refused where the file cannot be changed.
    """
    if not command.strip() or control_character(command):
        raise Refused(f"{command!r} cannot be a command in Webmin's configuration")
    text = _text(path)
    before = _value(text)
    if before != command:
        _apply(path, text, _assigned(text, command), state, by)
    return before, command


def restore(path: str, state: Path, by: str | None = None) -> tuple[str | None, str]:
    """Take `point` back: (our command, what is in force again; "" for Webmin's own reload).

    Other lines that Webmin changed since stay. Raises Refused where there is nothing to take back, or where
    somebody set another command since.
    """
    ours = _value(_text(path))
    history = History(state)
    records = history.records()
    record = next((r for r in records if r.state in ("kept", "intent") and _changed(r, path)), None)
    if record is None:
        raise Refused("mailmend has not changed Webmin's reload command", "nothing was changed")
    take_back(record, history, by or getpass.getuser())
    return ours, _value(_text(path)) or ""


def take_back(record: Record, history: History, by: str) -> transaction.Undone:
    """Undo one entry of `point`. Raises as transaction.undo does."""
    return transaction.undo(
        record,
        activate=_nothing,
        prove=_proof,
        history=history,
        by=by,
        merge=_merged,
        guard=Guard(history.state),
    )


def is_ours(record: Record) -> bool:
    """Whether *record* is an entry of `point`: Webmin's configuration was changed, nothing of Postfix."""
    return record.reason == _REASON and record.undoes is None


def _changed(record: Record, path: str) -> bool:
    return is_ours(record) and [edit.path for edit in record.files] == [path]


def answers(argv: tuple[str, ...]) -> bool:
    """Whether *argv* is our command line: `--version` as Webmin runs it, with nothing of this session about it."""
    try:
        # A launcher may have to finish its set-up first.
        done = host.command((*argv, "--version"), timeout=120)
    except (CannotLook, OSError):
        return False
    return done.returncode == 0 and done.stdout.strip() == f"mailmend {__version__}"


def _apply(path: str, before: str, after: str, state: Path, by: str | None) -> None:
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    diff = "".join(difflib.unified_diff(old, new, path, path))
    plan = Plan(None, (), (FileEdit(path, before, after),), diff, "", reason=_REASON)
    transaction.apply(
        plan,
        activate=_nothing,
        prove=_proof,
        history=History(state),
        by=by or getpass.getuser(),
        reason=_REASON,
        guard=Guard(state),
    )


def _nothing(_: Activation) -> None:
    """Webmin reads the file anew for every page."""


def _proof() -> Proof:
    """The swap has read back what it wrote; nothing of it runs before somebody presses Apply."""
    return Proof((), now())


def _text(path: str) -> str:
    try:
        text = swap.read(path)
    except OSError as error:
        raise CannotLook(f"{path}: {error.strerror}", "run it as root") from None
    if text is None:
        raise CannotLook(f"Webmin's Postfix module is not installed here: no {path}", "nothing was changed")
    return text


def _value(text: str) -> str | None:
    """The last reload_cmd, for Webmin keeps the last of two; None where there is none."""
    found = [line.partition("=")[2] for line in text.split("\n") if line.partition("=")[0] == _KEY]
    return found[-1].rstrip("\r") if found else None


def _assigned(text: str, value: str | None) -> str:
    """*text* with every reload_cmd line replaced by one, where the last was; None takes it out."""
    lines = text.split("\n")
    places = [n for n, line in enumerate(lines) if line.partition("=")[0] == _KEY]
    for place in places[:-1] if value is not None else places:
        lines[place] = "\0"
    if value is not None and places:
        lines[places[-1]] = f"{_KEY}={value}"
    lines = [line for line in lines if line != "\0"]
    if value is not None and not places:
        lines[-1:] = [lines[-1], f"{_KEY}={value}", ""] if lines[-1] else [f"{_KEY}={value}", ""]
    return "\n".join(lines)


def _merged(edit: FileEdit, current: str) -> str | None:
    """Webmin saved other settings since: only our line is taken back. None where our line was changed."""
    if (
        edit.before is None
        or edit.after is None
        or _value(current) not in (_value(edit.after), _value(edit.before))
    ):
        return None
    return _assigned(current, _value(edit.before))
