"""The helper's socket: one request a connection, one line of JSON each; what is done comes as it goes, then the end.

    -> {"verb": "apply", "grant": ..., "digest": ...}
    <- {"kind": "step", "at": ..., "says": "proving", "shape": null}
    <- {"done": {...}}   or   {"error": {"kind": "refused", "reason": ..., "next_step": ...}}

Who is at the other end is asked of the kernel (SO_PEERCRED, unix(7)), and is root or the page's user. Whoever closes
the connection, or shuts down its writing, is gone: what only looks is ended then, a change goes on.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailmend.model import MailmendError, ParseError, Refused
from mailmend.ui.encode import printable
from mailmend.ui.helper import verbs
from mailmend.ui.helper.acting import Acting, Gone
from mailmend.ui.helper.working import failed

AT_ONCE = 16  # requests of the page; the jobs that change Postfix wait for each other by their own lock
_ROOTS = 4  # and of root, whom the page cannot keep out
_SECONDS = 5.0  # a request comes whole in that time, and who asks takes the answer as fast as that
_GIVEN = 3  # the first descriptor that systemd gives (sd_listen_fds(3))


class Helper:
    """Serves *path*, a Unix socket in a folder that only root writes, to root and to the user *uid*.

    Where systemd has opened the socket, that is served.
    """

    def __init__(self, path: Path, uid: int, gid: int, acting: Acting) -> None:
        self._acting = acting
        self._free = {uid: threading.BoundedSemaphore(AT_ONCE), 0: threading.BoundedSemaphore(_ROOTS)}
        self._socket = _given() or _listening(path, gid)

    def serve(self) -> None:
        """Until the process ends."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError as failure:  # who asked is gone already, or too many files are open: that passes
                sys.stderr.write(f"mailmend helper: {failure}\n")
                time.sleep(0.1)
                continue
            connection.settimeout(_SECONDS)
            uid = _peer(connection)
            free = self._free.get(uid)
            if free is None:
                _refuse(connection, "this socket is the console's", "")
            elif not free.acquire(blocking=False):
                _refuse(connection, "the helper has too much to do", "try again")
            else:
                self._begin(connection, uid, free)

    def _begin(self, connection: socket.socket, uid: int, free: threading.BoundedSemaphore) -> None:
        try:
            threading.Thread(target=self._one, args=(connection, uid, free), daemon=True).start()
        except RuntimeError:  # no thread can be had
            free.release()
            _refuse(connection, "the helper has too much to do", "try again")

    def _one(self, connection: socket.socket, uid: int, free: threading.BoundedSemaphore) -> None:
        try:
            with connection:
                self._answer(connection, uid)
        finally:
            free.release()

    def _answer(self, connection: socket.socket, uid: int) -> None:
        def say(line: bytes) -> None:
            try:
                if line:
                    connection.sendall(line)
                elif _is_gone(connection):
                    raise Gone
            except OSError:
                raise Gone from None

        try:
            verb = verbs.decode(_line(connection))
            self._acting.act(verb, say, root=uid == 0)
        except Gone:
            return
        except MailmendError as error:
            sys.stderr.write(f"mailmend helper: {printable(' '.join(error.reason.split()))}\n")
            _send(connection, failed(error))
        except Exception as error:  # a bug ends one request
            _send(connection, failed(error))
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


def _given() -> socket.socket | None:
    """The socket that systemd has opened for this process (sd_listen_fds(3)); None where it has not."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    os.set_inheritable(_GIVEN, False)
    return socket.socket(fileno=_GIVEN)


def _is_gone(connection: socket.socket) -> bool:
    # recv(2) alone, MSG_DONTWAIT or not, would wait here for the socket's timeout.
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1, socket.MSG_PEEK)


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
        _send(connection, failed(Refused(reason, next_step)))
