"""The relay's Postfix, as its operator finds it: pristine settings, and start, reload, stop that are verified.

Works inside the relay, on the default paths. The settings are those of Debian's "internet site", plus one
domain whose addresses are all forwarded. Postfix is driven without its shell scripts, which take ten times
as long: SIGHUP and SIGTERM to master(8) are what they send as well.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from mailmend.model import CannotLook

ETC = Path("/etc/postfix")
QUEUE = Path("/var/spool/postfix")
DATA = Path("/var/lib/postfix")
LOG = Path("/var/log/mail.log")
STATE = (Path("/var/lib/mailmend"), Path("/etc/mailmend"))
MAIL = Path("/var/mail")
ALIASES = Path("/etc/aliases")  # its table lies beside it, under the name of its type
ACCOUNTS = Path("/etc/passwd")
DAEMONS = Path("/usr/lib/postfix/sbin")
PRISTINE = Path("/.pristine")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
# Postfix naps until a main.cf that it reads is more than a second old.
AGE = 60

MAIN = """\
# See /usr/share/postfix/main.cf.dist for a commented, more complete version

smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no

# appending .domain is the MUA's job.
append_dot_mydomain = no

readme_directory = no

# See http://www.postfix.org/COMPATIBILITY_README.html
compatibility_level = 3.6

# TLS parameters
smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem
smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key
smtpd_tls_security_level=may

smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache

smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = relay.example.org
alias_maps = %(type)s:/etc/aliases
alias_database = %(type)s:/etc/aliases
myorigin = /etc/mailname
mydestination = $myhostname, relay.example.org, localhost.example.org, localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all

