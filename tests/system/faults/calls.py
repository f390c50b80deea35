"""A file-system call by its number -> its name and the files that it touches (syscalls(2), x86-64 and arm64)."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass

_ARM64 = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "getxattr": 8, "lgetxattr": 9, "fgetxattr": 10,
    "listxattr": 11, "llistxattr": 12, "flistxattr": 13, "removexattr": 14, "lremovexattr": 15,
    "fremovexattr": 16, "flock": 32, "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36,
    "linkat": 37, "renameat": 38, "truncate": 45, "ftruncate": 46, "fallocate": 47, "faccessat": 48,
    "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "openat": 56, "close": 57,
    "getdents64": 61, "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67,
    "pwrite64": 68, "readlinkat": 78, "newfstatat": 79, "fstat": 80, "fsync": 82, "fdatasync": 83,
    "utimensat": 88, "syncfs": 267, "renameat2": 276, "copy_file_range": 285, "statx": 291,
    "openat2": 437, "faccessat2": 439, "fchmodat2": 452,
}  # fmt: skip
_X86_64 = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "lseek": 8,
    "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20, "access": 21, "flock": 73, "fsync": 74,
    "fdatasync": 75, "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84,
    "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "readlink": 89, "chmod": 90, "fchmod": 91,
    "chown": 92, "fchown": 93, "lchown": 94, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
    "getxattr": 191, "lgetxattr": 192, "fgetxattr": 193, "listxattr": 194, "llistxattr": 195,
    "flistxattr": 196, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "getdents64": 217,
    "openat": 257, "mkdirat": 258, "mknodat": 259, "fchownat": 260, "newfstatat": 262, "unlinkat": 263,
    "renameat": 264, "linkat": 265, "symlinkat": 266, "readlinkat": 267, "fchmodat": 268,
    "faccessat": 269, "utimensat": 280, "fallocate": 285, "syncfs": 306, "renameat2": 316,
    "copy_file_range": 326, "statx": 332, "openat2": 437, "faccessat2": 439, "fchmodat2": 452,
}  # fmt: skip

# The audit architecture, the number of seccomp(2), the numbers of the calls.
_MACHINES = {"x86_64": (0xC000003E, 317, _X86_64), "aarch64": (0xC00000B7, 277, _ARM64)}

LOOKING = {
    "read", "readv", "pread64", "lseek", "stat", "lstat", "fstat", "newfstatat", "statx", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getxattr", "lgetxattr",
    "fgetxattr", "listxattr", "llistxattr", "flistxattr",
}  # fmt: skip
# Where its arguments name files: F a descriptor, P a path, A a descriptor of a folder and a path, - neither.
_SHAPES = {
    **dict.fromkeys(("rename", "link"), "PP"),
    **dict.fromkeys(("renameat", "renameat2", "linkat"), "AA"),
    "symlink": "-P",
    "symlinkat": "-A",
    "copy_file_range": "F-F",
    **dict.fromkeys(
        ("openat", "openat2", "mkdirat", "mknodat", "fchownat", "newfstatat", "unlinkat", "readlinkat",
         "fchmodat", "fchmodat2", "faccessat", "faccessat2", "utimensat", "statx"), "A"),
    **dict.fromkeys(
        ("open", "creat", "stat", "lstat", "access", "truncate", "mkdir", "rmdir", "unlink", "readlink",
         "chmod", "chown", "lchown", "setxattr", "lsetxattr", "getxattr", "lgetxattr", "listxattr",
         "llistxattr", "removexattr", "lremovexattr"), "P"),
}  # fmt: skip


class NotHere(Exception):
    """This machine or its kernel cannot stop another program's calls; the text says why."""


def machine() -> tuple[int, int, dict[str, int]]:
    """The audit architecture, the number of seccomp(2) and the numbers of the calls, of this machine."""
    try:
        return _MACHINES[platform.machine()]
    except KeyError:
        raise NotHere(f"the call numbers of {platform.machine()} are not known") from None


NAMES = {number: name for name, number in _MACHINES.get(platform.machine(), (0, 0, {}))[2].items()}


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a stopped process is about to make: *name* and the full *paths* of the files it is about.

    *looks*: it changes nothing on the disk; an `openat` that can make or write a file is no look.
    """

    name: str
    paths: tuple[str, ...]
    looks: bool = False

    def __str__(self) -> str:
        return f"{self.name}({', '.join(path.rsplit('/', 1)[-1] for path in self.paths)})"


def read_call(pid: int, number: int, arguments: tuple[int, ...]) -> Call:
    """The call that process *pid*, which is stopped in it, is about to make."""
    name = NAMES[number]
    flags = arguments[2] if name == "openat" else arguments[1] if name == "open" else os.O_RDWR
    looks = name in LOOKING or not flags & (os.O_ACCMODE | os.O_CREAT | os.O_TRUNC)
    return Call(name, tuple(_paths(pid, _SHAPES.get(name, "F"), arguments)), looks)


def _paths(pid: int, shape: str, arguments: tuple[int, ...]) -> Iterator[str]:
    rest = iter(arguments)
    for kind in shape:
        if kind == "F":
            yield _opened(pid, next(rest))
        elif kind == "P":
            yield _named(pid, -100, next(rest))
        elif kind == "A":
            yield _named(pid, next(rest), next(rest))
        else:
            next(rest)


def _opened(pid: int, fd: int) -> str:
    fd &= 0xFFFFFFFF
    try:
        return os.readlink(f"/proc/{pid}/{'cwd' if fd == 0xFFFFFF9C else f'fd/{fd}'}")  # noqa: PTH115
    except OSError:
        return ""


def _named(pid: int, folder: int, address: int) -> str:
    if address == 0:
        return _opened(pid, folder)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123  (thousands of times a second)
        memory.seek(address)
        text = os.fsdecode(memory.read(512).split(b"\0", 1)[0])
    if text.startswith("/"):
        return text
    return os.path.join(_opened(pid, folder), text) if text else _opened(pid, folder)  # noqa: PTH118
