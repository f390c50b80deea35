"""Where Postfix logs, and what it has logged since a given moment, through rotation (logrotate(8))."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import CannotLook
from mailmend.system import host

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSLOG_FILES = ("/var/log/mail.log", "/var/log/maillog", "/var/log/mail")
JOURNALS = ("/var/log/journal", "/run/log/journal")
POLL = 0.1
STALE = 3600.0  # seconds

# Facility 2 is mail (RFC 5424 6.2.1): every program of Postfix, under any syslog_name.
JOURNALCTL = ("journalctl", "--quiet", "--no-pager", "--all", "--output=short-iso", "SYSLOG_FACILITY=2")


@dataclass(frozen=True, slots=True)
class Place:
    """A log file, or (*path* None) systemd's journal."""

    path: Path | None

    def __str__(self) -> str:
        return str(self.path) if self.path else "the journal"


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in a log: the file's identity and an offset into it, or a cursor of the journal."""

    inode: int = 0
    offset: int = 0
    cursor: str = ""


def place(maillog_file: str = "") -> Place:
    """The log that Postfix really writes: its own maillog_file, else syslog's file, else the journal.

    CannotLook where there is none, or where it is a stream of a container (/dev/stdout).
    """
    if maillog_file:
        if maillog_file.startswith("/dev/"):
            raise CannotLook(f"Postfix logs to {maillog_file}, which keeps nothing", "give the log as a file")
        return Place(Path(maillog_file))
    written = [Path(name) for name in SYSLOG_FILES if Path(name).is_file()]
    newest = max(written, key=lambda path: path.stat().st_mtime, default=None)
    journal = host.has_command("journalctl") and any(Path(name).is_dir() for name in JOURNALS)
    if newest and not (journal and _left_behind(newest)):
        return Place(newest)
    if journal:
        return Place(None)
    raise CannotLook(f"no log of Postfix found: neither {', '.join(SYSLOG_FILES)} nor a journal")


def _left_behind(path: Path) -> bool:
    """Whether the journal has newer mail lines than a file that nobody has written to for an hour.

    So it is after an upgrade to a release without a syslog daemon (Debian 12 and later, Fedora).
    """
    modified = path.stat().st_mtime
    if time.time() - modified < STALE:
        return False
    last = host.command([*JOURNALCTL, "--lines=1", "--output=short-unix"]).stdout.split(" ", 1)[0]
    return last.replace(".", "", 1).isdigit() and float(last) > modified + STALE


def mark(where: Place) -> Mark:
    """Now, as a place in the log: what is logged from here on comes after it."""
    if where.path is None:
        return Mark(cursor=_cursor(host.command([*JOURNALCTL, "--lines=1", "--show-cursor"]).stdout))
    try:
        about = where.path.stat()
    except FileNotFoundError:  # nothing was logged yet
        return Mark()
    return Mark(about.st_ino, about.st_size)


def read(where: Place, since: Mark) -> tuple[tuple[str, ...], Mark]:
    """The whole lines logged after *since*, and the mark behind them.

    A file renamed meanwhile is read to its end first; one cut short in place is read from its start.
    """
    if where.path is None:
        return _read_journal(since)
    try:
        about = where.path.stat()
    except FileNotFoundError:
        return (), since
    except PermissionError:
        raise unreadable(where.path) from None
    lines: list[str] = []
    offset = since.offset if about.st_ino == since.inode else 0
    if since.inode and about.st_ino != since.inode:
        old = _renamed(where.path, since.inode)
        if old is not None:
            lines += _lines(old, since.offset)[0]
    if about.st_size < offset:
        offset = 0
    more, end = _lines(where.path, offset)
    return (*lines, *more), Mark(about.st_ino, end)


def follow(where: Place, since: Mark, timeout: float) -> Iterator[str]:
    """Lines as they are logged after *since*, until *timeout* seconds have passed."""
    deadline = time.monotonic() + timeout
    while True:
        last = time.monotonic() >= deadline
        lines, since = read(where, since)
        yield from lines
        if last:
            return
        time.sleep(min(POLL, max(0.0, deadline - time.monotonic())))


def wait_for(where: Place, since: Mark, pattern: str | re.Pattern[str], timeout: float) -> str | None:
    """The first line after *since* in which *pattern* is found; None when *timeout* seconds brought none."""
    wanted = re.compile(pattern)
    return next((line for line in follow(where, since, timeout) if wanted.search(line)), None)


def unreadable(path: Path) -> CannotLook:
    return CannotLook(
        f"{path} may not be read by {host.user()}", "run it as root, or as a member of group adm"
    )


def _lines(path: Path, offset: int) -> tuple[list[str], int]:
    """Whole lines from *offset* on, and where the next one begins."""
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except PermissionError:
        raise unreadable(path) from None
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", "surrogateescape").split("\n")[:-1], offset + len(whole)


def _renamed(path: Path, inode: int) -> Path | None:
    try:
        siblings = [e for e in os.scandir(path.parent) if e.name.startswith(path.name) and e.inode() == inode]
    except OSError:
        return None
    return Path(siblings[0].path) if siblings else None


def _read_journal(since: Mark) -> tuple[tuple[str, ...], Mark]:
    after = [f"--after-cursor={since.cursor}"] if since.cursor else []
    done = host.command([*JOURNALCTL, "--show-cursor", *after])
    if since.cursor and _cursor(done.stdout) not in ("", since.cursor) and not _is_kept(since.cursor):
        # What it named was thrown away (--vacuum-size): of what followed journalctl(1) skipped the first.
        done = host.command([*JOURNALCTL, "--show-cursor", f"--cursor={since.cursor}"])
    if done.returncode and done.stderr.strip():
        raise CannotLook(f"the journal: {done.stderr.strip().splitlines()[0]}", "run it as root")
    lines = tuple(line for line in done.stdout.splitlines() if not line.startswith("-- "))
    return lines, Mark(cursor=_cursor(done.stdout) or since.cursor)


def _is_kept(cursor: str) -> bool:
    """Whether the journal still has what *cursor* names: else it goes to what follows (systemd 252)."""
    return (
        _cursor(host.command([*JOURNALCTL, f"--cursor={cursor}", "--lines=1", "--show-cursor"]).stdout)
        == cursor
    )


def _cursor(text: str) -> str:
    last = text.rstrip().rpartition("\n")[2]
    return last.removeprefix("-- cursor: ") if last.startswith("-- cursor: ") else ""
