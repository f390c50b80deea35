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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailmend.model import CannotLook, MailmendError, ParseError, Refused
from mailmend.ui.encode import printable
from mailmend.ui.helper import verbs
from mailmend.ui.helper.acting import Acting

AT_ONCE = 16  # requests; the jobs that change Postfix wait for each other by their own lock
_SECONDS = 5.0  # a request comes whole in that time
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
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._socket = _listening(path, gid)

    def serve(self) -> None:
        """Until the process ends."""
        while True:
            connection, _ = self._socket.accept()
            if not self._free.acquire(blocking=False):
                _close(connection, _error("refused", "the helper has too much to do", "try again"))
                continue
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._answer(connection)
        finally:
            self._free.release()

    def _answer(self, connection: socket.socket) -> None:
        uid = _peer(connection)
        if uid not in (0, self._uid):
            _send(connection, _error("refused", "this socket is the console's", ""))
            _drain(connection)
            return

        def progress(text: str) -> None:
            _send(connection, {"progress": text})

        try:
            verb = verbs.decode(_line(connection))
            told: Mapping[str, Any] = {"answer": self._acting.act(verb, progress, root=uid == 0)}
        except MailmendError as error:
            kind = next((kind for cls, kind in _KINDS if isinstance(error, cls)), "bug")
            told = _error(kind, error.reason, error.next_step)
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
    connection.settimeout(_SECONDS)
    read = bytearray()
    try:
        while not read.endswith(b"\n"):
            part = connection.recv(verbs.LONGEST)
            read += part
            if not part or len(read) > verbs.LONGEST + 1 or b"\n" in part[:-1]:
                raise ParseError("a request is one line of JSON")
    except OSError:
        raise ParseError("no request came in time") from None
    connection.settimeout(None)
    return bytes(read[:-1])


def _error(kind: str, reason: str, next_step: str) -> Mapping[str, Any]:
    return {"error": {"kind": kind, "reason": reason, "next_step": next_step}}


def _send(connection: socket.socket, told: Mapping[str, Any]) -> None:
    # Whoever asked may be gone; what was begun goes on, and stands in the history.
    with suppress(OSError):
        connection.sendall(json.dumps(told, ensure_ascii=True).encode("ascii") + b"\n")


def _drain(connection: socket.socket) -> None:
    """What was not read when a socket is closed takes the answer with it: a refused request is read, to a bound."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1.0)
        for _ in range(64):
            if not connection.recv(verbs.LONGEST):
                return


def _close(connection: socket.socket, told: Mapping[str, Any]) -> None:
    with connection:
        _send(connection, told)
