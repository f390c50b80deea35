"""Namespaces and mounts: the Linux system calls of a private network that Python 3.11 does not offer."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# linux/sched.h
NEWNS = 0x00020000
NEWCGROUP = 0x02000000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWPID = 0x20000000
NEWNET = 0x40000000

# linux/mount.h
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

# linux/sockios.h, linux/if.h
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Leave the namespaces named by *flags* (unshare(2)); NEWPID concerns the children to come."""
    _must(_libc.unshare(ctypes.c_int(flags)), "unshare")


def enter(namespace: int) -> None:
    """Put the calling thread into the namespace behind an open descriptor (setns(2))."""
    _must(_libc.setns(ctypes.c_int(namespace), ctypes.c_int(0)), "setns")


def mount(source: str, target: Path | str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2); the error names the target."""
    arguments = [os.fsencode(text) for text in (source, str(target), kind)]
    _must(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def seclude() -> None:
    """Let no mount of this new mount namespace reach the one it was copied from, and show the right /proc.

    OSError where that cannot be had: in a plain chroot below a shared mount (mount_namespaces(7)).
    """
    # In a chroot that is no mount of its own there is nothing to make private here.
    with suppress(OSError):
        mount("", "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    (*_covered, ours) = [fields for fields in mounts if fields[4] == "/proc"]
    if any(field.startswith("shared:") for field in ours):
        detach("/proc")
        raise OSError(errno.EINVAL, "a chroot below a shared mount: bind it on itself first", "mount")


def change_root(root: Path, old: str) -> None:
    """Make *root* the root of this process; the old one is found at *old* (a folder below it).

    chroot(2) and not pivot_root(2), which fails where the old root is itself a plain chroot.
    """
    place = root / old.lstrip("/")
    place.mkdir(exist_ok=True)
    mount("/", place, flags=MS_BIND | MS_REC)
    os.chroot(root)
    os.chdir("/")


def detach(target: str) -> None:
    """Take a mount out of sight at once (umount2(2), MNT_DETACH)."""
    _must(_libc.umount2(target.encode(), ctypes.c_int(MNT_DETACH)), f"umount {target}")


def new_network() -> int:
    """A fresh network namespace that lives as long as the returned descriptor; the caller moves into it."""
    unshare(NEWNET)
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def loopback_up() -> None:
    """Switch lo on in the caller's network namespace (netdevice(7), SIOCSIFFLAGS)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Act in another network namespace for a while: sockets opened there stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    enter(namespace)
    try:
        yield
    finally:
        enter(home)
        os.close(home)
