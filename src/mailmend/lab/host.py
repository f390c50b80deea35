"""The relay, driven from outside: its Postfix, its files, its log, and commands that run in it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence

from mailmend.lab import control

LOG = "/var/log/mail.log"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "TERM": "dumb",
}


class RelayHost:
    """The host under test: real Postfix on default paths, and mailmend as on a server."""

    def __init__(self, line: control.Line) -> None:
        self._line = line
        self._log: int | None = None

    def reset(
        self,
        main: Mapping[str, str] | None = None,
        master_extra: str = "",
        files: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> None:
        """Stop Postfix and begin anew: pristine configuration with these settings, empty queue, log and state.

        *files* are written last (relative to /etc/postfix), so `main.cf` among them is taken as it is.
        What install() brought is gone.
        """
        self._line.call("remove_packages")
        self._line.call(
            "reset",
            main=dict(main or {}),
            master_extra=master_extra,
            files=dict(files or {}),
            remove=list(remove),
        )

    def start(self) -> int:
        """Returns master's pid once it listens; CannotLook with the log's words where it does not."""
        return int(self._line.call("start"))

    def stop(self) -> None:
        """Returns when no process of Postfix is left."""
        self._line.call("stop")

    def reload(self) -> None:
        """Returns when the new queue manager runs."""
        self._line.call("reload")

    def install(self, package: str) -> None:
        """A package besides Postfix (root.SHELF), as `apt-get install` leaves it before its daemon is started.

        CannotLook where this distribution has none.
        """
        self._line.call("install_package", name=package)

    def start_daemon(self, package: str, *ports: int) -> int:
        """Start its daemon; returns the pid once it listens on these ports."""
        return int(self._line.call("start_daemon", name=package, ports=list(ports)))

    def stop_daemon(self, package: str) -> None:
        """Returns when no process of it is left."""
        self._line.call("stop_daemon", name=package)

    def run(
        self,
        argv: Sequence[str],
        input: str | None = None,
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
        cwd: str = "/root",
    ) -> subprocess.CompletedProcess[str]:
        """A command inside the relay. TimeoutError ends it, and whatever it started in its session."""
        return self._run("run", list(argv), text=input, timeout=timeout, env=env, cwd=cwd)

    def mailmend(
        self,
        *argv: str,
        input: str | None = None,
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
        cwd: str = "/root",
        user: int = 0,
    ) -> subprocess.CompletedProcess[str]:
        """mailmend's command line inside the relay, in a warm process of its own; *user* is its uid and gid."""
        return self._run("mailmend", list(argv), text=input, timeout=timeout, env=env, cwd=cwd, user=user)

    def log(self) -> str:
        """Postfix's log since the last reset."""
        if self._log is None:
            self._log = self._open(LOG, os.O_RDONLY)
        return _all(self._log)

    def wait_log(self, pattern: str, timeout: float = 20) -> re.Match[str]:
        """The first match in the log (line by line); TimeoutError with the log's end where none comes."""
        wanted = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + timeout
        while not (found := wanted.search(text := self.log())):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {pattern!r} in the relay's log:\n{text[-2000:]}")
            time.sleep(0.005)
        return found

    def listeners_ss(self) -> str:
        """What `ss -lntp` prints in the relay."""
        return self.run(["ss", "-lntp"]).stdout

    def sockets(self) -> frozenset[tuple[str, int]]:
        """Each listening address with the process that opened it; one that was just forked shares it for a moment."""
        rows = (line.split() for line in self.listeners_ss().splitlines()[1:])
        return frozenset(
            (row[3], min(map(int, re.findall(r"pid=(\d+)", row[-1])), default=0)) for row in rows
        )

    def read(self, path: str) -> str:
        fd = self._open(path, os.O_RDONLY)
        try:
            return _all(fd)
        finally:
            os.close(fd)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Create or overwrite a file."""
        fd = self._open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def _open(self, path: str, flags: int, mode: int = 0) -> int:
        arguments = {"path": path, "flags": flags, "mode": mode}
        (fd,) = self._line.exchange("open", (), 10, arguments)[1]
        return fd

    def _run(
        self,
        how: str,
        argv: list[str],
        *,
        text: str | None,
        timeout: float,
        env: Mapping[str, str] | None,
        cwd: str,
        user: int = 0,
    ) -> subprocess.CompletedProcess[str]:
        # Files in memory: nothing blocks, and a daemon that keeps the streams open keeps nobody waiting.
        streams = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
        try:
            if text:
                os.write(streams[0], text.encode("utf-8", "surrogateescape"))
                os.lseek(streams[0], 0, os.SEEK_SET)
            status = self._line.call(
                how,
                fds=tuple(streams),
                timeout=timeout,
                argv=argv,
                env={**ENVIRONMENT, **(env or {})},
                cwd=cwd,
                user=user,
            )
            return subprocess.CompletedProcess(argv, status, _all(streams[1]), _all(streams[2]))
        finally:
            for fd in streams:
                os.close(fd)


def _all(fd: int) -> str:
    """The whole file, wherever its offset is."""
    parts, offset = [], 0
    while part := os.pread(fd, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts).decode("utf-8", "surrogateescape")
