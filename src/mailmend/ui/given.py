"""What a person hands in: files, folders, mailboxes or standard input, as bytes; or one line that says why not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import IO

from mailmend.model import CannotLook, ParseError
from mailmend.parse import mbox, paste
from mailmend.ui.encode import printable

# One byte more than is ever read, so that the reader of the text can say that it is too much.
MOST = paste.LARGEST + 1
UNPACKED = 50 * 1024 * 1024  # of a mailbox that is packed

Note = Callable[[str], None]
_GZIP = b"\x1f\x8b"


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


def say(notice: str) -> None:
    """One line on stderr, harmless whatever a file is called."""
    sys.stderr.write(f"mailmend: {printable(notice)}\n")


def every(names: Sequence[str], note: Note = say) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each of *names*: of a mailbox each message, of a folder each file, one after the other.

    A folder is a Maildir, or holds files with mail in them; what is packed by gzip is unpacked, 50 MB of it at most.
    Of a mailbox's message larger than 1 MB the first 1 MB is given, and *note* told so.
    """
    for name in names:
        if name == "-":
            yield from _stream(name, _standard_input(), note)
        elif _is_folder(name):
            yield from _folder(name, note)
        else:
            yield from _file(name, note)


def _folder(name: str, note: Note) -> Iterator[tuple[str, bytes]]:
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
        yield from _file(str(path), note)


def _is_file(path: Path) -> bool:
    """A file with something in it: no pipe that nobody writes to, nothing that the kernel makes up."""
    status = path.stat()
    return S_ISREG(status.st_mode) and status.st_size > 0 and not path.name.startswith(".")


def _may_be_mail(path: Path) -> bool:
    if path.suffix.lower() in (".eml", ".msg", ".mbox", ".mbx", ".txt", ".log", ".json", ".gz"):
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


def _file(name: str, note: Note) -> Iterator[tuple[str, bytes]]:
    try:
        with Path(name).open("rb") as file:
            yield from _stream(name, file, note)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None


def _stream(name: str, file: IO[bytes], note: Note) -> Iterator[tuple[str, bytes]]:
    start = file.read(mbox.LINE_CAP)
    shown = "standard input" if name == "-" else name
    if start[:2] == _GZIP:
        file = _unpacked(start, file, shown, note)
        start = file.read(mbox.LINE_CAP)
    if not mbox.begins(start):
        yield name, start + file.read(MOST - len(start))
        return
    for number, (data, cut) in enumerate(mbox.messages(_lines(start, file), paste.MESSAGE_CAP), start=1):
        place = f"{shown}, message {number}"
        if cut:
            note(f"{place} is larger than 1 MB: the first 1 MB of it was read")
        yield place, data


def _unpacked(start: bytes, file: IO[bytes], shown: str, note: Note) -> IO[bytes]:
    """What gzip packed, as far as it is whole; no more of it than is read of a mailbox or of anything else."""
    import io
    import zlib

    unpacked, packed, most, whole = bytearray(), start, MOST, False
    engine = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        while packed and len(unpacked) < most:
            unpacked += engine.decompress(packed, min(most - len(unpacked), MOST))
            if len(unpacked) >= MOST and mbox.begins(bytes(unpacked[:2000])):
                most = UNPACKED
            whole = engine.eof
            if whole:  # logrotate may have appended another
                packed, engine = engine.unused_data, zlib.decompressobj(zlib.MAX_WBITS | 16)
            else:
                packed = engine.unconsumed_tail
            packed = packed or file.read(mbox.LINE_CAP)
    except zlib.error as error:
        if not unpacked:
            raise ParseError(f"{shown}: packed by gzip, and broken: {error}", "give it unpacked") from None
        whole = False
    if not whole and len(unpacked) < most:
        note(f"{shown} is broken: what gzip could unpack of it was read")
    if len(unpacked) >= UNPACKED:
        note(f"{shown} is larger than {UNPACKED >> 20} MB when unpacked: the first of them were read")
    return io.BytesIO(unpacked)


def _lines(start: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """The lines of what was read and what is still to be read, none longer than the cap."""
    start += file.readline(mbox.LINE_CAP)
    yield from start.splitlines(keepends=True)
    while line := file.readline(mbox.LINE_CAP):
        yield line


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
