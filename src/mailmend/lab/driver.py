"""A running lab, seen from outside: open it, send through it, change its world, read what happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailmend.lab import control, root, zones
from mailmend.lab.host import ENVIRONMENT, RelayHost
from mailmend.lab.outcomes import Attempt, read
from mailmend.model import CannotLook

# What is mounted is secluded by the keeper itself: unshare(1) cannot do it in a chroot.
NAMESPACES = [
    "--mount",
    "--propagation",
    "unchanged",
    "--pid",
    "--net",
    "--uts",
    "--ipc",
    "--fork",
    "--kill-child",
]


@dataclass(frozen=True, slots=True)
class Received:
    """One message as a stand-in got it. *verdict* is None at servers that do not judge."""

    trace: str
    at: float
    family: str
    peer: str
    helo: str
    tls: bool
    mail_from: str
    recipients: tuple[str, ...]
    reply: str
    verdict: Mapping[str, Any] | None
    message: str


class Dns:
    """What the lab's names resolve to, and how the relay's resolver behaves."""

    def __init__(self, line: control.Line) -> None:
        self._line = line

    def publish(self, *records: str) -> None:
        """`name [ttl] TYPE data`; every name and type mentioned gets exactly these records. For PTR the name
        may be an IP address; TXT data is one text of any length. ValueError-like CannotLook for nonsense."""
        self._line.call("publish", records=list(records))

    def withdraw(self, name: str, kind: str | None = None) -> None:
        """Remove one type of a name, or all of it."""
        self._line.call("withdraw", name=name, kind=kind)

    def reset(self) -> None:
        """The records of the beginning, and a resolver in order."""
        self._line.call("reset_zones")
        self.mode("ok")

    def mode(self, mode: str) -> None:
        """How the relay's resolver answers: ok, dead, servfail, lying. The receivers always see the truth."""
        self._line.call("resolver", mode=_one_of(mode, ("ok", "dead", "servfail", "lying")))


class Receiver:
    """The stand-in for Google's receivers (mailboxes.Google)."""

    def __init__(self, line: control.Line) -> None:
        self._line = line

    def world(self, world: str) -> None:
        """`lenient`: only IPv6 is held to the rules; `strict`: IPv4 too, and DMARC over both."""
        self._line.call("receiver", attribute="world", value=_one_of(world, ("lenient", "strict")))

    def mode(self, mode: str) -> None:
        """`ok`, or 421 for a family or for both: ipv6-tempfail, ipv4-tempfail, tempfail."""
        modes = ("ok", "ipv6-tempfail", "ipv4-tempfail", "tempfail")
        self._line.call("receiver", attribute="mode", value=_one_of(mode, modes))

    def says(self, reply: str) -> None:
        """Answer every message with *reply* (RFC 5321 4.2), whatever it is like; "" judges again."""
        self._line.call("receiver", attribute="says", value=reply.replace("\n", "\r\n"))

    def allow(self, count: int | None, seconds: float = 2) -> None:
        """Take *count* messages within any *seconds* of one address, SPF domain or DKIM domain, and answer all
        others 4.7.28; None: any number."""
        self._line.call("allowed", count=count, seconds=seconds)

    def tls(self, offered: bool) -> None:
        """Offer STARTTLS to the sessions to come."""
        self._line.call("receiver", attribute="tls", value=offered)

    def received(self) -> list[Received]:
        """All messages, refused ones too, in the order of their end."""
        return _messages(self._line, "receiver")


class Mailboxes:
    """A host that accepts everything: the original sender's, where DSNs come back, or an ordinary receiver."""

    def __init__(self, line: control.Line, name: str) -> None:
        self._line = line
        self._name = name

    def received(self) -> list[Received]:
        return _messages(self._line, self._name)

    def mailbox(self) -> list[str]:
        """The messages themselves, in the order of their coming."""
        return [each.message for each in self.received()]

    def wait_mailbox(self, count: int = 1, timeout: float = 20) -> list[str]:
        """The mailbox once it holds *count* messages; TimeoutError where they do not come."""
        deadline = time.monotonic() + timeout
        while len(messages := self.mailbox()) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(messages)} of {count} messages came to {self._name}")
            time.sleep(0.01)
        return messages


