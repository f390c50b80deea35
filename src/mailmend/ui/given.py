"""What a person hands in: a file by its name, or standard input, as bytes; or one line that says why not."""

from __future__ import annotations

import sys
from pathlib import Path

from mailmend.model import CannotLook, ParseError

# One byte more than is ever read, so that the reader of the text can say that it is too much.
MOST = 5 * 1024 * 1024 + 1


def given(name: str) -> bytes:
    """The bytes of a file, or of standard input; a little more than can be explained at most."""
    if name == "-":
        if sys.stdin.isatty():
            sys.stderr.write("mailmend: paste the bounce, the reply or the log lines, then press Ctrl-D\n")
        return sys.stdin.buffer.read(MOST)
    try:
        with Path(name).open("rb") as file:
            return file.read(MOST)
    except FileNotFoundError:
        raise ParseError(f"{name}: no such file", "give a file, or - for standard input") from None
    except IsADirectoryError:
        raise ParseError(f"{name} is a directory", "give the file in it that has the bounce") from None
    except PermissionError:
        raise CannotLook(f"{name} may not be read by you", "run it with sudo, or make it readable") from None
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise CannotLook(
            f"{name} cannot be read: {told}", "give another file, or - for standard input"
        ) from None
