"""The relay becomes a copy of a host: its files, addresses and instances laid out, started, activated, stopped.

    python -m mailmend.lab.clone_host OPERATION < request.json

Run inside the relay; prints one JSON document, `{"error": ...}` where it went wrong.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mailmend.lab import mailserver
from mailmend.model import CannotLook

SECRET = 0o600
READABLE = 0o644
# What Postfix's own package keeps in /etc/postfix.
_PACKAGE = ("dynamicmaps.cf", "postfix-files", "post-install", "postfix-script", "makedefs.out")
_OWN = ("aliases", "mailname")
_IN_CHROOT = ("localtime", "services", "resolv.conf", "hosts", "host.conf", "nsswitch.conf")
_DYNAMIC = re.compile(r"^(\w+)\s+(\S+\.so)\b", re.MULTILINE)


def lay_out(request: Mapping[str, Any]) -> None:
    """A stopped Postfix with empty queues becomes the copy."""
    for entry in mailserver.ETC.iterdir():
        if not entry.name.startswith(_PACKAGE) and entry.is_file():
            entry.unlink()
    for name in _OWN:
        # The lab's own: what this host does not have is not there.
        for path in Path("/etc").glob(f"{name}*"):
            path.unlink()
    _run(["hostname", request["hostname"]])
    hosts = Path("/etc/hosts")
    hosts.write_text(request["hosts"])
    for address in request["addresses"]:
        # File exists: it is there already.
        subprocess.run(["ip", "addr", "add", address, "dev", "lo"], env=mailserver.ENVIRONMENT, check=False,
                       capture_output=True)  # fmt: skip
    for directory in request["directories"]:
        path = Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o1777)
    Path("/var/mail").chmod(0o1777)
    owner = pwd.getpwnam("postfix")
    for instance in request["instances"]:
        queue, data = Path(instance["queue"]), Path(instance["data"])
        if not (queue / "active").is_dir():
            mailserver._copy(mailserver._pristine(mailserver.QUEUE), queue)
        (queue / "etc").mkdir(exist_ok=True)
        for name in _IN_CHROOT:
            if Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), queue / "etc")
        data.mkdir(parents=True, exist_ok=True)
        os.chown(data, owner.pw_uid, owner.pw_gid)
    write(request)


def write(request: Mapping[str, Any]) -> None:
    """Files with their text and mode (None: taken away), then the indexes made of them, all of them aged."""
    then = time.time() - mailserver.AGE
    for name, (text, mode) in request["files"].items():
        path = Path(name)
        if text is None:
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        os.utime(path, (then, then))
    for program, table in request["indexes"]:
        # A text that cannot be made an index of is a fault of the host's own, seen by its own complaint.
        subprocess.run([f"/usr/sbin/{program}", table], env=mailserver.ENVIRONMENT, timeout=60, check=False,
                       capture_output=True, stdin=subprocess.DEVNULL)  # fmt: skip
        for index in Path(table.partition(":")[2]).parent.glob(Path(table.partition(":")[2]).name + ".*"):
            os.utime(index, (then + 1, then + 1))


def start(request: Mapping[str, Any]) -> None:
    """Every instance's master(8), each until it listens. CannotLook with the log's words where one does not."""
    for directory in request["directories"]:
        size = mailserver.LOG.stat().st_size
        done = subprocess.run(
            [mailserver.DAEMONS / "master", "-c", directory, "-w"],
            env={**mailserver.ENVIRONMENT, "MAIL_CONFIG": directory}, timeout=30, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise CannotLook(f"Postfix does not start with {directory}: {_last_words(size, done.stderr)}")


def activate(request: Mapping[str, Any]) -> None:
    """`reload`: SIGHUP to every master, until each has a new queue manager; `restart`: stop and start."""
    if request["activation"] == "restart":
        mailserver.stop()
        start(request)
    elif request["activation"] == "reload":
        size = mailserver.LOG.stat().st_size
        running = mailserver._daemons()
        masters = [pid for pid, name in running.items() if name == "master"]
        old = {pid for pid, name in running.items() if name == "qmgr"}
        for pid in masters:
            mailserver._signal(pid, signal.SIGHUP)
        deadline = time.monotonic() + 10
        while True:
            now = mailserver._daemons()
            new = [pid for pid, name in now.items() if name == "qmgr" and pid not in old]
            if len(new) >= len(masters):
                break
            if time.monotonic() > deadline or any(pid not in now for pid in masters):
                raise CannotLook(f"Postfix does not survive the reload: {_last_words(size, '')}")
            time.sleep(0.01)


def stop(_request: Mapping[str, Any]) -> None:
    mailserver.stop()


def types(_request: Mapping[str, Any]) -> list[str]:
    """The table types that can really be opened: a plug-in counts where its library is there."""
    known = subprocess.run(["/usr/sbin/postconf", "-m"], env=mailserver.ENVIRONMENT, timeout=20, check=False,
                           capture_output=True, text=True).stdout.split()  # fmt: skip
    where = subprocess.run(["/usr/sbin/postconf", "-dh", "shlib_directory"], env=mailserver.ENVIRONMENT, timeout=20,
                           check=False, capture_output=True, text=True).stdout.strip()  # fmt: skip
    plugins = mailserver.ETC / "dynamicmaps.cf"
    text = plugins.read_text() if plugins.exists() else ""
    missing = {kind for kind, library in _DYNAMIC.findall(text) if not Path(where, library).exists()}
    return [kind for kind in known if kind not in missing]


def _last_words(size: int, said: str) -> str:
    with mailserver.LOG.open("rb") as log:
        log.seek(size)
        lines = log.read().decode("utf-8", "replace").splitlines() + said.splitlines()
    # Its own parent only says that a master(8) has ended; why, it has said itself.
    bad = [
        line
        for line in lines
        if re.search(r"fatal|panic|error", line) and "initialization failure" not in line
    ]
    last = (bad or lines or ["the log says nothing"])[-1]
    return last.partition("]: ")[2] or last


def _run(argv: list[str]) -> None:
    subprocess.run(argv, env=mailserver.ENVIRONMENT, timeout=20, check=True, capture_output=True)


OPERATIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    each.__name__: each for each in (lay_out, write, start, activate, stop, types)
}


def main() -> None:
    request = json.load(sys.stdin)
    try:
        told = {"result": OPERATIONS[sys.argv[1]](request)}
    except CannotLook as failure:
        told = {"error": failure.reason}
    except (OSError, subprocess.SubprocessError, KeyError) as failure:
        told = {"error": f"{sys.argv[1]}: {failure}"}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
