"""web: the console is served by a process without rights; as root, the helper that acts for it is started beside it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.jobs.here import Here, require_root
from mailmend.model import CannotLook, Refused
from mailmend.places import HELPER
from mailmend.ui.ending import document, write

if TYPE_CHECKING:
    import socket

    from mailmend.ui.web.sessions import Authority

# Of systemd's dynamic users (systemd.exec(5), DynamicUser=): nobody has one of these for good.
_FREE = range(61184, 65520)
_NO_NEW_PRIVILEGES, _NAMED = 38, 3  # prctl(2); the last, PR_GET_DUMPABLE, only asks
_BEGINS = 10.0  # seconds


def web(
    here: Here,
    *,
    host: str,
    port: int,
    names: Sequence[str],
    reads_only: bool,
    group: str | None = None,
    path: Path | None,
    as_json: bool,
) -> None:
    """Until Ctrl-C or SIGTERM. Three ways, each told at the start with its address:

    *reads_only*, or no helper and no root: it only reads, and its code is printed. A helper listens at *path*: it
    writes by that, and root is shown codes. As root: a helper is started beside it, and this process drops its rights.
    *group*: root and its users may log in with their passwords, by the helper.
    Raises Refused where nothing can listen, a package of the extra is missing, the helper is in the way, or there is
    no such group.
    """
    _require_packages()
    from mailmend.ui.web import serve

    if group is not None:
        from mailmend.ui.helper import accounts

        accounts.require_group(group)

    serve.asked_by(names)  # said before anything is begun
    opened = serve.listen(host, port)
    place = f"[{host}]" if ":" in host else host
    address = f"http://{place}:{opened.getsockname()[1]}/"
    socket_path = path or HELPER
    code, helper = "", None
    authority: Authority
    if not reads_only and os.geteuid() == 0:
        code, helper = _with_helper(here, socket_path, opened, group), socket_path
        authority = serve.ByHelper(socket_path)
    elif not reads_only and _answers(socket_path):
        helper, authority = socket_path, serve.ByHelper(socket_path)
    else:
        from mailmend.ui.helper.sessions import Sessions

        own = Sessions()
        code, authority = own.login_code(), own
        if group is not None:
            raise Refused(
                "without the helper nobody's password can be checked", "start it as root, without --user"
            )
    told = _told(address, code, host, writes=helper is not None)
    shown = {
        "schema": "mailmend.web/1",
        "address": address,
        "code": code or None,
        "writes": helper is not None,
    }
    serve.serve(
        opened,
        authority,
        helper=helper,
        group=group,
        names=names,
        config_directory=here.config_directory,
        state=here.state,
        ready=lambda: write(document(shown) if as_json else told),
    )


def _require_packages() -> None:
    """Refused, with how to get them, where the extra was not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("starlette", "uvicorn", "jinja2", "python_multipart") if not find_spec(name)]
    if missing:
        raise Refused(f"the console needs {', '.join(missing)}", "pip install 'mailmend[web]'")


def _told(address: str, code: str, host: str, *, writes: bool) -> str:
    lines = [f"The console: {address}"]
    if code:
        lines.append(f"Code to log in, once, within ten minutes: {code}")
    else:
        lines.append("As root, mailmend web --code shows a code to log in.")
    if not writes:
        lines.append("It only reads: changes are made in a terminal.")
    elif code:
        lines.append("Another code: mailmend web --code")
    if ip_address(host).is_loopback:
        port = address.rstrip("/").rpartition(":")[2]
        lines.append(
            f"From another machine: ssh -L {port}:{host}:{port} SERVER, and open the same address there."
        )
    else:
        lines.append(
            "Others can listen in: put a proxy with TLS before it (--name https://NAME), or use ssh -L."
        )
    return "\n".join([*lines, "Ctrl-C ends it.", ""])


def _answers(path: Path) -> bool:
    from mailmend.ui.helper.client import connect

    try:
        connect(path)
    except CannotLook:
        return False
    return True


def _with_helper(here: Here, path: Path, opened: socket.socket, group: str | None) -> str:
    """A login code of the helper that is started at *path*; this process has no rights any more.

    The helper ends with this process; a change that it has begun goes on.
    """
    require_root("the console's helper")
    if _answers(path):
        raise Refused(
            f"a helper listens at {path} already: the console runs",
            "mailmend web --code shows a code; mailmend web --user only reads",
        )
    from mailmend.ui.helper.client import Helper

    path.unlink(missing_ok=True)  # of one that is gone
    uid = _a_user()
    _prctl(_NAMED, 0)  # what prctl needs is loaded while it can be read
    # The kernel's own signal at a parent's death is sent with the parent's rights, which will not reach root.
    lives, living = os.pipe()
    if os.fork() == 0:
        opened.close()
        os.close(living)
        _be_helper(here, path, uid, lives, group)
    os.close(lives)
    _until(path.is_socket, "the helper did not start")
    code = Helper(path).login_code()
    _drop(uid)
    return code


def _be_helper(here: Here, path: Path, uid: int, lives: int, group: str | None) -> None:
    """In the child: serve, until the console ends and with it the other end of *lives*. It never returns."""
    import signal
    import threading

    from mailmend.ui.helper.acting import Acting
    from mailmend.ui.helper.serve import Helper

    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the console's
        threading.Thread(target=_end_with, args=(lives, path), daemon=True).start()
        acting = Acting(config_directory=here.config_directory, state=here.state, group=group)
        Helper(path, uid, uid, acting).serve()
    except Refused as refused:
        sys.stderr.write(f"mailmend helper: {refused}\n")
    finally:
        os._exit(status)


def _end_with(lives: int, path: Path) -> None:
    """End this process when nobody holds the other end of *lives* any more, and take its socket away."""
    while os.read(lives, 1):
        pass
    path.unlink(missing_ok=True)
    os._exit(0)


def _a_user() -> int:
    """The user mailmend, where there is one; else a number that nobody has."""
    import pwd

    with suppress(KeyError):
        return pwd.getpwnam("mailmend").pw_uid
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in _FREE if uid not in taken)


def _drop(uid: int) -> None:
    """No rights of root any more, nor a way back to them; the group adm reads the log."""
    import grp

    groups = []
    with suppress(KeyError):
        groups.append(grp.getgrnam("adm").gr_gid)
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _prctl(_NO_NEW_PRIVILEGES, 1)
    if not os.access(__file__, os.R_OK):
        raise Refused(
            "a process without rights cannot read the program", "install mailmend where all may read it"
        )


def _prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _until(holds: Callable[[], bool], failing: str) -> None:
    end = time.monotonic() + _BEGINS
    while not holds():
        if time.monotonic() > end:
            raise CannotLook(failing, "what it says stands above")
        time.sleep(0.05)
