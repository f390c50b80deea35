"""The postconf(5) page that is installed with this Postfix, wherever it put it, packed or not."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from mailmend.model import CannotLook
from mailmend.parse import manual
from mailmend.system.postfix import Configuration

_MOST = 4 << 20  # bytes of a page, unpacked; the one of 3.11 has 0.7 MB
_OPENERS: dict[str, Callable[..., Any]] = {"": open, ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def paragraph(name: str, configuration: Configuration) -> str:
    """What the manual says of the parameter *name* first. Raises CannotLook where there is no manual."""
    folders = [configuration.value("manpage_directory"), "/usr/share/man", "/usr/local/man"]
    pages = [
        f"{folder}/man5/postconf.5{packed}" for folder in folders if _is_place(folder) for packed in _OPENERS
    ]
    if _is_place(html := configuration.value("html_directory")):
        pages.append(f"{html}/postconf.5.html")
    for path in dict.fromkeys(pages):
        if text := _page(path, _age(path)):
            return manual.paragraph(text, name)
    raise CannotLook("the manual page postconf(5) is not installed here")


def _is_place(folder: str) -> bool:
    return folder.startswith("/")


def _age(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=4)
def _page(path: str, age: int) -> str:
    """The page's text, "" where it is not there, not a file, larger than any page is, or broken."""
    if not age or not Path(path).is_file():
        return ""
    try:
        with _OPENERS.get(PurePath(path).suffix, open)(path, "rb") as file:
            read: bytes = file.read(_MOST + 1)
    except (OSError, EOFError, ValueError, lzma.LZMAError):
        return ""
    return "" if len(read) > _MOST else read.decode("utf-8", "replace")
