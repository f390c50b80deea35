"""What every shape is made of: documents, times, and any noun field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

Shape = dict[str, Any]


def document(name: str, content: Mapping[str, Any]) -> Shape:
    """*content* under its schema, `mailmend.NAME/1`."""
    return {"schema": f"mailmend.{name}/1", **content}


def error(command: str | None, kind: str, reason: str, next_step: str) -> Shape:
    """An ending without an answer: *kind* is usage, parse, cannot-look, refused, interrupted or bug."""
    told = {"kind": kind, "reason": reason, "next_step": next_step or None}
    return document("error", {"command": command, "error": told})


def moment(at: datetime | None) -> str | None:
    """RFC 3339; a time that came without an offset is the host's local time."""
    if at is None:
        return None
    return (at if at.tzinfo else at.astimezone()).isoformat(timespec="seconds")


def value(thing: Any) -> Any:
    """Any noun, field by field: what answers and settings look like."""
    if isinstance(thing, datetime):
        return moment(thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        return {f.name: value(getattr(thing, f.name)) for f in fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): value(each) for key, each in thing.items()}
    if isinstance(thing, (tuple, list, set, frozenset)):
        return [value(each) for each in thing]
    return thing
