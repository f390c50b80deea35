"""The raw files as they are saved, beside what runs; an edit of one becomes a list of changes, each with its tier."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from mailmend.model import CannotLook, MailmendError, ParseError
from mailmend.questions import File
from mailmend.ui.web.console import MEANWHILE
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing
from mailmend.ui.web.pages import files_coloured
from mailmend.ui.web.pages.settings import LIVE, ONLY_IN_A_TERMINAL, TIERS

if TYPE_CHECKING:
    from mailmend.road.file_edit import Changed, Edit
    from mailmend.settings import Known
    from mailmend.ui.show import Shape
    from mailmend.ui.web.console import Console

_MOST = 1 << 20  # characters of a file that a page shows
_EDITED, _LINES = 1 << 18, 5000  # of an edit: what is compared takes its time
_LASTS = 2.0  # seconds that a look is good
_DRAWN: dict[
    str, tuple[str, Markup]
] = {}  # each file as it was drawn last: hundreds of lines take their time
Name = Literal["main.cf", "master.cf"]


class Text(msgspec.Struct):
    """*file* as it is wanted."""

    text: str
    file: Name = "main.cf"


async def show(asked: Asked[Nothing]) -> Response:
    """Both files, line by line, each with what of it does not run."""
    seen = await asked.console.seen(asked.person, "unloaded", within=_LASTS, meanwhile=MEANWHILE)
    files = await asked.console.run(_files, asked.console)
    return asked.page("files.html", files=files, unloaded=unloaded(seen.document), seen=seen)


def unloaded(document: Shape | None) -> dict[str, Any]:
    """unloaded/1 by the files' names; nothing where it could not be looked at."""
    return {each["path"].rpartition("/")[2]: each for each in document["files"]} if document else {}


def _files(console: Console) -> list[tuple[str, str, str, Markup]]:
    """Name, path, text and coloured lines of each."""
    found = []
    for name, coloured in (("main.cf", files_coloured.main), ("master.cf", files_coloured.master)):
        text, path = _read(console, name)
        drawn = _DRAWN.get(name)
        if drawn is None or drawn[0] != text:
            template = console.templates.get_template("_file_lines.html")
            drawn = _DRAWN[name] = text, Markup(template.render(rows=coloured(text)))  # noqa: S704 (Jinja's)
        found.append((name, path, text, drawn[1]))
    return found


async def changes(asked: Asked[Text]) -> Response:
    """What an edit changes, each with its tier; nothing is saved."""
    given = asked.given
    saved, path = await asked.console.run(_read, asked.console, given.file)
    for text in (saved, given.text):
        if len(text) > _EDITED or text.count("\n") > _LINES:
            raise ParseError(
                f"that is more than {_LINES} lines or {_EDITED} characters",
                "edit the file in an editor, then: mailmend apply",
            )
    edit = await asked.console.run(_edit, given.file, saved, given.text, path)
    here = [one for one in edit.changed if from_a_page(one.known, one.after)]
    return asked.page(
        "files_changes.html",
        edit=edit,
        file=given.file,
        here=here,
        terminal=[(one, _command(one)) for one in edit.changed if not from_a_page(one.known, one.after)],
        all=_all(here),
        TIERS=TIERS,
        LIVE=LIVE,
    )


def _edit(name: Name, before: str, after: str, path: str) -> Edit:
    from mailmend.road import file_edit, service_edit

    if name == "main.cf":
        return file_edit.main_cf(before, after)
    return service_edit.master_cf(before, after, path)


def from_a_page(known: Known, after: str | None) -> bool:
    """Whether the helper would take it from here: by its own rule, and by what a request can say."""
    from mailmend.parse import assignment
    from mailmend.ui.helper import verbs
    from mailmend.ui.helper.allowed import require_plain_names

    if known.tier in ONLY_IN_A_TERMINAL:
        return False
    try:
        wanted = (
            assignment.removal(known.name) if after is None else assignment.parse(f"{known.name}={after}")
        )
        require_plain_names((wanted,))
        msgspec.convert({"name": known.name, "value": after}, verbs.Assign)
    except (MailmendError, msgspec.ValidationError):
        return False
    return True


def _command(one: Changed) -> str:
    if one.after is None:
        return shlex.join(["mailmend", "set", "--default", one.name])
    return shlex.join(["mailmend", "set", f"{one.name}={one.after}"])


def _all(changed: list[Changed]) -> str:
    """All of them as one command."""
    words: list[str] = []
    for one in changed:
        words += ["--default", one.name] if one.after is None else [f"{one.name}={one.after}"]
    return shlex.join(["mailmend", "set", *words])


def _read(console: Console, name: str) -> tuple[str, str]:
    """The text of a file of the configuration, and its path. CannotLook: it cannot be read from here."""
    from mailmend.facts.settings import value

    probe = console.here().probe
    folder = console.installed.text("config_directory", lambda: value(probe, "config_directory"))
    path = f"{folder}/{name}"
    seen = probe.ask(File(path))
    if seen.answer is None or not seen.answer.exists:
        raise CannotLook(f"{path} cannot be read: {seen.error or 'it is not there'}")
    return (seen.answer.text or "")[:_MOST], path


ENDPOINTS = (
    Endpoint("/files", show, "main.cf and master.cf, as they are saved and as they run."),
    Endpoint(
        "/files/changes", changes, "The settings and services that an edited file changes.", "POST", Text
    ),
)
