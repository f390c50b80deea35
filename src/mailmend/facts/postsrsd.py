"""How postsrsd is set here, and how Postfix asks it: 1.x by tcp_table(5), 2.x by socketmap_table(5)."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.facts.looking import answer
from mailmend.facts.settings import value
from mailmend.model import Probe
from mailmend.parse import postsrsd
from mailmend.questions import Bindable, File, Stat

PROGRAM = "/usr/sbin/postsrsd"
FILES = postsrsd.FILES
# What starts 1.x with the settings of its file; 2.x reads its own. Both files stay after an upgrade.
_LAUNCHER = "/usr/share/postsrsd/postsrsd-systemd-launcher"


@dataclass(frozen=True, slots=True)
class Daemon:
    """*settings* is the file that sets it, "" where there is none, and *text* what stands there. *domain*: what it
    rewrites into. *forward* and *reverse* are the tables by which Postfix asks it; *socket* is the one of *forward*.
    """

    installed: bool
    settings: str
    text: str
    domain: str
    forward: str
    reverse: str
    socket: str


def daemon(probe: Probe) -> Daemon:
    """The installed one; where there is none, as the distribution would set it. Unknown where it cannot be read."""
    installed = answer(probe, Stat(PROGRAM)).exists
    path, text = _file(probe) if installed else ("", "")
    read = postsrsd.settings(path or postsrsd.DEFAULTS, text)
    forward, reverse = read.forward, read.reverse
    if path == postsrsd.CONF:
        ask, back = (f"socketmap:{_as_daemons_see(forward, probe)}:{name}" for name in ("forward", "reverse"))
    else:
        ask, back = (f"tcp:{_as_daemons_see(end, probe).removeprefix('inet:')}" for end in (forward, reverse))
    domain = read.domain or value(probe, "mydomain").lower()
    return Daemon(installed, path, text, domain, ask, back, forward)


def with_domain(daemon: Daemon, domain: str) -> str:
    """The text of its settings with *domain* in them."""
    return postsrsd.assign(daemon.settings, daemon.text, domain)


def reachable(daemon: Daemon, probe: Probe) -> bool:
    """Whether Postfix's daemons, which may live in the chroot of the queue directory, can ask it."""
    kind, _, path = daemon.socket.partition(":")
    return kind == "inet" or path.startswith(f"{value(probe, 'queue_directory')}/")


def listens(daemon: Daemon, probe: Probe) -> bool:
    """Whether somebody is at its socket; of one in a folder, whether it is there: postsrsd takes it along."""
    kind, _, place = daemon.socket.partition(":")
    if kind == "inet":
        host, _, port = place.rpartition(":")
        # A socket that can be bound is nobody's.
        return bool(answer(probe, Bindable(_address(host), int(port))))
    return answer(probe, Stat(place)).exists


def _file(probe: Probe) -> tuple[str, str]:
    """(the file that sets it, its text); ("", "") where there is none."""
    both = (postsrsd.DEFAULTS, postsrsd.CONF)
    for path in both if answer(probe, Stat(_LAUNCHER)).exists else reversed(both):
        seen = answer(probe, File(path))
        if seen.exists:
            return path, seen.text
    return "", ""


def _as_daemons_see(socket: str, probe: Probe) -> str:
    """A path is relative to the queue directory, so that it means the same within a chroot and without."""
    kind, _, place = socket.partition(":")
    if kind == "unix":
        return f"unix:{place.removeprefix(value(probe, 'queue_directory') + '/')}"
    host, _, port = place.rpartition(":")
    return f"inet:{_address(host)}:{port}"


def _address(host: str) -> str:
    """Loopback by its number: a chroot need not know the name."""
    return "127.0.0.1" if host in ("", "*", "localhost", "0.0.0.0") else host  # noqa: S104
