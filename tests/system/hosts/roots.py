"""debootstrap and systemd-nspawn -> roots of Debian 12 and 13 with their own systemd and Postfix.

Kept in a folder of the tests. Nothing is installed on this machine: systemd-nspawn is unpacked beside them
where it has none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from mailmend.lab import root
from mailmend.model import CannotLook

HOME = root.home() / "hosts"
MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
PACKAGES = ("systemd", "systemd-sysv", "dbus", "postfix", "iproute2", "procps", "python3")
NSPAWN = ("systemd-container", "libsystemd-shared")
STAMP = ".whole"
HOSTNAME = "relay.example.org"  # as in the lab, whose names it looks up
ENVIRONMENT = {
    "PATH": root.SEARCH,
    "LC_ALL": "C",
    "DEBIAN_FRONTEND": "noninteractive",
    **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
}


def prepared(suite: str) -> Path:
    """A root of *suite* as debootstrap leaves it, Postfix configured; made once. CannotLook where it cannot be."""
    place = HOME / suite
    if (place / STAMP).exists():
        return place
    if os.geteuid() or not shutil.which("debootstrap", path=root.SEARCH):
        raise CannotLook("a root of Debian needs debootstrap, as root")
    work = HOME / f"{suite}.new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _run(
        ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(work), MIRROR], 900
    )
    # debootstrap gave it the name of this machine.
    (work / "etc/hostname").write_text(f"{HOSTNAME}\n")
    (work / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {HOSTNAME} relay\n::1 localhost\n")
    (work / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    _run(["chroot", str(work), "postconf", "-e", f"myhostname={HOSTNAME}"], 60)
    (work / STAMP).touch()
    return work.rename(place)


def nspawn() -> tuple[list[str], dict[str, str]]:
    """The command systemd-nspawn and its environment. CannotLook where it can neither be found nor had."""
    if found := shutil.which("systemd-nspawn", path=root.SEARCH):
        return [found], dict(ENVIRONMENT)
    place = HOME / "nspawn"
    if not (place / STAMP).exists():
        work = HOME / "nspawn.new"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _run(["apt-get", "-q", "download", *NSPAWN], 300, work)
        for archive in sorted(work.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(archive), str(work)], 60)
        (work / STAMP).touch()
        work.rename(place)
    libraries = {str(path.parent) for path in place.glob("usr/lib/*/systemd/libsystemd-shared*.so")}
    return [str(place / "usr/bin/systemd-nspawn")], {**ENVIRONMENT, "LD_LIBRARY_PATH": ":".join(libraries)}


def _run(argv: list[str], seconds: float, folder: Path | None = None) -> None:
    done = subprocess.run(
        argv, cwd=folder, env=ENVIRONMENT, timeout=seconds, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise CannotLook(f"{argv[0]}: {said[-1]}")


def packages(suite: str, *wanted: str, also: str = "") -> tuple[Path, ...]:
    """The archives that `apt-get install` of *wanted* (`name`, or `name/suite`) would bring to a root of *suite*.

    *also* is another suite that may be drawn from. Fetched once. CannotLook where they cannot be had.
    """
    place = HOME / "packages" / "-".join((suite, *wanted)).replace("/", "_")
    if not (place / STAMP).exists():
        status = prepared(suite) / "var/lib/dpkg/status"
        shutil.rmtree(place, ignore_errors=True)
        for folder in ("lists/partial", "cache/archives/partial"):
            (place / folder).mkdir(parents=True)
        lines = [f"deb [signed-by={KEYRING}] {MIRROR} {name} main\n" for name in (suite, also) if name]
        (place / "sources.list").write_text("".join(lines))
        options = {
            "Dir::Etc::sourcelist": place / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": place / "lists",
            "Dir::State::status": status,
            "Dir::Cache": place / "cache",
            "APT::Default-Release": suite,
            "APT::Sandbox::User": "root",
        }
        apt = ["apt-get", "-q", "-y", "--no-install-recommends", *(f"-o{n}={v}" for n, v in options.items())]
        _run([*apt, "update"], 300)
        _run([*apt, "--download-only", "install", *wanted], 300)
        shutil.rmtree(place / "lists")
        (place / STAMP).touch()
    return tuple(sorted((place / "cache/archives").glob("*.deb")))
