"""The pages of this folder -> Causes: a TOML head between lines of `+++`, then the text that people read.

Read one by one, when asked for: a page is a file, its id the file's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mailmend.model import Cause, MailmendError

_FOLDER = Path(__file__).parent
_KINDS = ("permanent", "temporary", "either", "state")
_LISTS = ("who", "steps", "checks", "remedies", "sources")
_FORWARDED = ("who", "steps", "remedies")


class PageError(MailmendError):
    """A page is not as it should be; the reason names the file."""


class Pages(Mapping[str, Cause]):
    """The causes by id, each page read when it is first looked at."""

    def __init__(self, folder: Path) -> None:
        self._files = {file.stem: file for file in sorted(folder.glob("*.md"))}
        self._read: dict[str, Cause] = {}

    def __getitem__(self, name: str) -> Cause:
        if name not in self._read:
            self._read[name] = parse(name, self._files[name].read_text("utf-8"))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@cache
def load() -> Mapping[str, Cause]:
    """All causes by id. Looking one up raises PageError where its page is wrong."""
    return Pages(_FOLDER)


def parse(name: str, text: str) -> Cause:
    """The cause *name* as its page has it. Raises PageError."""
    import tomllib

    opening, *rest = text.split("+++\n", 2)
    if opening or len(rest) != 2:
        raise PageError(f"causes/{name}.md: no head between two lines of +++")
    head, page = rest
    try:
        table = tomllib.loads(head)
    except tomllib.TOMLDecodeError as error:
        raise PageError(f"causes/{name}.md: {error}") from None
    forwarded = table.pop("forwarded", {})
    _require(name, table, forwarded)
    if not page.strip():
        raise PageError(f"causes/{name}.md: nothing to read below the head")
    return Cause(
        id=name,
        title=table["title"],
        kind=table["kind"],
        page=page.strip() + "\n",
        summary=table.get("summary", ""),
        coarse=table.get("coarse", ""),
        **{key: tuple(table.get(key, ())) for key in _LISTS},
        **{f"forwarded_{key}": tuple(words) for key, words in forwarded.items()},
    )


def _require(name: str, table: dict[str, Any], forwarded: dict[str, Any]) -> None:
    for key in table.keys() - {"title", "kind", "summary", "coarse", *_LISTS}:
        raise PageError(f"causes/{name}.md: {key} is no key of a page")
    for key in forwarded.keys() - set(_FORWARDED):
        raise PageError(f"causes/{name}.md: {key} is no key of forwarded")
    for key in ("title", "who", "kind", "steps", "sources"):
        if key not in table:
            raise PageError(f"causes/{name}.md: {key} is missing")
    if table["kind"] not in _KINDS:
        raise PageError(f"causes/{name}.md: kind is one of {', '.join(_KINDS)}")
    for key in ("summary", "coarse"):
        if not isinstance(table.get(key, ""), str):
            raise PageError(f"causes/{name}.md: {key} is text")
    for where, keys in ((table, _LISTS), (forwarded, _FORWARDED)):
        for key in keys:
            if not all(isinstance(word, str) and word for word in where.get(key, ())):
                raise PageError(f"causes/{name}.md: {key} is a list of words")
