"""A package of the shelf -> installed and running in the relay, as apt-get and its own scripts leave it.

Works inside the relay. A reset takes everything back, so that each story begins on a server that has Postfix
and nothing else. What the package's own postinst does is done here: its user, its secret, its settings.
"""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mailmend.model import CannotLook

SHELF = Path("/.shelf")
RECEIVED = SHELF / "installed"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
# How each daemon stays in the foreground, as its unit starts it.
COMMANDS = {
    "postsrsd": ["/usr/share/postsrsd/postsrsd-systemd-launcher"],
    "opendkim": ["/usr/sbin/opendkim", "-f", "-x", "/etc/opendkim.conf"],
    "opendmarc": ["/usr/sbin/opendmarc", "-f", "-c", "/etc/opendmarc.conf"],
}
PROGRAMS = {name: Path("/usr/sbin", name) for name in COMMANDS}
# Where no systemd runs, the init script finds the daemon that it started by this.
PIDS = {
    "postsrsd": Path("/run/postsrsd.pid"),
    "opendkim": Path("/run/opendkim/opendkim.pid"),
    "opendmarc": Path("/run/opendmarc/opendmarc.pid"),
}


def keep(unpacked: Path) -> None:
    """Bring the shelf of the unpacked root into the relay, while that root can still be seen."""
    if (unpacked / "shelf").is_dir():
        shutil.copytree(unpacked / "shelf", SHELF / "packages", symlinks=True)
    SHELF.mkdir(exist_ok=True)
    SHELF.chmod(0o700)


def install(name: str) -> None:
    """Lay the package's files into the relay and configure it; nothing runs yet. Twice does no more than once.

    CannotLook where the shelf has no such package.
    """
    source = SHELF / "packages" / name
    if not source.is_dir():
        raise CannotLook(f"the lab has no package {name}", "its distribution does not carry it")
    files = [path for path in source.rglob("*") if not path.is_dir() or path.is_symlink()]
    targets = [Path("/") / path.relative_to(source) for path in files]
    new = [str(target) for target in targets if not os.path.lexists(target)]
    for target in targets:
        if target.is_symlink():
            target.unlink()
    shutil.copytree(source, "/", symlinks=True, dirs_exist_ok=True, copy_function=_replace)
    subprocess.run(["ldconfig"], env=ENVIRONMENT, timeout=60, check=False, capture_output=True)
    configured = _CONFIGURE[name]()
    with RECEIVED.open("a") as kept:
        kept.write("".join(f"{path}\n" for path in [*new, *configured]))


def _replace(source: str, target: str) -> None:
    """As dpkg(1) does it: a library that a daemon has open is not written over under its feet."""
    new = f"{target}.new"
    shutil.copy2(source, new)
    os.replace(new, target)  # noqa: PTH105 (copytree hands over text)


def start(name: str, ports: list[int]) -> int:
    """Start the daemon of an installed package; returns its pid once it listens on each of *ports* (loopback)."""
    if not PROGRAMS[name].exists():
        raise CannotLook(f"{name} is not installed in the relay")
    with Path("/var/log", f"{name}.out").open("ab") as said:
        process = subprocess.Popen(
            COMMANDS[name], env=ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + 20
    while not set(ports) <= _listening():
        if process.poll() is not None or time.monotonic() > deadline:
            words = Path("/var/log", f"{name}.out").read_text(errors="replace").split("\n")
            raise CannotLook(f"{name} does not start: {' '.join(words[-3:]).strip() or 'it says nothing'}")
        time.sleep(0.005)
    if name in PIDS:
        PIDS[name].write_text(f"{process.pid}\n")
    return process.pid


def stop(name: str) -> None:
    """End every process of the daemon; returns when none is left."""
    # opendkim waits for its idle connections; it has nothing to lose here.
    deadline = time.monotonic() + 0.3
    while running := _running(name):
        for pid in running:
            try:
                os.kill(pid, signal.SIGKILL if time.monotonic() > deadline else signal.SIGTERM)
            except ProcessLookupError:
                continue
        time.sleep(0.005)
    if name in PIDS:
        PIDS[name].unlink(missing_ok=True)


def remove() -> None:
    """The relay without any package of the shelf."""
    if not RECEIVED.exists():
        return
    for name in PROGRAMS:
        stop(name)
        # A socket left there would be the next installation's, whose account may have another number.
        shutil.rmtree(Path("/run", name), ignore_errors=True)
    for line in RECEIVED.read_text().splitlines():
        Path(line).unlink(missing_ok=True)
    RECEIVED.unlink()


def _postsrsd() -> list[str]:
    """postsrsd.postinst: a user, a secret that only root reads, the settings as the template has them."""
    _account("postsrsd", "/var/lib/postsrsd")
    secret, settings = Path("/etc/postsrsd.secret"), Path("/etc/default/postsrsd")
    if not secret.exists():
        secret.touch(0o600)
        secret.write_bytes(base64.b64encode(os.urandom(24)))
    if not settings.exists():
        settings.parent.mkdir(exist_ok=True)
        shutil.copy("/usr/share/postsrsd/postsrsd.template", settings)
    return [str(secret), str(settings)]


def _milter(name: str) -> list[str]:
    """opendkim.postinst, opendmarc.postinst: a user and the folder of its socket."""
    _account(name, f"/run/{name}")
    folder = Path("/run", name)
    folder.mkdir(exist_ok=True)
    os.chown(folder, pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid)
    return []


_CONFIGURE: dict[str, Callable[[], list[str]]] = {
    "postsrsd": _postsrsd,
    "opendkim": partial(_milter, "opendkim"),
    "opendmarc": partial(_milter, "opendmarc"),
}


def _account(name: str, home: str) -> None:
    passwd, group = Path("/etc/passwd"), Path("/etc/group")
    lines = passwd.read_text().splitlines()
    if any(line.startswith(f"{name}:") for line in lines):
        return
    ids = {
        line.split(":")[2]
        for path in (passwd, group)
        for line in path.read_text().splitlines()
        if line.count(":") > 2
    }
    number = next(n for n in range(101, 999) if str(n) not in ids)
    with passwd.open("a") as file:
        file.write(f"{name}:x:{number}:{number}::{home}:/usr/sbin/nologin\n")
    with group.open("a") as file:
        file.write(f"{name}:x:{number}:\n")


def _running(name: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "exe").readlink() == PROGRAMS[name]:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def _listening() -> set[int]:
    """The TCP ports that somebody listens on (proc(5): state 0A)."""
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
