"""A DKIM key of 2048 bits for opendkim, its public half beside it in the form of a zone (RFC 6376, RFC 8301 3.2).

The key is made by openssl(1), goes through memory into a file that only opendkim's user may read, and nowhere else:
into no log, no history, no record of what was asked. What is there is never written over.
"""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from pathlib import Path

from mailmend.model import CannotLook, Refused
from mailmend.system import durable, host

_BITS = "2048"
_STRING = 250  # of the 255 bytes that a string of a TXT record may have


def make(key: Path, selector: str, user: str) -> bool:
    """Make *key*, owned by *user* with mode 0600, and *key* with the suffix .txt; False where both are there.

    Where only the record is missing, it is worked out from the key that is there. Refused where the folder cannot
    be written, or *user* or openssl(1) is not there, CannotLook where that fails.
    """
    record = key.with_suffix(".txt")
    if os.path.lexists(key) and os.path.lexists(record):
        return False
    try:
        owner = pwd.getpwnam(user)
    except KeyError:
        raise Refused(f"there is no user {user}", "apt-get install opendkim") from None
    if not host.has_command("openssl"):
        raise Refused(
            "opendkim has no key, and openssl(1), which makes one, is not here", "apt-get install openssl"
        )
    try:
        folder = os.open(key.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as failure:
        raise Refused(
            f"{key.parent} cannot be opened: {failure.strerror}", "apt-get install opendkim"
        ) from None
    try:
        if not os.path.lexists(key):
            _new(folder, key.name, _openssl(["genrsa", _BITS]), 0o600, owner)
        with os.fdopen(os.open(key.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)) as file:
            private = file.read()
        if not os.path.lexists(record):
            _new(folder, record.name, _record(selector, private), 0o644, owner)
    except OSError as failure:
        raise Refused(f"{key} cannot be made: {failure.strerror}") from None
    finally:
        os.close(folder)
    durable.sync(key.parent)
    return True


def _new(folder: int, name: str, text: str, mode: int, owner: pwd.struct_passwd) -> None:
    """The whole file under its name at once, and only where nothing has that name (link(2) does not replace)."""
    passing = f".{name}.{os.getpid()}"
    fd = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fchown(fd, owner.pw_uid, owner.pw_gid)
            os.fchmod(fd, mode)
            os.fsync(fd)
        os.link(passing, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    finally:
        with suppress(OSError):
            os.unlink(passing, dir_fd=folder)


def _record(selector: str, private: str) -> str:
    lines = _openssl(["rsa", "-pubout"], private).splitlines()
    text = "v=DKIM1; k=rsa; p=" + "".join(line for line in lines if not line.startswith("-----"))
    strings = " ".join(f'"{text[at : at + _STRING]}"' for at in range(0, len(text), _STRING))
    return f"{selector}._domainkey IN TXT ( {strings} )\n"


def _openssl(arguments: list[str], given: str = "") -> str:
    done = host.command(["openssl", *arguments], timeout=60, stdin=given)
    if done.returncode or "-----BEGIN" not in done.stdout:
        # Its first line of complaint names no part of a key.
        said = next(iter(done.stderr.splitlines()), f"exit status {done.returncode}")
        raise CannotLook(f"openssl {arguments[0]} failed: {said}")
    return done.stdout
