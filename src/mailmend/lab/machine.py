"""An overlay of the unpacked Postfix and this host's root -> the relay's own root file system.

Inside, everything has its default path. What the host keeps about mail is covered, whatever it writes goes to
a tmpfs that ends with the namespace, and mailmend's source and Python are where they are outside.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from mailmend.lab import kernel
from mailmend.lab.network import RESOLVER

HOSTNAME = "relay.example.org"
HOST = "/.host"
# Empty file systems over what the host may have there.
COVERED = (
    "run",
    "tmp",
    "var/tmp",
    "var/log",
    "var/mail",
    "var/spool/postfix",
    "var/lib/postfix",
    "var/lib/mailmend",
    "etc/postfix",
    "etc/mailmend",
)
COVERED_IF_THERE = ("etc/webmin", "etc/opendkim", "etc/postsrsd", "etc/cron.d", "var/spool/cron")
LEFT_OUT = ("proc", "sys", "dev", "run", "tmp", "boot", "lost+found", ".shelf")
CHANGED = ("etc", "usr", "var")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
ACCOUNTS = {
    "etc/passwd": ("postfix:x:{uid}:{uid}::/var/spool/postfix:/usr/sbin/nologin",),
    "etc/group": ("postfix:x:{uid}:", "postdrop:x:{gid}:"),
}
FILES = {
    "etc/hostname": f"{HOSTNAME}\n",
    "etc/mailname": f"{HOSTNAME}\n",
    "etc/hosts": f"127.0.0.1\tlocalhost\n127.0.1.1\t{HOSTNAME} relay\n::1\tlocalhost ip6-localhost\n",
    "etc/resolv.conf": f"nameserver {RESOLVER}\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n",
    "etc/aliases": "postmaster: root\n",
}


def build(unpacked: Path, mount_point: Path) -> None:
    """Make the relay's root and move into it. The caller is alone in fresh mount, PID and UTS namespaces.

    Afterwards the host's root is at HOST until `forget_host`. OSError names what could not be mounted.
    """
    kernel.mount("tmpfs", mount_point, "tmpfs", options="mode=755")
    root, layers = mount_point / "root", mount_point / "layers"
    root.mkdir()
    for entry in sorted(Path("/").iterdir()):
        if entry.is_symlink():
            (root / entry.name).symlink_to(entry.readlink())
        elif entry.is_dir() and entry.name not in LEFT_OUT:
            _overlay(entry, unpacked / entry.name, root / entry.name, layers / entry.name)
    kernel.change_root(root, HOST)
    for name in COVERED:
        _cover(Path("/", name))
    for name in COVERED_IF_THERE:
        if Path("/", name).is_dir():
            _cover(Path("/", name))
    for name in ("tmp", "var/tmp"):
        Path("/", name).chmod(0o1777)
    Path("/proc").mkdir()
    kernel.mount("proc", "/proc", "proc")
    _devices()
    for path in _apart():
        path.mkdir(parents=True, exist_ok=True)
        kernel.mount(f"{HOST}{path}", path, flags=kernel.MS_BIND | kernel.MS_REC)
    _files()
    socket.sethostname(HOSTNAME)


def forget_host() -> None:
    kernel.detach(HOST)


def _overlay(lower: Path, extra: Path, target: Path, layers: Path) -> None:
    """One top folder of the host, with the files of *extra* over it; what is written stays below *layers*.

    Folder by folder, because in a user namespace an overlay must not hide a mount that was there before, and /
    has many. A folder that cannot be overlaid, and in which nothing has to be changed, is shown as it is.
    """
    upper, work = layers / "upper", layers / "work"
    for folder in (target, upper, work):
        folder.mkdir(parents=True)
    if extra.is_dir():
        # Not as a second lower layer: overlayfs refuses one that lies inside another, as .lab may.
        kept = _kept(lower, extra) if os.environ.get("MAILMEND_LAB_OWN") and lower.name == "usr" else None
        shutil.copytree(extra, upper, symlinks=True, dirs_exist_ok=True, ignore=kept)
    upper.chmod(lower.stat().st_mode & 0o7777)
    # In a user namespace overlayfs may only keep its marks as user.* attributes (kernel 5.11 and later).
    marks = ",userxattr" if os.environ.get("MAILMEND_LAB_USER") else ""
    options = f"lowerdir={lower},upperdir={upper},workdir={work}{marks}"
    try:
        kernel.mount("overlay", target, "overlay", options=options)
    except OSError:
        if lower.name in CHANGED:
            raise
        kernel.mount(str(lower), target, flags=kernel.MS_BIND | kernel.MS_REC)


def _kept(lower: Path, extra: Path) -> Callable[[str, list[str]], set[str]]:
    """For copytree: the files that the host has itself, and which therefore are not laid over them."""

    def kept(folder: str, names: list[str]) -> set[str]:
        here = lower / Path(folder).relative_to(extra)
        return {name for name in names if (here / name).is_symlink() or (here / name).is_file()}

    return kept


def _apart() -> list[Path]:
    """Folders that the lab needs and that the overlays do not show: deeper mounts, or covered ones."""
    needed = {Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parents[3]}
    needed |= {Path(entry) for entry in sys.path if entry}
    outside = [path for path in sorted(needed) if Path(f"{HOST}{path}").is_dir()]
    covered = tuple(f"/{name}/" for name in COVERED)
    apart = [path for path in outside if f"{path}/".startswith(covered) or _on_deeper_mount(path)]
    # A folder inside another one of them comes with it.
    return [path for path in apart if not any(other in path.parents for other in apart)]


def _on_deeper_mount(path: Path) -> bool:
    top = Path(HOST, path.parts[1])
    return Path(f"{HOST}{path}").stat().st_dev != top.stat().st_dev


def _cover(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    kernel.mount("tmpfs", path, "tmpfs", options="mode=755")


def _devices() -> None:
    _cover(Path("/dev"))
    for name in DEVICES:
        device = Path("/dev", name)
        device.touch()
        kernel.mount(f"{HOST}{device}", device, flags=kernel.MS_BIND)
    for name in ("pts", "shm"):
        Path("/dev", name).mkdir()
    kernel.mount("devpts", "/dev/pts", "devpts", options="newinstance,ptmxmode=0666")
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", options="mode=1777")  # noqa: S108 (a mount of our own)
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd")):
        Path("/dev", name).symlink_to(target)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        Path("/dev", name).symlink_to(f"/proc/self/fd/{number}")


def _files() -> None:
    for name, text in FILES.items():
        _replace(name, text)
    if not Path("/etc/services").exists():
        _replace("etc/services", "smtp\t25/tcp\tmail\nsubmission\t587/tcp\nsubmissions\t465/tcp\n")
    taken = {int(line.split(":")[2]) for name in ACCOUNTS for line in _lines(name) if line.count(":") > 2}
    uid, gid = [number for number in range(101, 999) if number not in taken][:2]
    for name, entries in ACCOUNTS.items():
        known = {line.split(":")[0] for line in _lines(name)}
        added = [e.format(uid=uid, gid=gid) for e in entries if e.split(":")[0] not in known]
        _replace(name, "\n".join([*_lines(name), *added]) + "\n")


def _replace(name: str, text: str) -> None:
    """A new file: the host's may be a link to somewhere that is not here, or belong to nobody that is here."""
    path = Path("/", name)
    path.unlink(missing_ok=True)
    path.write_text(text)


def _lines(name: str) -> list[str]:
    return Path("/", name).read_text().splitlines()
