"""Packages of this distribution -> a folder with an unpacked Postfix. Nothing is installed on the host.

apt chooses and fetches, `dpkg-deb -x` unpacks. What the host already has is not fetched again, except
Postfix itself: the lab lays this folder over the host's own root, and must not depend on the host's Postfix.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from mailmend.model import CannotLook

Progress = Callable[[str], None]

# What the lab runs: the package that holds it is fetched where the host has not got the command.
NEEDED = {"ip": "iproute2", "ss": "iproute2", "openssl": "openssl"}
# /bin, /sbin and /lib are links on every supported release; dpkg-deb unpacks folders in their place.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
CERTIFICATE = """[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = relay.example.org
[extensions]
subjectAltName = DNS:relay.example.org, DNS:mx.google.com, DNS:*.google.com, DNS:*.googlemail.com
"""
STAMP = "packages-3.json"  # 2: with postconf's manual page, which a mail server has; 3: with the shelf
# What an operator may install besides Postfix, with the choice that spares a database where there is one. It lies
# apart, so that a relay has it only once it was asked for.
SHELF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"postsrsd": (), "opendkim": (), "opendmarc": ("dbconfig-no-thanks",)}
)
MANUAL = "usr/share/man/man5/postconf.5.gz"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def home() -> Path:
    """Where the unpacked root is kept: beside the source tree, or in the cache of an installed mailmend."""
    source = Path(__file__).resolve().parents[3]
    if (source / "pyproject.toml").exists():
        return source / ".lab"
    return Path("/var/cache/mailmend/lab")


def prepared() -> Path | None:
    """The unpacked root of this release, if there is a whole one."""
    place = _place()
    return place if (place / STAMP).exists() else None


def has_postfix() -> bool:
    """Whether a whole Postfix is installed on this host, where this distribution puts it."""
    return all(Path(path).exists() for path in ("/usr/sbin/postconf", "/usr/lib/postfix/sbin/master"))


def prepare(progress: Progress) -> Path:
    """Unpack the lab's Postfix once; later calls return at once and need no network.

    Raises CannotLook where this is no Debian or Ubuntu, or the packages cannot be had.
    """
    ready = prepared()
    if ready and not _lacking(ready):
        return ready
    place = _place()
    for command in ("apt-get", "dpkg-deb"):
        if ready is None and not shutil.which(command, path=SEARCH):
            raise CannotLook(f"the lab needs {command}", "run it on Debian 12, 13 or Ubuntu 24.04")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # Held until the process ends: two first runs side by side must not unpack into one folder.
        with (place.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if ready := prepared():
                _complete(ready, place.parent, progress)
                return ready
            return _build(place, progress)
    except OSError as failure:
        raise CannotLook(f"the lab's folder {place} cannot be made: {failure}") from failure


def command(name: str, unpacked: Path) -> tuple[str, dict[str, str]]:
    """Where a command is, on the host or unpacked, and the environment it needs."""
    environment = {"PATH": SEARCH, "LC_ALL": "C"}
    if found := shutil.which(name, path=SEARCH):
        return found, environment
    found = shutil.which(name, path=f"{unpacked}/usr/sbin:{unpacked}/usr/bin") or name
    # Unpacked libraries are where the linker looks by itself only inside the relay.
    libraries = {str(path.parent) for path in unpacked.glob("usr/lib/*/*.so*")}
    return found, environment | {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}


def _place() -> Path:
    try:
        release = platform.freedesktop_os_release()
    except OSError as failure:
        raise CannotLook("the lab needs Debian or Ubuntu: no os-release here") from failure
    return home() / f"root-{release.get('ID', 'linux')}-{release.get('VERSION_ID', 'sid')}"


def _build(place: Path, progress: Progress) -> Path:
    work = place.with_name(place.name + ".new")
    shutil.rmtree(work, ignore_errors=True)
    wanted = sorted({"postfix"} | {p for c, p in NEEDED.items() if not shutil.which(c, path=SEARCH)})
    packages = unpack(wanted, work, place.parent, progress)
    manual = (work / MANUAL).read_bytes() if (work / MANUAL).exists() else None
    _lighten(work)
    if manual is not None:
        (work / MANUAL).parent.mkdir(parents=True)
        (work / MANUAL).write_bytes(manual)
    for name in MERGED:
        _merge(work / name, work / "usr" / name)
    for name in SHELF:
        packages |= _shelve(name, work / "shelf", place.parent, progress)
    _secrets(work, progress)
    (work / STAMP).write_text(json.dumps(packages, indent=1) + "\n")
    shutil.rmtree(place, ignore_errors=True)
    return work.rename(place)


def _lacking(root: Path) -> list[str]:
    """The packages of SHELF that *root* was made without, by an older mailmend."""
    known = json.loads((root / STAMP).read_text())
    return [name for name in SHELF if name not in known]


def _complete(root: Path, cache: Path, progress: Progress) -> None:
    """What *root* lacks is added beside what others may be using; without the network it stays as it is."""
    for name in _lacking(root):
        try:
            added = _shelve(name, root / "shelf", cache, progress)
        except CannotLook as failure:
            progress(f"the lab has no {name} yet: {failure.reason}")
            continue
        known = json.loads((root / STAMP).read_text())
        new = (root / STAMP).with_suffix(".new")
        new.write_text(json.dumps(known | added, indent=1) + "\n")
        new.rename(root / STAMP)


def _shelve(name: str, shelf: Path, cache: Path, progress: Progress) -> dict[str, str]:
    """A package of SHELF, with what the host lacks for it, in a folder of its own; package -> version.

    A distribution without it has a lab without it: its version is "".
    """
    work = shelf / f".{name}.new"
    shutil.rmtree(work, ignore_errors=True)
    try:
        packages = unpack([name, *SHELF[name]], work, cache, progress)
    except CannotLook as failure:
        shutil.rmtree(work, ignore_errors=True)
        if "Unable to locate package" not in failure.reason:
            raise
        return {name: ""}
    _lighten(work)
    for merged in MERGED:
        _merge(work / merged, work / "usr" / merged)
    shutil.rmtree(shelf / name, ignore_errors=True)
    work.rename(shelf / name)
    return packages


def _lighten(folder: Path) -> None:
    """What the lab never reads would only be copied at every start."""
    for useless in (folder / "usr/share" / name for name in ("doc", "man", "locale", "lintian")):
        shutil.rmtree(useless, ignore_errors=True)


def unpack(wanted: list[str], folder: Path, cache: Path, progress: Progress) -> dict[str, str]:
    """Packages *wanted*, and what the host lacks for them, unpacked into *folder*; package -> version.

    *cache* is where lists are kept meanwhile. CannotLook: they cannot be had.
    """
    archives = folder / "var/cache/archives"
    archives.mkdir(parents=True)
    packages = _fetch(wanted, archives, cache, progress)
    for archive in sorted(archives.glob("*.deb")):
        progress(f"unpacking {archive.name.split('_')[0]}")
        _run(["dpkg-deb", "-x", str(archive), str(folder)], 120)
    shutil.rmtree(archives.parent, ignore_errors=True)
    return packages


def _fetch(wanted: list[str], archives: Path, cache: Path, progress: Progress) -> dict[str, str]:
    """Download *wanted* and what the host lacks for them; returns package -> version.

    The host's package lists are used where they serve, else lists of the lab's own are fetched: neither
    needs root, and the host's apt is left as it is.
    """
    own = cache / "lists"
    tries = [[], ["-o", f"Dir::State::lists={own}"]]
    reason = ""
    for options in tries:
        try:
            if options:
                progress("fetching package lists")
                own.mkdir(parents=True, exist_ok=True)
                _run(["apt-get", *options, "-q", "update"], 300)
            packages = _missing(wanted, options)
            names = " ".join(sorted(packages))
            progress(f"downloading {names}")
            choice = [f"{name}={version}" for name, version in packages.items()]
            _run(["apt-get", *options, "-q", "download", *choice], 600, cwd=archives)
        except CannotLook as failure:
            reason = failure.reason
            continue
        finally:
            shutil.rmtree(own, ignore_errors=True)
        return packages
    raise CannotLook(f"{', '.join(wanted)} cannot be downloaded: {reason}", "the first run needs the network")


def _missing(wanted: list[str], options: list[str]) -> dict[str, str]:
    """What apt would install, by a simulation: `Inst name [old] (version ...)`."""
    told = _run(
        ["apt-get", *options, "-s", "--no-install-recommends", "--reinstall", "install", *wanted], 120
    )
    found = re.findall(r"^Inst (\S+) (?:\[[^]]*\] )?\((\S+)", told, re.MULTILINE)
    return dict(found)


def _merge(extra: Path, proper: Path) -> None:
    """Move /bin and the like of old packages to where the host's links point."""
    if not extra.is_dir() or extra.is_symlink():
        return
    shutil.copytree(extra, proper, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(extra)


def _secrets(root: Path, progress: Progress) -> None:
    """Keys of the lab's own: a DKIM key for its senders, a certificate for its servers."""
    progress("making keys")
    secret = root / "etc/ssl/private"
    public = root / "etc/ssl/certs"
    for folder in (secret, public):
        folder.mkdir(parents=True, exist_ok=True)
    settings = root / "lab.cnf"
    settings.write_text(CERTIFICATE)
    openssl, extra = command("openssl", root)
    extra["OPENSSL_CONF"] = str(settings)
    key = str(secret / "lab-dkim.key")
    _run([openssl, "genrsa", "-traditional", "-out", key, "2048"], 60, extra=extra)
    _run([openssl, "rsa", "-in", key, "-pubout", "-out", str(public / "lab-dkim.pub")], 60, extra=extra)
    # Debian's main.cf names these two; the package ssl-cert makes them when it is installed.
    files = ["-keyout", str(secret / "ssl-cert-snakeoil.key"), "-out", str(public / "ssl-cert-snakeoil.pem")]
    _run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", *files], 60, extra=extra)


def _run(
    argv: list[str], timeout: float, cwd: Path | None = None, extra: Mapping[str, str] = MappingProxyType({})
) -> str:
    environment = {"PATH": SEARCH, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **extra}
    # A proxy that apt needs is handed down like apt itself would see it.
    environment |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=environment, timeout=timeout, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired as failure:
        raise CannotLook(f"{argv[0]} took longer than {timeout:.0f} s") from failure
    if done.returncode:
        # apt ends on its errors; its warnings come first and hide them.
        said = [line for line in done.stderr.splitlines() if line.startswith(("E:", "Err"))]
        said = said or done.stderr.splitlines() or [f"exit status {done.returncode}"]
        raise CannotLook(f"{argv[0]}: {said[0].removeprefix('E: ')}")
    return done.stdout


def main() -> int:
    """Prepare, telling each step on stderr: the launcher's part before the tests. 3 where it cannot be."""
    try:
        prepare(lambda step: print(f"lab: {step}", file=sys.stderr))
    except CannotLook as failure:
        print(f"lab: {failure}", file=sys.stderr)
        return 3
    return 0
