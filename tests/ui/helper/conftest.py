"""The helper, as root's process in the lab, and whoever asks it: the page's user, root, and strangers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

import pytest

SOCKET = "/run/mailmend/helper.sock"
MAIN = "/etc/postfix/main.cf"
PAGE = 65534  # nobody: whom the console runs as here
ASK = dedent(
    """
    import json, os, socket, sys
    uid, path, line = int(sys.argv[1]), sys.argv[2], sys.stdin.buffer.read()
    if uid:
        os.setgroups([]), os.setgid(uid), os.setuid(uid)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(90)
        connection.connect(path)
        read = []
        try:
            connection.sendall(line)
            with connection.makefile("rb") as lines:
                for each in lines:
                    read.append(json.loads(each))
        except ConnectionError:
            pass
        print(json.dumps(read))
    """
)
Told = dict[str, Any]


class Clock:
    """Seconds that go on when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def said(relay: Any, uid: int, line: bytes) -> list[Told]:
    """All that comes back to one line sent by the user *uid*."""
    asked = [sys.executable, "-c", ASK, str(uid), SOCKET]
    done = relay.run(asked, input=line.decode("utf-8", "surrogateescape"))
    assert done.returncode == 0, done.stderr
    lines: list[Told] = json.loads(done.stdout)
    return lines


def settings(**values: str | None) -> Told:
    return {"what": "set", "assignments": [{"name": n, "value": v} for n, v in values.items()]}


@dataclass(frozen=True)
class Asking:
    """The page's user, who asks; *root*: whoever is root on a terminal."""

    relay: Any

    def __call__(self, uid: int = PAGE, **request: Any) -> Told:
        """The last line of what comes back."""
        return said(self.relay, uid, json.dumps(request).encode() + b"\n")[-1]

    def done(self, uid: int = PAGE, **request: Any) -> Told:
        last = self(uid, **request)
        assert "done" in last, last
        told: Told = last["done"]
        return told

    def refused(self, uid: int = PAGE, **request: Any) -> str:
        last = self(uid, **request)
        assert "error" in last, last
        reason: str = last["error"]["reason"]
        return reason

    def login_code(self) -> str:
        code: str = self.done(0, verb="login-code")["code"]
        return code

    def log_in(self, source: str = "::1") -> str:
        grant: str = self.done(verb="login", code=self.login_code(), source=source)["grant"]
        return grant

    def propose(self, grant: str, proposal: Told) -> Told:
        return self.done(verb="propose", grant=grant, proposal=proposal)

    def approval_code(self, digest: str) -> str:
        """As root is shown it for what waits."""
        waits = next(e for e in self.done(0, verb="waiting")["waiting"] if e["digest"] == digest)
        code: str = self.done(0, verb="approval-code", session=waits["session"], digest=digest)["code"]
        return code

    def approve(self, grant: str, digest: str) -> None:
        self.done(verb="step-up", grant=grant, digest=digest, code=self.approval_code(digest))


Start = Callable[..., None]


@pytest.fixture
def start(lab: Any) -> Start:
    """The helper is started, anew."""

    def started(*words: str) -> None:
        lab.relay.run(["sh", "-c", f"kill -9 $(cat /root/helper.pid) 2>/dev/null; rm -f {SOCKET}"])
        command = f"{sys.executable} -P -m mailmend helper --user nobody {' '.join(words)}"
        lab.relay.run(["sh", "-c", f"setsid {command} >>/root/helper 2>&1 & echo $! >/root/helper.pid"])
        up = "for _ in $(seq 200); do [ -S " + SOCKET + " ] && exit 0; sleep 0.05; done; exit 1"
        assert lab.relay.run(["sh", "-c", up]).returncode == 0, lab.relay.read("/root/helper")

    return started


@pytest.fixture
def relay(lab: Any, start: Start) -> Iterator[Any]:
    lab.reset()
    lab.relay.start()
    start()
    yield lab.relay
    lab.relay.run(["sh", "-c", f"kill $(cat /root/helper.pid); rm -f {SOCKET}"])


@pytest.fixture
def ask(relay: Any) -> Asking:
    return Asking(relay)


@pytest.fixture
def grant(ask: Asking) -> str:
    return ask.log_in()
