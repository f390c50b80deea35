"""Postfix's configuration with edits in it -> a private copy to read, and one to run beside the real server.

The copy to read is word for word what would be saved, in a folder where everything else of the configuration
directory is linked. The copy to run has its own queue, data, log and loopback ports besides, and nothing that
comes into its queue is ever delivered (`defer_transports`, qmgr(8)). Only what a plan itself writes is copied;
tables, keys and other people's sockets are the host's own.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from grp import getgrnam
from pathlib import Path

from mailmend.model import CannotLook, FileEdit
from mailmend.parse import maincf, mastercf
from mailmend.parse.mastercf import Entry
from mailmend.questions import Service

RUN = Path("/run/mailmend")
# Older than any nap: Postfix waits until a main.cf that it reads is more than a second old.
_AGE = 3600
_STALE = 300  # seconds after which no canary lives: what lies there was left by a crash
_CAP = 16 * 1024 * 1024
_QUEUES = (
    "incoming", "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "private", "saved", "trace",
)  # fmt: skip
# What Postfix makes itself in its queue directory, or needs in a chroot only.
_OWN = frozenset((*_QUEUES, "maildrop", "public", "pid", "dev", "etc", "lib", "lib64", "usr"))
_INDEXES = (".db", ".lmdb", ".cdb", ".dir", ".pag")
_XCLIENT = "127.0.0.0/8, [::1]/128"
# A service whose own -o would undo what keeps the copy apart from the host.
_APART = frozenset(
    (
        "data_directory", "defer_transports", "maillog_file", "maillog_file_prefixes", "notify_classes",
        "queue_directory", "smtpd_authorized_xclient_hosts", "smtpd_end_of_data_restrictions",
        "smtpd_error_sleep_time",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Original:
    """Where the real server has what a shadow needs, as main.cf says today."""

    config: Path
    queue: Path
    data: Path
    daemons: Path
    mail_owner: str
    setgid_group: str
    logs_to_file: bool
    ipv4: bool


@dataclass(frozen=True, slots=True)
class Port:
    """A listener of the copy: *service* is the entry's name in the original's master.cf (`smtp/inet`)."""

    service: str
    program: str
    host: str
    port: int
    overrides: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Shadow:
    """*saved* and *running* are configuration directories; *log* is where the running copy logs, None before 3.4.

    *services* are the entries of the original's master.cf; *broken* its lines that are none.
    """

    folder: Path
    saved: Path
    running: Path
    queue: Path
    log: Path | None
    daemons: Path
    ports: tuple[Port, ...]
    services: tuple[Service, ...]
    broken: tuple[tuple[int, str], ...]


@contextmanager
def cast(original: Original, edits: tuple[FileEdit, ...], state: Path) -> Iterator[Shadow]:
    """A shadow of *original* with *edits* in it, below *state*; gone again afterwards, whatever happens.

    Raises CannotLook where it cannot be made: not root, no space, no readable configuration.
    """
    try:
        folder = _folder(original, state)
    except (OSError, KeyError) as failure:
        raise CannotLook(f"no copy of the configuration can be made: {failure}") from None
    try:
        try:
            shadow = _build(folder, original, edits)
        except (OSError, KeyError) as failure:
            raise CannotLook(f"no copy of the configuration can be made: {failure}") from None
        yield shadow
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()


def _folder(original: Original, state: Path) -> Path:
    """A folder of root's that Postfix's own user can pass through, and nobody else.

    On the disk that holds the state where it can be: Postfix refuses mail where its queue's disk is nearly full.
    """
    parent = (state if _passable(state) else RUN) / "canary"
    parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    for left in parent.iterdir():
        if time.time() - left.lstat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="", dir=parent))
    os.chown(folder, 0, pwd.getpwnam(original.mail_owner).pw_gid)
    folder.chmod(0o710)
    return folder


def _passable(state: Path) -> bool:
    """Whether every user may pass through *state* (made where it is not there), and only root may change it."""
    state.mkdir(mode=0o711, parents=True, exist_ok=True)
    return all(
        p.stat().st_mode & 0o001 and p.stat().st_uid == 0 and not p.stat().st_mode & 0o022
        for p in (state, *state.resolve().parents)
    )


def _build(folder: Path, original: Original, edits: tuple[FileEdit, ...]) -> Shadow:
    after = {os.path.realpath(edit.path): edit for edit in edits}
    main_path, master_path = original.config / "main.cf", original.config / "master.cf"
    main, master = _text(main_path, after), _text(master_path, after)
    tables = [
        e for p, e in after.items() if p not in (os.path.realpath(main_path), os.path.realpath(master_path))
    ]
    for edit in tables:
        place = _table(edit, folder / "tables")
        mention = re.compile(rf"(?<![\w./-]){re.escape(edit.path)}(?![\w./-])")
        put = str(place).replace("\\", r"\\")
        main, master = (mention.sub(put, text) for text in (main, master))
    parsed = mastercf.parse(master)
    saved, running = folder / "saved", folder / "running"
    queue, data, log = folder / "queue", folder / "data", folder / "log"
    _queue(queue, data, original, parsed.services())
    log.mkdir()
    shutil.chown(log, original.mail_owner)
    ports, entries = _entries(parsed.entries, original)
    own = {
        "queue_directory": str(queue), "data_directory": str(data), "syslog_name": "mailmend-canary",
        "multi_instance_enable": "no", "multi_instance_directories": "", "multi_instance_name": "",
        "multi_instance_group": "", "notify_classes": "", "defer_transports": " ".join(_transports(parsed.services())),
        "smtpd_authorized_xclient_hosts": _XCLIENT, "smtpd_end_of_data_restrictions": "defer",
        "smtpd_error_sleep_time": "0s",
    }  # fmt: skip
    if original.logs_to_file:
        own |= {"maillog_file": str(log / "log"), "maillog_file_prefixes": str(folder)}
    apart = main.replace(f"{original.data}/", f"{data}/")
    _configuration(saved, original, tables, main, master)
    # Assigned twice, each daemon would warn of it, in the host's own log.
    rest = maincf.parse(apart)
    for name in own:
        rest = rest.remove(name)
    settings = "".join(f"{n} = {v}\n" for n, v in own.items())
    _configuration(running, original, tables, f"{rest}\n{settings}", entries)
    lines = master.split("\n")
    broken = tuple((number, lines[number - 1].strip()) for number in parsed.broken)
    return Shadow(
        folder, saved, running, queue, log / "log" if original.logs_to_file else None, original.daemons, ports,
        parsed.services(), broken,
    )  # fmt: skip


def _text(path: Path, after: dict[str, FileEdit]) -> str:
    edit = after.get(os.path.realpath(path))
    if edit is not None:
        return edit.after or ""
    return path.read_bytes()[:_CAP].decode("utf-8", "surrogateescape")


def _write(path: Path, text: str, like: Path | None = None) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o644)
    if like is not None and like.exists():
        shutil.copystat(like, path)
        os.chown(path, like.stat().st_uid, like.stat().st_gid)
    old = time.time() - _AGE
    os.utime(path, (old, old))


def _table(edit: FileEdit, folder: Path) -> Path:
    """The table as the plan leaves it, with the index of the one that is there."""
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    place = folder / Path(edit.path).name
    while place.exists():
        place = place.with_name(f"_{place.name}")
    if edit.after is not None:
        _write(place, edit.after, Path(edit.path))
        for index in _INDEXES:
            if Path(edit.path + index).exists() and not Path(f"{place}{index}").exists():
                Path(f"{place}{index}").symlink_to(os.path.realpath(edit.path + index))
    return place


def _configuration(folder: Path, original: Original, tables: list[FileEdit], main: str, master: str) -> None:
    """A configuration directory: these two files, the plan's tables, and links to all else of the original."""
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    _write(folder / "main.cf", main, original.config / "main.cf")
    _write(folder / "master.cf", master, original.config / "master.cf")
    config = os.path.realpath(original.config)
    for edit in tables:
        parent, name = os.path.split(os.path.realpath(edit.path))
        if parent == config and edit.after is not None:
            _write(folder / name, edit.after, Path(edit.path))
    gone = {Path(edit.path).name for edit in tables if edit.after is None}
    for entry in original.config.iterdir():
        if entry.name not in gone and not (folder / entry.name).exists():
            (folder / entry.name).symlink_to(entry.resolve())


