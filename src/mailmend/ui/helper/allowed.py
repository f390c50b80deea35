"""What may be changed from a page: plain settings as they are, others with a fresh code, some never (road/tiers.py)."""

from __future__ import annotations

from collections.abc import Iterable

from mailmend import settings
from mailmend.model import FileEdit, Probe, Record, Refused
from mailmend.parse.assignment import Assignment
from mailmend.questions import File
from mailmend.road import tiers
from mailmend.road.edits import config_directory

FROM_A_PAGE = "console:"  # then the session, and where it was begun
_NEVER = ("R", "unlisted")
_EXECUTED = ("command", "unprivileged", "chroot")  # columns of master.cf; "" is a whole entry


def needs_step_up(files: tuple[FileEdit, ...], probe: Probe) -> bool:
    """Whether a fresh code is asked for before *files* are changed.

    Refused where they change what is equal to root, or was never judged: that is typed on a terminal, by its name.
    What stays as it is is read too: it may be made of what changes.
    """
    if not files:
        return False
    touched = tiers.touched((*files, *_others(files, probe)))
    forbidden = [each for each in touched if each.tier in _NEVER]
    if forbidden:
        first = forbidden[0]
        raise Refused(
            f"{first.target} is not changed from a page ({first.why})",
            f"mailmend set {' '.join(f'{name}=VALUE' for name in _names(forbidden))}",
        )
    return any(each.step_up for each in touched)


def require_plain_names(wanted: Iterable[Assignment]) -> None:
    """Refused where one of them names what is not changed from a page, whether or not it would become another."""
    for each in wanted:
        parameter = each.kind in ("setting", "override")
        never = settings.load().of(each.name).tier in _NEVER if parameter else each.name in ("", *_EXECUTED)
        if never:
            raise Refused(f"{each.target} is not changed from a page", f"mailmend set {each.target}=VALUE")


def require_ours(record: Record) -> None:
    """Refused where *record* was not begun from a page: what was done on a terminal is ended there."""
    if not record.by.startswith(FROM_A_PAGE):
        raise Refused(
            f"{record.id} was not begun from a page, but by {record.by}", f"mailmend history {record.id}"
        )


def _others(files: tuple[FileEdit, ...], probe: Probe) -> tuple[FileEdit, ...]:
    folder = config_directory(probe)
    found = []
    for path in (f"{folder}/main.cf", f"{folder}/master.cf"):
        if all(edit.path != path for edit in files):
            seen = probe.ask(File(path)).answer
            if seen is None or seen.text is None:
                raise Refused(f"{path} cannot be read", "what the change does to it is not known")
            found.append(FileEdit(path, seen.text, seen.text))
    return tuple(found)


def _names(touched: Iterable[tiers.Touched]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.target for each in touched))[:5]
