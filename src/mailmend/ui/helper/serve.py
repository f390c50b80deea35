"""The helper's socket: one request a connection, one line of JSON each; progress comes as it goes, then the end.

    -> {"verb": "undo", "grant": ..., "change": ...}
    <- {"progress": "proving"}
    <- {"answer": {...}}   or   {"error": {"kind": "refused", "reason": ..., "next_step": ...}}

Who is at the other end is asked of the kernel (SO_PEERCRED, unix(7)), and is root or the page's user.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailmend.model import CannotLook, MailmendError, ParseError, Refused
from mailmend.ui.encode import printable
from mailmend.ui.helper import verbs
from mailmend.ui.helper.acting import Acting

AT_ONCE = 16  # requests of the page; the jobs that change Postfix wait for each other by their own lock
_ROOTS = 4  # and of root, whom the page cannot keep out
_SECONDS = 5.0  # a request comes whole in that time, and who asks takes the answer as fast as that
_KINDS: tuple[tuple[type[MailmendError], str], ...] = (
    (ParseError, "parse"),
    (CannotLook, "cannot-look"),
    (Refused, "refused"),
)


class Helper:
    """Serves *path*, a Unix socket in a folder that only root writes, to root and to the user *uid*."""

    def __init__(self, path: Path, uid: int, gid: int, acting: Acting) -> None:
        self._uid = uid
        self._acting = acting
        self._free = {uid: threading.BoundedSemaphore(AT_ONCE), 0: threading.BoundedSemaphore(_ROOTS)}
        self._socket = _listening(path, gid)

    def serve(self) -> None:
        """Until the process ends."""
        while True:
            connection, _ = self._socket.accept()
            connection.settimeout(_SECONDS)
            uid = _peer(connection)
            free = self._free.get(uid)
            if free is None:
                _refuse(connection, "this socket is the console's", "")
            elif not free.acquire(blocking=False):
                _refuse(connection, "the helper has too much to do", "try again")
            else:
                threading.Thread(target=self._one, args=(connection, uid, free), daemon=True).start()

    def _one(self, connection: socket.socket, uid: int, free: threading.BoundedSemaphore) -> None:
        try:
            with connection:
                self._answer(connection, uid)
        finally:
            free.release()

    def _answer(self, connection: socket.socket, uid: int) -> None:
        def progress(text: str) -> None:
            _send(connection, {"progress": text})

        try:
            verb = verbs.decode(_line(connection))
            told: Mapping[str, Any] = {"answer": self._acting.act(verb, progress, root=uid == 0)}
        except MailmendError as error:
            kind = next((kind for cls, kind in _KINDS if isinstance(error, cls)), "bug")
            told = _error(kind, error.reason, error.next_step)
            sys.stderr.write(f"mailmend helper: {kind}: {printable(error.reason)}\n")
        except Exception as error:
            # A bug ends one request, and is told where root looks: the journal.
            sys.stderr.write(f"mailmend helper: {printable(repr(error))}\n")
            told = _error(
                "bug", f"a bug in mailmend: {type(error).__name__}", "the helper's journal has more"
            )
        _send(connection, told)
        _drain(connection)


def _listening(path: Path, gid: int) -> socket.socket:
    """Raises Refused where the socket cannot be made there."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = path.parent.stat()
        if folder.st_uid not in (0, os.geteuid()) or folder.st_mode & 0o022:
            raise Refused(f"{path.parent} can be written by others than root", f"chmod go-w {path.parent}")
        beside = path.with_name(path.name + ".new")
        beside.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        before = os.umask(0o177)
        try:
            made.bind(str(beside))
        finally:
            os.umask(before)
        os.chown(beside, -1, gid)
        beside.chmod(0o660)
        made.listen(AT_ONCE)
        beside.rename(path)  # only now: whoever finds it is answered
    except OSError as failure:
        raise Refused(f"{path} cannot be made: {failure.strerror or failure}") from None
    return made


def _peer(connection: socket.socket) -> int:
    """The user at the other end, when it connected."""
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def _line(connection: socket.socket) -> bytes:
    """ParseError where no whole line comes in time, or a longer one than any verb is."""
    read, end = bytearray(), time.monotonic() + _SECONDS
    try:
        while not read.endswith(b"\n"):
            connection.settimeout(max(0.01, end - time.monotonic()))
            part = connection.recv(verbs.LONGEST)
            read += part
            if not part or len(read) > verbs.LONGEST + 1 or b"\n" in part[:-1]:
                raise ParseError("a request is one line of JSON")
    except OSError:
        raise ParseError("no request came in time") from None
    connection.settimeout(_SECONDS)
    return bytes(read[:-1])


def _error(kind: str, reason: str, next_step: str) -> Mapping[str, Any]:
    return {"error": {"kind": kind, "reason": reason, "next_step": next_step}}


def _send(connection: socket.socket, told: Mapping[str, Any]) -> None:
    # Whoever asked may be gone; what was begun goes on, and stands in the history.
    with suppress(OSError):
        connection.sendall(json.dumps(told, ensure_ascii=True).encode("ascii") + b"\n")


def _drain(connection: socket.socket) -> None:
    """What was not read when a socket is closed takes the answer with it: a refused request is read, to a bound."""
    end = time.monotonic() + 1.0
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(verbs.LONGEST):
                return


def _refuse(connection: socket.socket, reason: str, next_step: str) -> None:
    """At once: nobody waits for who is not served."""
    with connection:
        _send(connection, _error("refused", reason, next_step))