def _queue(queue: Path, data: Path, original: Original, services: tuple[Service, ...]) -> None:
    """An empty queue directory as post-install makes it, with links to what others keep in the real one."""
    owner, group = pwd.getpwnam(original.mail_owner).pw_uid, getgrnam(original.setgid_group).gr_gid
    queue.mkdir(mode=0o755)
    queue.chmod(0o755)
    for name in _QUEUES:
        (queue / name).mkdir(mode=0o700)
        os.chown(queue / name, owner, 0)
    for name, mode in (("public", 0o710), ("maildrop", 0o730)):
        (queue / name).mkdir()
        os.chown(queue / name, owner, group)
        (queue / name).chmod(mode)
    (queue / "pid").mkdir(mode=0o755)
    data.mkdir(mode=0o700)
    os.chown(data, owner, 0)
    if not original.queue.is_dir():
        return
    for entry in original.queue.iterdir():
        if entry.name not in _OWN:
            (queue / entry.name).symlink_to(entry)
    # Dovecot's auth, a policy server: sockets that no service of master.cf makes.
    mine = {service.name for service in services}
    for folder in ("private", "public"):
        with suppress(FileNotFoundError):
            for entry in (original.queue / folder).iterdir():
                if entry.name not in mine and entry.is_socket():
                    (queue / folder / entry.name).symlink_to(entry)