class Lab:
    """The private network: `relay` under test, `dns`, the `receiver`, the `sender`, and `elsewhere`."""

    def __init__(self, world: control.Line, relay: control.Line) -> None:
        self._world = world
        self.relay = RelayHost(relay)
        self.dns = Dns(world)
        self.receiver = Receiver(world)
        self.sender = Mailboxes(world, "sender")
        self.elsewhere = Mailboxes(world, "elsewhere")

    def reset(self, **settings: Any) -> None:
        """Everything as at the beginning: names, modes, mailboxes, and the relay (RelayHost.reset)."""
        # The relay first: what it still delivered would come into an emptied mailbox.
        self.relay.reset(**settings)
        self._world.call("pristine")

    def send(
        self,
        to: str = "user@example.org",
        count: int = 12,
        *,
        signed: bool = False,
        signer: str = "",
        broken: bool = False,
        sender: str = "alice@sender.example",
        via: str = zones.RELAY4,
        author: str | None = None,
        subject: str = "hello",
        body: str = "A message of the lab.",
        gap: float = 0.02,
    ) -> list[str]:
        """Hand *count* messages to the relay in one session, *gap* seconds apart, and return their traces.

        Without a gap Postfix reuses its sessions, and the messages share few choices of an address.
        *sender* is the envelope's ("" the null sender), *author* the From: where it differs. *signed*: by the
        author's domain; or by *signer*. *broken*: changed after it was signed. CannotLook with
        the relay's reply where it does not take one.
        """
        from mailmend.lab.sending import new_traces

        traces = new_traces(count)
        author = author or sender or "postmaster@sender.example"
        signer = signer or (author.rpartition("@")[2] if signed else "")
        replies = self._world.call(
            "send", via=via, traces=traces, sender=sender, author=author, to=to, signer=signer, broken=broken,
            subject=subject, body=body,
            gap=gap,
        )  # fmt: skip
        for reply in replies:
            if not reply.startswith("250"):
                raise CannotLook(f"the relay does not take a message of the lab: {reply}")
        return traces

    def outcomes(self, traces: Sequence[str], timeout: float = 20) -> dict[str, Attempt]:
        """Postfix's own last word on each message; TimeoutError names those without one."""
        deadline = time.monotonic() + timeout
        while missing := set(traces) - (told := read(self.relay.log())).keys():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no outcome of {sorted(missing)}:\n{self.relay.log()[-2000:]}")
            time.sleep(0.01)
        return {trace: told[trace] for trace in traces}


@contextmanager
def open_lab(progress: root.Progress | None = None, *, own_programs: bool = False) -> Iterator[Lab]:
    """A lab of one's own, until the block ends or this process does. CannotLook with the reason where none can be.

    *own_programs*: where this host has a Postfix, the relay runs that one instead of the lab's.

    The first call on a machine downloads and unpacks Postfix (a few seconds, needs the network); *progress*
    is told each step.
    """
    way = _way_in()
    unpacked = root.prepare(progress or (lambda _step: None))
    mount_point = root.home() / "mount"
    mount_point.mkdir(exist_ok=True)
    (world, world_inside), (relay, relay_inside) = control.pair(), control.pair()
    inside = (world_inside.fileno(), relay_inside.fileno())
    command = [
        sys.executable,
        "-P",
        "-m",
        "mailmend.lab.keeper",
        *map(str, inside),
        str(unpacked),
        str(mount_point),
    ]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    if os.geteuid():
        environment["MAILMEND_LAB_USER"] = "1"
    if own_programs and root.has_postfix():
        environment["MAILMEND_LAB_OWN"] = "1"
    with os.fdopen(os.memfd_create("keeper"), "w+") as said, world, relay:
        keeper = subprocess.Popen(
            [*way, *command], env=environment, pass_fds=inside, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        world_inside.close()
        relay_inside.close()
        lab = Lab(control.Line(world, "network"), control.Line(relay, "relay"))
        try:
            try:
                lab._world.call("hello", timeout=30)
                lab.relay._line.call("hello", timeout=30)
            except (CannotLook, TimeoutError) as failure:
                raise CannotLook(f"the lab cannot run here: {_why(said, failure)}") from failure
            yield lab
        finally:
            world.close()
            relay.close()
            try:
                keeper.wait(5)
            except subprocess.TimeoutExpired:
                keeper.kill()
                keeper.wait()


def _way_in() -> list[str]:
    """The command that makes the outer namespaces: as root, or as a user with subordinate ids."""
    unshare = shutil.which("unshare", path=ENVIRONMENT["PATH"])
    if not unshare or not sys.platform.startswith("linux"):
        raise CannotLook("the lab needs Linux and unshare(1)")
    if os.geteuid() == 0:
        return [unshare, *NAMESPACES]
    for tool in ("newuidmap", "newgidmap"):
        if not shutil.which(tool):
            raise CannotLook(f"the lab needs root, or {tool} and subordinate ids", "run it as root")
    way = [unshare, "--map-root-user", "--map-auto", *NAMESPACES]
    tried = subprocess.run([*way, "true"], capture_output=True, text=True, timeout=20, check=False)
    if tried.returncode:
        said = (tried.stderr.strip().splitlines() or ["not allowed"])[-1]
        raise CannotLook(
            f"the lab needs root, or user namespaces with subordinate ids: {said}", "run it as root"
        )
    return way


def _why(said: Any, failure: Exception) -> str:
    time.sleep(0.05)
    said.seek(0)
    lines = said.read().strip().splitlines()
    return lines[-1] if lines else str(failure)


def _messages(line: control.Line, server: str) -> list[Received]:
    told = line.call("received", server=server)
    return [Received(**{**entry, "recipients": tuple(entry["recipients"])}) for entry in told]


def _one_of(value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {json.dumps(list(allowed))}")
    return value
