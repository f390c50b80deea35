"""The raw files: main.cf and master.cf as they are saved; an edit of main.cf becomes a list of settings to change."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from mailmend.model import CannotLook, ParseError
from mailmend.questions import File
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing
from mailmend.ui.web.pages.settings import LIVE, ONLY_IN_A_TERMINAL, TIERS

if TYPE_CHECKING:
    from mailmend.road.file_edit import Changed, Edit
    from mailmend.ui.web.console import Console

_MOST = 1 << 20  # characters of a file that a page shows
_EDITED, _LINES = 1 << 18, 5000  # of an edit: what is compared takes its time
_PARAMETER = re.compile(r"(?P<name>[^\s=#][^\s=]*)(?P<is>\s*=\s*)(?P<value>.*)", re.DOTALL)
_ENTRY = re.compile(r"(?P<name>\S+\s+\S+)(?P<is>)(?P<value>.*)", re.DOTALL)
Span = tuple[str, str]  # its class, its text


class Text(msgspec.Struct):
    """main.cf as it is wanted."""

    text: str


async def show(asked: Asked[Nothing]) -> Response:
    """Both files, line by line."""
    main, path = await asked.console.run(_read, asked.console, "main.cf")
    master, beside = await asked.console.run(_read, asked.console, "master.cf")
    files = ((path, lines(main, _PARAMETER)), (beside, lines(master, _ENTRY)))
    return asked.page("files.html", files=files, text=main)


async def changes(asked: Asked[Text]) -> Response:
    """The settings that an edit changes, each with its tier; nothing is saved."""
    from mailmend.road import file_edit

    main, _ = await asked.console.run(_read, asked.console, "main.cf")
    for text in (main, asked.given.text):
        if len(text) > _EDITED or text.count("\n") > _LINES:
            raise ParseError(
                f"that is more than {_LINES} lines or {_EDITED} characters",
                "edit the file in an editor, then: mailmend apply",
            )
    edit = await asked.console.run(file_edit.main_cf, main, asked.given.text)
    return asked.page(
        "files_changes.html",
        edit=edit,
        here=[one for one in edit.changed if one.known.tier not in ONLY_IN_A_TERMINAL],
        terminal=[(one, _command(one)) for one in edit.changed if one.known.tier in ONLY_IN_A_TERMINAL],
        all=_all(edit),
        TIERS=TIERS,
        LIVE=LIVE,
    )


def _command(one: Changed) -> str:
    if one.after is None:
        return shlex.join(["mailmend", "set", "--default", one.name])
    return shlex.join(["mailmend", "set", f"{one.name}={one.after}"])


def _all(edit: Edit) -> str:
    """All of it as one command."""
    words: list[str] = []
    for one in edit.changed:
        words += ["--default", one.name] if one.after is None else [f"{one.name}={one.after}"]
    return shlex.join(["mailmend", "set", *words])


def _read(console: Console, name: str) -> tuple[str, str]:
    """The text of a file of the configuration, and its path. CannotLook: it cannot be read from here."""
    from mailmend.facts.settings import value

    here = console.here()
    path = f"{value(here.probe, 'config_directory')}/{name}"
    seen = here.probe.ask(File(path))
    if seen.answer is None or not seen.answer.exists:
        raise CannotLook(f"{path} cannot be read: {seen.error or 'it is not there'}")
    return (seen.answer.text or "")[:_MOST], path


def lines(text: str, pattern: re.Pattern[str]) -> list[list[Span]]:
    """Each physical line as pieces with what they are: a comment, a name, a value, or what goes on with one."""
    return [
        _spans(line, pattern) for line in text.split("\n")[: text.count("\n") + (not text.endswith("\n"))]
    ]


def _spans(line: str, pattern: re.Pattern[str]) -> list[Span]:
    if line.lstrip().startswith("#"):
        return [("comment", line)]
    if line[:1].isspace() or not line:
        return [("value", line)]
    found = pattern.fullmatch(line)
    if found is None:
        return [("broken", line)]
    return [("name", found["name"]), ("is", found["is"]), ("value", found["value"])]


ENDPOINTS = (
    Endpoint("/files", show, "main.cf and master.cf as they are saved."),
    Endpoint("/files/changes", changes, "The settings that an edited main.cf changes.", "POST", Text),
)
