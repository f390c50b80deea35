"""An open lab becomes the stage of a rehearsal: a copied host among stand-ins, started, changed, sent through."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailmend.lab import clone_host, zones
from mailmend.lab.clone import AUTHORITY, Clone
from mailmend.lab.clone_mail import Mail, go
from mailmend.lab.clone_tables import EMPTY
from mailmend.lab.network import RESOLVER
from mailmend.model import Activation, CannotLook
from mailmend.parse import postsrsd
from mailmend.rehearsal import Fate

if TYPE_CHECKING:
    from mailmend.lab.driver import Lab

_SOURCE = str(Path(__file__).resolve().parents[2])
_GATEWAY6 = "2001:db8:1::1"
_SNAKE_OIL = ("/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key")
_RECEIVERS = (
    "mx.elsewhere.example",
    "mx6.v6only.example",
    "*.google.com",
    "*.l.google.com",
    "*.googlemail.com",
)
_LISTENING = re.compile(r"^LISTEN\s+\d+\s+\d+\s+(\S+)\s+\S+\s+users:\(\(.*\"master\",", re.MULTILINE)
_TROUBLE = re.compile(
    r"^\S+ \S+ (\S+?)\[\d+\]: (?:[0-9A-Za-z]{6,}: )?((?:warning|error|fatal|panic): .*)$", re.MULTILINE
)
_CHANGES = re.compile(r"\b(?:pid )?\d+\b|/\S*\.\w{6}\b")
# What starts 1.x; 2.x has none.
_REWRITER = "/.shelf/packages/postsrsd/usr/share/postsrsd/postsrsd-systemd-launcher"
# A message that has no last word after that long has none: no address of the lab lets a client wait.
WAIT = 20.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around the configuration: the host's name, /etc/hosts, addresses, and the DNS records about them.

    *source4* and *source6* are the addresses that it sends from, None where it has no such way out.
    """

    hostname: str
    hosts: str
    addresses: tuple[str, ...]
    source4: str | None
    source6: str | None
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one performance showed."""

    fates: tuple[tuple[Fate, ...], ...]
    listeners: tuple[str, ...]
    trouble: tuple[str, ...]


class Stage:
    """One rehearsal in an open lab of its own."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._files: dict[str, str | None] = {}
        self._clone: Clone | None = None

    def usable(self) -> frozenset[str]:
        """The table types of the lab's Postfix."""
        return frozenset(self._inside("types", {}))

    def version(self) -> str:
        """Of the lab's Postfix."""
        return self._lab.relay.run(["postconf", "-dh", "mail_version"]).stdout.strip()

    def set_up(self, clone: Clone, around: Surroundings) -> None:
        """Lay the copy out among stand-ins; nothing runs yet. CannotLook says what cannot be done here."""
        self._clone = clone
        self._lab.reset()
        world = self._lab._world
        world.call("lease", host="relay", addresses=list(_unicast(around.addresses)))
        hops = [h for h in clone.hops if h.port]
        literal = [h.host for h in hops if _is_address(h.host)]
        world.call("lease", host="elsewhere", addresses=[a for a in literal if a not in around.addresses])
        names = sorted({h.host for h in hops} - set(literal))
        authority = world.call("certify", names=[*names, *_RECEIVERS], timeout=60)
        for hop in hops:
            world.call("relayhost", name=hop.host, port=hop.port)
        for address in _unicast(around.addresses):
            # What the lab knows of addresses of its own must not be taken for this host's.
            self._lab.dns.withdraw(address, "PTR")
        self._lab.dns.publish(*filter(_readable, around.records))
        for name in names:
            self._lab.dns.publish(
                f"{name} A {zones.ELSEWHERE4}", f"{name} AAAA {zones.ELSEWHERE6}", f"{name} MX 10 {name}."
            )
        self._routes(around, literal)
        self._inside("lay_out", {
            "hostname": around.hostname,
            "hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n{_without_localhost(around.hosts)}",
            "addresses": _remote(clone),
            "directories": list(clone.directories),
            "instances": [{"queue": p.queue, "data": p.data} for p in clone.parts],
            **self._written(clone, authority),
        })  # fmt: skip
        self._stand_in(clone)
        self._rewrite(clone)

    def rewrites(self) -> bool:
        """Whether the lab has postsrsd 1.x."""
        return self._lab.relay.run(["test", "-e", _REWRITER]).returncode == 0

    def start(self) -> None:
        """CannotLook, with the log's own words, where what is saved does not start."""
        self._inside("start", {"directories": self._directories()}, timeout=90)

    def change(self, clone: Clone, activation: Activation) -> None:
        """The files of *clone* instead of those before, activated as on the host. CannotLook as start()."""
        before, self._clone = self._clone, clone
        request = self._written(clone, None)
        gone = {p: [None, 0] for p in (before.files if before else {}) if p not in clone.files}
        request["files"] = {
            **{p: v for p, v in request["files"].items() if v[0] != (before.files.get(p) if before else None)}, **gone
        }  # fmt: skip
        self._inside("write", request)
        self._stand_in(clone, already=before.stand_ins if before else ())
        if clone.rewriter != (before.rewriter if before else None):
            self._rewrite(clone)
        self._inside("activate", {"activation": activation, "directories": self._directories()}, timeout=90)

    def perform(self, mails: Sequence[Mail]) -> Seen:
        """All test mails through what runs now, the listeners, the log's complaints."""
        size = len(self._lab.relay.log())
        via = self.door()
        fates = go(self._lab, mails, directory=self._directories()[0], via=via, timeout=WAIT)
        return Seen(tuple(fates), self.listeners(), self.trouble(size))

    def strict(self, strict: bool) -> None:
        """Whether Gmail's stand-in asks senders over IPv4 for authentication too."""
        self._lab.receiver.world("strict" if strict else "lenient")

    def listeners(self) -> tuple[str, ...]:
        """The sockets of all masters, `address:port`."""
        return tuple(sorted(set(_LISTENING.findall(self._lab.relay.listeners_ss()))))

    def door(self) -> str | None:
        """Where a stranger hands mail in: an address with port 25 that is not the host's own loopback."""
        for socket in self.listeners():
            host, _, port = socket.rpartition(":")
            host = host.strip("[]").partition("%")[0]
            if port == "25" and host in ("0.0.0.0", "*"):  # noqa: S104 (compared, never bound)
                return zones.RELAY4
            if port == "25" and host == "::":
                return zones.RELAY6
            if port == "25" and not ip_address(host).is_loopback:
                return host
        return None

    def trouble(self, since: int = 0) -> tuple[str, ...]:
        """What the log complains of, each kind once, without what differs from process to process."""
        found = _TROUBLE.findall(self._lab.relay.log()[since:])
        kinds = {_CHANGES.sub("N", says): f"{tag}: {says}" for tag, says in found}
        return tuple(kinds.values())

    def _directories(self) -> list[str]:
        return [part.directory for part in self._clone.parts] if self._clone else []

    def _routes(self, around: Surroundings, neighbours: Sequence[str]) -> None:
        """Mail leaves from the host's own addresses; a family that the host has no way out of has none here.

        *neighbours* are reached all the same, by their addresses.
        """
        for address in neighbours:
            gateway = _GATEWAY6 if ":" in address else RESOLVER
            self._lab.relay.run(["ip", "route", "replace", address, "via", gateway])
        for family, source, gateway, own in (
            ("-4", around.source4, RESOLVER, zones.RELAY4), ("-6", around.source6, _GATEWAY6, zones.RELAY6),
        ):  # fmt: skip
            if source is None:
                self._lab.relay.run(["ip", family, "route", "del", "default"])
            elif source != own:
                self._lab.relay.run(
                    ["ip", family, "route", "replace", "default", "via", gateway, "src", source]
                )

    def _written(self, clone: Clone, authority: str | None) -> dict[str, Any]:
        """The files as clone_host.write wants them; throw-away keys where the host has its own."""
        files: dict[str, list[Any]] = {p: [text, clone_host.READABLE] for p, text in clone.files.items()}
        certificate, key = (self._lab.relay.read(path) for path in _SNAKE_OIL)
        files |= {path: [certificate, clone_host.READABLE] for path in clone.certificates}
        files |= {path: [key + certificate, clone_host.SECRET] for path in clone.keys}
        files |= {path: [files[path][0], clone_host.SECRET] for path in clone.secret}
        files[EMPTY] = ["", clone_host.READABLE]
        if authority is not None:
            files[AUTHORITY] = [authority, clone_host.READABLE]
        return {"files": files, "indexes": [[i.program, i.table] for i in clone.indexes]}

    def _stand_in(self, clone: Clone, already: Sequence[Any] = ()) -> None:
        servers = [asdict(s) for s in clone.stand_ins if s not in already]
        if servers:
            argv = [sys.executable, "-P", "-m", "mailmend.lab.standins"]
            done = self._lab.relay.run(
                argv, input=json.dumps(servers), env={"PYTHONPATH": _SOURCE}, timeout=30
            )
            if done.returncode:
                raise CannotLook(
                    f"the stand-ins do not start: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
                )

    def _rewrite(self, clone: Clone) -> None:
        """postsrsd runs as *clone* has it; what else the host's file says, a script of sh, is not run here."""
        if clone.rewriter is None:
            return
        forward, reverse = (
            end.removeprefix("inet:").rpartition(":")
            for end in (clone.rewriter.forward, clone.rewriter.reverse)
        )
        lines = [
            f"SRS_LISTEN_ADDR={forward[0]}",
            f"SRS_FORWARD_PORT={forward[2]}",
            f"SRS_REVERSE_PORT={reverse[2]}",
        ]
        text = "".join(f"{line}\n" for line in lines)
        if clone.rewriter.domain:
            text = postsrsd.assign(postsrsd.DEFAULTS, text, clone.rewriter.domain)
        self._lab.relay.install("postsrsd")
        self._lab.relay.stop_daemon("postsrsd")
        self._lab.relay.write(postsrsd.DEFAULTS, text)
        self._lab.relay.start_daemon("postsrsd", int(forward[2]), int(reverse[2]))

    def _inside(self, operation: str, request: Mapping[str, Any], timeout: float = 60) -> Any:
        argv = [sys.executable, "-P", "-m", "mailmend.lab.clone_host", operation]
        done = self._lab.relay.run(
            argv, input=json.dumps(request), env={"PYTHONPATH": _SOURCE}, timeout=timeout, cwd="/"
        )
        if done.returncode:
            raise CannotLook(
                f"the lab cannot become this host: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
            )
        told = json.loads(done.stdout)
        if "error" in told:
            raise CannotLook(told["error"])
        return told["result"]


def _unicast(addresses: Sequence[str]) -> list[str]:
    """Those that a second host in another network can reach."""
    known = [ip_address(a.partition("%")[0]) for a in addresses]
    return [
        str(a) for a in known if not (a.is_loopback or a.is_link_local or a.is_unspecified or a.is_multicast)
    ]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _readable(record: str) -> bool:
    """Real DNS holds what a zone file cannot; the stand-ins do without it."""
    try:
        zones.parse(record)
    except ValueError:
        return False
    return True


def _remote(clone: Clone) -> list[str]:
    """Addresses of other hosts that stand-ins inside the relay take over: a milter on another machine."""
    hosts = [s.host for s in clone.stand_ins if _is_address(s.host)]
    return [f"{h}/{128 if ':' in h else 32}" for h in hosts if not ip_address(h).is_loopback]


def _without_localhost(hosts: str) -> str:
    return "".join(f"{line}\n" for line in hosts.splitlines() if "localhost" not in line.split())
