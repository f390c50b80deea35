"""This machine: its name, addresses, routes and files, and the programs that are asked for the rest."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import shutil
import socket
import stat
import struct
import subprocess
import threading
from array import array
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import CannotLook, Refused
from mailmend.questions import File, FileState, HostAddress, Resolve, SourceAddress, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_CAP = 16 * 1024 * 1024
RESOLVE_TIMEOUT = 4.0  # seconds

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
_SIOCGIFCONF = 0x8912
_LOOPBACK = ip_address("127.0.0.0").packed[:1]
_IFA_TEMPORARY, _IFA_DEPRECATED = 0x01, 0x20  # linux/if_addr.h
_SCOPE_HOST, _SCOPE_LINK = 0x10, 0x20  # net/ipv6.h, as /proc/net/if_inet6 writes them


def command(
    argv: Sequence[str], *, timeout: float = 10, stdin: str = "", folder: str = "/"
) -> subprocess.CompletedProcess[str]:
    """Run a program that only looks, in the C locale, in *folder*. One that is missing or hangs is CannotLook."""
    try:
        return subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout,
            check=False,
            env=environment(),
            cwd=folder,
        )
    except FileNotFoundError:
        raise CannotLook(f"{argv[0]} was not found on this host") from None
    except PermissionError:
        raise CannotLook(f"{argv[0]} may not be run by this user") from None
    except subprocess.TimeoutExpired:
        raise CannotLook(f"{argv[0]} gave no answer within {timeout:g} s") from None


def environment() -> dict[str, str]:
    """The whole environment that a program of ours gets.

    Postfix's programs and ss(8) live where an ordinary user's PATH does not reach. As root nobody's PATH is
    followed but the system's.
    """
    if os.geteuid() == 0:
        return {"LC_ALL": "C", "PATH": SYSTEM_PATH}
    ours = os.environ.get("PATH") or "/usr/bin:/bin"
    return {"LC_ALL": "C", "PATH": os.pathsep.join((ours, "/usr/sbin", "/sbin", "/usr/local/sbin"))}


def require_roots_own(path: str, why: str) -> None:
    """Raise Refused where others than root may put something else in the place of *path*, a link followed.

    The file itself and every folder above it count, of the link's way too; in a folder with the sticky bit
    nobody else may rename what is root's.
    """
    given = Path(path).absolute()
    for place in dict.fromkeys(p for start in (given, given.resolve()) for p in (start, *start.parents)):
        try:
            state = place.stat()
        except OSError as failure:
            raise CannotLook(f"{place}: {failure.strerror}") from None
        sticky = stat.S_ISDIR(state.st_mode) and state.st_mode & stat.S_ISVTX
        open_to_others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky
        if open_to_others or state.st_uid not in (0, os.geteuid()):
            real = place.resolve()
            raise Refused(
                f"{real} may be written by others than root, and {why}",
                f"chown root {real} && chmod go-w {real}, or install mailmend where only root may write",
            )


def has_command(name: str) -> bool:
    """Whether *name* is a program that `command` would find."""
    return shutil.which(name, path=environment()["PATH"]) is not None


def os_release() -> dict[str, str]:
    """os-release(5), empty where there is none."""
    for path in (Path("/etc/os-release"), Path("/usr/lib/os-release")):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        pairs = (line.partition("=") for line in text.splitlines())
        return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs if name.strip()}
    return {}


def container() -> bool:
    """Whether this is a container, by the marks that docker, podman and systemd-nspawn leave."""
    marks = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
    return any(Path(mark).exists() for mark in marks)


def user() -> str:
    return _name_of_user(os.geteuid())


def _name_of_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _name_of_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def addresses() -> tuple[HostAddress, ...]:
    """Every address of every interface, as the kernel has it (netdevice(7), /proc/net/if_inet6)."""
    return (*_ipv4(), *_ipv6())


def _ipv4() -> list[HostAddress]:
    # SIOCGIFCONF lists all of them, secondary ones too; one struct ifreq is 40 bytes where a pointer has 8.
    size = 40 if struct.calcsize("P") == 8 else 32
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        space = 64 * size
        while True:
            buffer = array("B", bytes(space))
            request = struct.pack("iP", space, buffer.buffer_info()[0])
            used = int(struct.unpack_from("i", fcntl.ioctl(sock, _SIOCGIFCONF, request))[0])
            if used <= space - size:
                break
            space *= 4
    found = []
    for at in range(0, used, size):
        name = buffer[at : at + 16].tobytes().partition(b"\0")[0].decode(errors="replace")
        packed = buffer[at + 20 : at + 24].tobytes()
        found.append(
            HostAddress(
                ip=socket.inet_ntoa(packed),
                interface=name.partition(":")[0],  # `eth0:1` is a label, not an interface
                loopback=packed[:1] == _LOOPBACK,
                link_local=packed[:2] == b"\xa9\xfe",  # 169.254.0.0/16 (RFC 3927)
                temporary=False,
                deprecated=False,
            )
        )
    return found


def _ipv6() -> list[HostAddress]:
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except FileNotFoundError:  # ipv6.disable=1
        return []
    found = []
    for line in lines:
        digits, _, _, scope, flags, name = line.split()
        found.append(
            HostAddress(
                ip=str(IPv6Address(int(digits, 16))),
                interface=name,
                loopback=int(scope, 16) == _SCOPE_HOST,
                link_local=int(scope, 16) == _SCOPE_LINK,
                temporary=bool(int(flags, 16) & _IFA_TEMPORARY),
                deprecated=bool(int(flags, 16) & _IFA_DEPRECATED),
            )
        )
    return found


def source_address(question: SourceAddress) -> str:
    """The kernel's choice of a source address; a connected UDP socket sends no packet (connect(2))."""
    try:
        version = ip_address(question.destination).version
    except ValueError:
        raise CannotLook(f"{question.destination!r} is not an IP address") from None
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((question.destination, 25))
            return str(sock.getsockname()[0])
    except OSError as failure:
        raise CannotLook(f"no route to {question.destination}: {failure.strerror}") from None