# every address of this domain is forwarded
virtual_alias_domains = example.org
virtual_alias_maps = %(type)s:/etc/postfix/virtual
"""
FORWARDS = {
    "user@example.org": "someone@gmail.com",
    "ws@example.org": "boss@workspace.example",
    "old@example.org": "boss@oldworkspace.example",
    "six@example.org": "x@v6only.example",
    "else@example.org": "friend@elsewhere.example",
}


def install(package: Path) -> None:
    """Finish what unpacking left undone; *package* is the unpacked root. Leaves a copy to reset to."""
    shutil.copytree(package / "etc/postfix", ETC, symlinks=True, dirs_exist_ok=True)
    share = Path("/usr/share/postfix")
    shutil.copy(share / "master.cf.dist", ETC / "master.cf")
    if (share / "dynamicmaps.cf").exists():
        shutil.copy(share / "dynamicmaps.cf", ETC)
    (ETC / "main.cf").write_text("")
    (ETC / "virtual").write_text("".join(f"{old}\t{new}\n" for old, new in FORWARDS.items()))
    _age()
    types = _told("postconf", "-m").split()
    table = "hash" if "hash" in types else "lmdb"
    (ETC / "main.cf").write_text(MAIN % {"type": table})
    _permissions()
    _age()
    _told("postmap", f"{table}:{ETC}/virtual")
    _told("postalias", f"{table}:/etc/aliases")
    _fill_chroot()
    for folder in (ETC, QUEUE):
        _copy(folder, _pristine(folder))
    kept = _pristine(ALIASES)
    kept.parent.mkdir(parents=True, exist_ok=True)
    for path in (ACCOUNTS, *ALIASES.parent.glob(f"{ALIASES.name}*")):
        shutil.copy2(path, kept.parent)


def reset(main: dict[str, str], master_extra: str, files: dict[str, str], remove: list[str]) -> None:
    """A stopped Postfix as after its installation, with these settings instead of or besides its own.

    *files* are written last, below /etc/postfix where they are not absolute; *remove* are settings to drop.
    """
    stop()
    for folder in (ETC, QUEUE):
        _empty(folder)
        _copy(_pristine(folder), folder)
    for folder in (DATA, *STATE, MAIL):
        folder.mkdir(exist_ok=True)
        _empty(folder)
    for path in ALIASES.parent.glob(f"{ALIASES.name}*"):
        path.unlink()
    for path in (_pristine(ACCOUNTS), *_pristine(ALIASES).parent.glob(f"{ALIASES.name}*")):
        shutil.copy2(path, ALIASES.parent)
    text = (ETC / "main.cf").read_text()
    for name in (*main, *remove):
        text = re.sub(rf"^{re.escape(name)}\s*=.*\n", "", text, flags=re.MULTILINE)
    (ETC / "main.cf").write_text(text + "".join(f"{name} = {value}\n" for name, value in main.items()))
    with (ETC / "master.cf").open("a") as master:
        master.write(master_extra)
    for name, content in files.items():
        path = ETC / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8", "surrogateescape")
    _age()
    os.truncate(LOG, 0)
    for rotated in LOG.parent.glob(f"{LOG.name}.*"):
        rotated.unlink()


def start() -> int:
    """Start master(8) and wait until it listens; returns its pid. CannotLook with the log's words if it fails."""
    if running := _daemons():
        raise CannotLook(f"the relay's Postfix runs already: {running}")
    done = subprocess.run(
        [DAEMONS / "master", "-w"], env=ENVIRONMENT, timeout=20, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    pid = next((pid for pid, name in _daemons().items() if name == "master"), None)
    if done.returncode or pid is None:
        raise CannotLook("the relay's Postfix does not start: " + _last_words())
    return pid


def stop() -> None:
    """End every process of Postfix; returns when none is left."""
    deadline = time.monotonic() + 3
    asked: set[int] = set()
    while daemons := _daemons():
        late = time.monotonic() > deadline
        for pid, name in daemons.items():
            # master ends its children; those of a master that was killed are ended one by one.
            orphaned = "master" not in daemons.values()
            if late or ((name == "master" or orphaned) and pid not in asked):
                asked.add(pid)
                _signal(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.002)


def reload() -> None:
    """SIGHUP to master(8); returns when a new queue manager runs."""
    daemons = _daemons()
    master = next((pid for pid, name in daemons.items() if name == "master"), None)
    if master is None:
        raise CannotLook("the relay's Postfix does not run")
    old = {pid for pid, name in daemons.items() if name == "qmgr"}
    _signal(master, signal.SIGHUP)
    deadline = time.monotonic() + 10
    while not any(name == "qmgr" and pid not in old for pid, name in _daemons().items()):
        if time.monotonic() > deadline or master not in _daemons():
            raise CannotLook("the relay's Postfix does not reload: " + _last_words())
        time.sleep(0.005)


def _permissions() -> None:
    """Create and own what the package's own table (postfix-files) says: post-install set-permissions."""
    places = {
        "config_directory": str(ETC),
        "queue_directory": str(QUEUE),
        "data_directory": str(DATA),
        "command_directory": "/usr/sbin",
        "daemon_directory": str(DAEMONS),
    }
    people = {"mail_owner": "postfix", "setgid_group": "postdrop"}
    folders = (ETC, Path("/usr/share/postfix"), DAEMONS)
    table = next(path for folder in folders if (path := folder / "postfix-files").exists())
    for line in table.read_text().splitlines():
        fields = line.split(":")
        if line.startswith("#") or len(fields) < 5 or "o" in "".join(fields[5:]):
            continue
        name, kind, owner, group, mode = fields[:5]
        path = Path(re.sub(r"\$(\w+)", lambda m: places.get(m[1], "/nonexistent"), name))
        if kind == "d" and path.is_relative_to(QUEUE) | path.is_relative_to(DATA):
            path.mkdir(parents=True, exist_ok=True)
        elif kind not in ("d", "f") or not path.exists():
            continue
        owner, group = (re.sub(r"\$(\w+)", lambda m: people.get(m[1], "root"), who) for who in (owner, group))
        os.chown(path, pwd.getpwnam(owner).pw_uid, 0 if group == "-" else grp.getgrnam(group).gr_gid)
        path.chmod(int(mode, 8))


def _fill_chroot() -> None:
    """Copy what a chrooted service reads, as Debian's start script does before every start."""
    inner = QUEUE / "etc"
    inner.mkdir(exist_ok=True)
    for name in ("localtime", "services", "resolv.conf", "hosts", "host.conf", "nsswitch.conf"):
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), inner)


def _pristine(folder: Path) -> Path:
    return PRISTINE / folder.relative_to("/")


def _age() -> None:
    then = time.time() - AGE
    for path in ETC.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (then, then))


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy a tree with owners, modes and times."""
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    for folder, _folders, names in os.walk(source):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            state = path.lstat()
            copy = target / path.relative_to(source)
            if (state.st_uid, state.st_gid) != (0, 0):
                os.lchown(copy, state.st_uid, state.st_gid)
                if not path.is_symlink():
                    copy.chmod(state.st_mode & 0o7777)


def _daemons() -> dict[int, str]:
    """The running programs of Postfix, by pid; a zombie has no program any more."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            program = (process / "exe").readlink()
        except OSError:
            continue
        if program.is_relative_to(DAEMONS):
            found[int(process.name)] = program.name
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _last_words() -> str:
    lines = LOG.read_text(errors="replace").splitlines()
    bad = [line for line in lines if "fatal" in line or "error" in line or "panic" in line]
    return "; ".join((bad or lines)[-2:]) or "nothing in its log"


def _told(*argv: str) -> str:
    try:
        done = subprocess.run(argv, env=ENVIRONMENT, timeout=20, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as failure:
        raise CannotLook(f"{argv[0]}: {failure.stderr.strip()}") from failure
    return done.stdout
