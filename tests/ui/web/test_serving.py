"""The console's two processes on a real host: what one of them is without the other, and how they are asked by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.datastructures import Headers

from mailmend.model import ParseError
from mailmend.ui.web.security import Doorkeeper
from mailmend.ui.web.serve import LOCAL, asked_by

SOCKET = "/run/mailmend/helper.sock"
BEGUN = "for _ in $(seq 600); do grep -q Ctrl-C /root/web.log && exit 0; sleep 0.1; done; exit 1"


@pytest.fixture
def relay(lab: Any) -> Iterator[Any]:
    """A relay on which `mailmend web` was started as root."""
    lab.reset()
    lab.relay.start()
    mode = lab.relay.run(["stat", "-c", "%a", "/root"]).stdout.strip()
    lab.relay.run(["chmod", "755", "/root"])  # a process without rights has to be able to read Python
    try:
        yield lab.relay
    finally:
        lab.relay.run(["sh", "-c", "kill $(cat /root/web.pid)"])
        lab.relay.run(["chmod", mode, "/root"])


def begin(relay: Any) -> tuple[int, int]:
    """The console's process and its helper's."""
    command = f"{sys.executable} -P -m mailmend web --port 8826"
    relay.run(["sh", "-c", f"setsid {command} >/root/web.log 2>&1 & echo $! >/root/web.pid"])
    assert relay.run(["sh", "-c", BEGUN], timeout=90).returncode == 0, relay.read("/root/web.log")
    console = int(relay.read("/root/web.pid"))
    told = relay.run(["sh", "-c", f"cat /proc/{console}/task/*/children"]).stdout.split()
    (helper,) = map(int, told)
    return console, helper


@pytest.mark.lab
@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_the_helper_of_root_ends_with_the_console_and_another_can_begin(relay: Any, signal: str) -> None:
    console, helper = begin(relay)
    owner = relay.run(["stat", "-c", "%u", f"/proc/{console}", f"/proc/{helper}"]).stdout.split()
    assert owner[0] != "0"
    assert owner[1] == "0"
    relay.run(["kill", f"-{signal}", str(console)])
    wait = f"for _ in $(seq 100); do kill -0 {helper} 2>/dev/null || exit 0; sleep 0.1; done; exit 1"
    assert relay.run(["sh", "-c", wait], timeout=30).returncode == 0, "root's helper outlives its console"
    assert relay.run(["test", "-e", SOCKET]).returncode != 0
    begin(relay)


# ---- by which names it is asked -----------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "http://x.example", "https://", "https://x.example/path", "a b", "-x", "x:y"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ParseError, match="is no name"):
        asked_by([name])


def test_behind_a_proxy_with_tls_its_own_origin_may_write_and_no_other() -> None:
    hosts, origins = asked_by(["https://console.example.org", "plain.example.org"])
    door = Doorkeeper(lambda *_: None, LOCAL | hosts, origins)  # type: ignore[arg-type,return-value]

    def objection(host: str, origin: str) -> str | None:
        return door.objection("POST", Headers({"host": host, "origin": origin}), "http")

    assert objection("console.example.org", "https://console.example.org") is None
    assert objection("plain.example.org", "http://plain.example.org") is None
    assert objection("plain.example.org", "https://plain.example.org")
    assert objection("console.example.org", "https://evil.example")
    assert objection("evil.example", "https://console.example.org")
    assert origins == {"https://console.example.org"}