def _transports(services: tuple[Service, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(service.name for service in services if service.type == "unix"))


def _entries(entries: tuple[Entry, ...], original: Original) -> tuple[tuple[Port, ...], str]:
    """The listeners of the copy, and its master.cf: on loopback, not chrooted, postscreen's smtpd reachable."""
    host = "127.0.0.1" if original.ipv4 else "::1"
    place = host if original.ipv4 else f"[{host}]"
    wanted = dict.fromkeys(e.service.id for e in entries if e.service.type == "inet")
    behind = [e for e in entries if e.service.type == "pass" and program(e.service) == "smtpd"]
    numbers = _free(host, len(wanted) + len(behind))
    port_of = dict(zip([*wanted, *(e.service.id for e in behind)], numbers, strict=True))
    ports: dict[str, Port] = {}
    lines = []
    for entry in entries:
        service = entry.service
        number = port_of.get(service.id)
        if number is not None:
            ports[service.id] = Port(service.id, program(service), host, number, service.overrides)
        lines.append(
            _line(f"{place}:{number}" if service.type == "inet" else service.name, service.type, entry)
        )
    lines += [_line(f"{place}:{port_of[e.service.id]}", "inet", e) for e in behind]
    if original.logs_to_file and not any(e.service.id == "postlog/unix-dgram" for e in entries):
        lines.append("postlog unix-dgram n - n - 1 postlogd")
    return tuple(ports.values()), "\n".join(lines) + "\n"


def _line(name: str, type_: str, entry: Entry) -> str:
    """One entry as it is written, faults and all, but for where it listens, its chroot and what is `_APART`."""
    left_out = [option for option in entry.options if option.name in _APART]
    # `-o` and its value are one word or two: an option begins at its `-o`.
    written = [w for w, start, end in entry.words[4:] if not any(o.start <= start < o.end for o in left_out)]
    private = "n" if type_ == "inet" and entry.service.type != "inet" else entry.words[2][0]
    written[0] = "n" if written[0] in ("y", "-") else written[0]
    return " ".join((name, type_, private, entry.words[3][0], *written))


def program(service: Service) -> str:
    """The daemon's name."""
    return (service.command.split() or [""])[0]


def _free(host: str, count: int) -> list[int]:
    """As many loopback ports as are asked for that nobody listens on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket(family)) for _ in range(count)]
        for sock in taken:
            sock.bind((host, 0))
        return [int(sock.getsockname()[1]) for sock in taken]
