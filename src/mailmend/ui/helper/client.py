"""Asking the helper: a verb -> its document, with progress as it comes."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailmend.jobs.here import Progress, silent
from mailmend.model import CannotLook, MailmendError, ParseError, Refused
from mailmend.ui.helper import verbs

_KINDS: dict[str, type[MailmendError]] = {
    "parse": ParseError,
    "cannot-look": CannotLook,
    "refused": Refused,
}
_LONGEST = 64 << 20  # bytes of an answer


def ask(
    path: Path, verb: verbs.Any_, progress: Progress = silent, *, seconds: float = 300.0
) -> dict[str, Any]:
    """The helper's answer to *verb*.

    Raises what the helper raised; CannotLook where there is none at *path*, or it fell silent for *seconds*.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(
                    verbs.encode(verb)
                )  # refused before it was read, the answer is there all the same
            with connection.makefile("rb") as lines:
                while line := lines.readline(_LONGEST):
                    told = json.loads(line)
                    if "progress" in told:
                        progress(told["progress"])
                    elif "error" in told:
                        error = told["error"]
                        raise _KINDS.get(error["kind"], MailmendError)(error["reason"], error["next_step"])
                    else:
                        answer: dict[str, Any] = told["answer"]
                        return answer
    except (OSError, ValueError) as failure:
        raise CannotLook(f"the helper does not answer at {path}: {failure}") from None
    raise CannotLook("the helper ended before its answer", "mailmend status says where things stand")
