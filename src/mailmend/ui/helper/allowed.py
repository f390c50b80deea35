"""What may be changed from a page: plain settings as they are, others with a fresh code, some never (road/tiers.py)."""

from __future__ import annotations

from collections.abc import Iterable

from mailmend.model import FileEdit, Refused
from mailmend.road import tiers

_NEVER = ("R", "unlisted")


def needs_step_up(files: tuple[FileEdit, ...]) -> bool:
    """Whether a fresh code is asked for before *files* are changed.

    Refused where they change what is equal to root, or was never judged: that is typed on a terminal, by its name.
    """
    touched = tiers.touched(files)
    forbidden = [each for each in touched if each.tier in _NEVER]
    if forbidden:
        first = forbidden[0]
        raise Refused(
            f"{first.target} is not changed from a page ({first.why})",
            f"mailmend set {' '.join(f'{name}=VALUE' for name in _names(forbidden))}",
        )
    return any(each.step_up for each in touched)


def _names(touched: Iterable[tiers.Touched]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.target for each in touched))[:5]