def resolve(question: Resolve) -> tuple[str, ...]:
    """getaddrinfo(3), without its habit of waiting for a dead resolver for as long as resolv.conf says."""
    found: list[tuple[str, ...] | CannotLook] = []
    looking = threading.Thread(target=lambda: found.append(_resolved(question)), daemon=True)
    looking.start()
    looking.join(RESOLVE_TIMEOUT)
    if not found:
        raise CannotLook(f"{question.name}: no answer within {RESOLVE_TIMEOUT:g} s")
    if isinstance(found[0], CannotLook):
        raise found[0]
    return found[0]


def _resolved(question: Resolve) -> tuple[str, ...] | CannotLook:
    kinds = {None: socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
    try:
        # Bytes: the name goes to the C library as it stands, with no IDNA made of it.
        name = question.name.encode("utf-8", "surrogateescape")
        hits = socket.getaddrinfo(name, None, kinds[question.family], socket.SOCK_STREAM)
    except socket.gaierror as failure:
        if failure.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
            return ()
        return CannotLook(f"{question.name}: {failure.strerror}")
    except (ValueError, OSError) as failure:
        return CannotLook(f"{question.name}: {failure}")
    return tuple(dict.fromkeys(str(hit[4][0]) for hit in hits))


def file(question: File) -> FileState:
    """A regular file's whole state; through a symbolic link, the file it leads to.

    Not there is an answer. Not readable, no regular file or more than 16 MB is CannotLook.
    """
    path = Path(question.path)
    link = str(path.readlink()) if path.is_symlink() else None
    try:
        # Neither a FIFO nor a device may hold us up.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return FileState(question.path, False, "", 0, "", None, link)
    except PermissionError:
        raise CannotLook(f"{question.path} may not be read by {user()}", "run it as root") from None
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise CannotLook(f"{question.path} is not a regular file")
        with os.fdopen(fd, "rb", closefd=False) as stream:
            data = stream.read(FILE_CAP + 1)
    finally:
        os.close(fd)
    if len(data) > FILE_CAP:
        raise CannotLook(f"{question.path} is larger than {FILE_CAP // 1024 // 1024} MB")
    return _state(question.path, about, data.decode("utf-8", "surrogateescape"), link)


def file_stat(question: Stat) -> FileState:
    """The same without reading the file, which may be of any size and kind."""
    path = Path(question.path)
    link = str(path.readlink()) if path.is_symlink() else None
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return FileState(question.path, False, "", 0, "", None, link)
    except PermissionError:
        raise CannotLook(f"{question.path} may not be looked at by {user()}", "run it as root") from None
    return _state(question.path, about, "", link)


def _state(path: str, about: os.stat_result, text: str, link: str | None) -> FileState:
    return FileState(
        path=path,
        exists=True,
        text=text,
        mode=stat.S_IMODE(about.st_mode),
        owner=f"{_name_of_user(about.st_uid)}:{_name_of_group(about.st_gid)}",
        modified=datetime.fromtimestamp(about.st_mtime, UTC).astimezone(),
        link=link,
    )
