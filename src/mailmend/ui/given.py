"""What a person hands in: files, folders, mailboxes or standard input, as bytes; or one line that says why not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import IO

from mailmend.model import CannotLook, ParseError
from mailmend.parse import mbox, paste
from mailmend.ui.encode import printable

# One byte more than is ever read, so that the reader of the text can say that it is too much.
MOST = paste.LARGEST + 1


def given(name: str) -> bytes:
    """The bytes of a file, or of standard input; a little more than can be explained at most."""
    if name == "-":
        return _standard_input().read(MOST)
    try:
        with Path(name).open("rb") as file:
            return file.read(MOST)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None


def several(names: Sequence[str]) -> bool:
    """Whether any of *names* holds more than one message: then one that cannot be read is no reason to stop."""
    return any(name != "-" and (_is_folder(name) or _is_mbox(name)) for name in names)


def every(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each of *names*: of a mailbox each message, of a folder each file, one after the other.

    A folder is a Maildir, or holds files with mail in them. Of a message larger than 1 MB the first 1 MB is read, and
    a line on stderr says so.
    """
    for name in names:
        if name == "-":
            yield from _stream(name, _standard_input())
        elif _is_folder(name):
            yield from _folder(name)
        else:
            yield from _file(name)


def _folder(name: str) -> Iterator[tuple[str, bytes]]:
    """The files of a Maildir's `new` and `cur`, or what of any other folder may be mail; nothing that lies deeper."""
    boxes = [Path(name) / box for box in ("new", "cur") if (Path(name) / box).is_dir()]
    try:
        found = [
            path for folder in boxes or [Path(name)] for path in sorted(folder.iterdir()) if _is_file(path)
        ]
    except OSError as error:
        raise _unreadable(name, error) from None
    found = [path for path in found if boxes or _may_be_mail(path)]
    if not found:
        raise ParseError(
            f"{name} is a directory with no mail in it", "give a Maildir, or a folder of bounces"
        )
    for path in found:
        yield from _file(str(path))


def _is_file(path: Path) -> bool:
    """A file with something in it: no pipe that nobody writes to, nothing that the kernel makes up."""
    status = path.stat()
    return S_ISREG(status.st_mode) and status.st_size > 0 and not path.name.startswith(".")


def _may_be_mail(path: Path) -> bool:
    if path.suffix.lower() in (".eml", ".msg", ".mbox", ".mbx", ".txt", ".log", ".json"):
        return True
    try:
        with path.open("rb") as file:
            start = file.read(mbox.LINE_CAP)
    except OSError:
        return False
    return mbox.begins(start) or paste.is_message(start)


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _file(name: str) -> Iterator[tuple[str, bytes]]:
    try:
        with Path(name).open("rb") as file:
            yield from _stream(name, file)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None


def _stream(name: str, file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    start = file.read(mbox.LINE_CAP)
    shown = "standard input" if name == "-" else name
    if not mbox.begins(start):
        data = start + file.read(MOST - len(start))
        if len(data) > paste.MESSAGE_CAP and paste.is_message(data):
            _say_cut(shown)
        yield name, data
        return
    for number, (data, cut) in enumerate(mbox.messages(_lines(start, file), paste.MESSAGE_CAP), start=1):
        place = f"{shown}, message {number}"
        if cut:
            _say_cut(place)
        yield place, data


def _lines(start: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """The lines of what was read and what is still to be read, none longer than the cap."""
    start += file.readline(mbox.LINE_CAP)
    yield from start.splitlines(keepends=True)
    while line := file.readline(mbox.LINE_CAP):
        yield line


def say(notice: str) -> None:
    """One line on stderr, harmless whatever a file is called."""
    sys.stderr.write(f"mailmend: {printable(notice)}\n")


def _say_cut(name: str) -> None:
    say(f"{name} is larger than 1 MB: the first 1 MB of it was read")


def _standard_input() -> IO[bytes]:
    if sys.stdin.isatty():
        sys.stderr.write("mailmend: paste the bounce, the reply or the log lines, then press Ctrl-D\n")
    return sys.stdin.buffer


def _is_mbox(name: str) -> bool:
    try:
        with Path(name).open("rb") as file:
            return mbox.begins(file.read(2000))
    except (OSError, ValueError):
        return False


def _unreadable(name: str, error: Exception) -> ParseError | CannotLook:
    if isinstance(error, FileNotFoundError):
        return ParseError(f"{name}: no such file", "give a file, or - for standard input")
    if isinstance(error, IsADirectoryError):
        return ParseError(f"{name} is a directory", "give the file in it that has the bounce")
    if isinstance(error, PermissionError):
        return CannotLook(f"{name} may not be read by you", "run it with sudo, or make it readable")
    told = getattr(error, "strerror", None) or str(error)
    return CannotLook(f"{name} cannot be read: {told}", "give another file, or - for standard input")
