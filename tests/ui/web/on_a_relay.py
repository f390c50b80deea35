"""`mailmend web` on the lab's real Postfix, and somebody in Chromium who may log in by the code that it printed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Each run has its own, so that two at a time do not take the other's console for theirs.
PORT = 20_000 + os.getpid() % 10_000
PATIENCE = 60_000  # milliseconds: the machine may be busy
_BEGUN = (
    "for _ in $(seq 600); do grep -q 'Ctrl-C' /root/web.log && exit 0; "
    "kill -0 $(cat /root/web.pid) || exit 1; sleep 0.1; done; exit 1"
)


@dataclass(frozen=True, slots=True)
class Console:
    """*address* as the browser sees it; *code* is good for one login."""

    browser: Browser
    code: str
    address: str = f"http://127.0.0.1:{PORT}"

    def log_in(self, page: Page) -> None:
        page.goto("/")
        page.fill("#code", self.code)
        page.click("main button")
        page.wait_for_url("**/")


def inside() -> int:
    """The console's process, as it is called outside of the lab."""
    own = Path("/proc/self/ns/net").readlink()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"web" in words and f"{PORT}".encode() in words and (folder / "ns/net").readlink() != own:
                return int(folder.name)
        except OSError:
            continue
    raise AssertionError("the console does not run")


@contextmanager
def console(lab: Any, *words: str, before: Callable[[Any], None] = lambda relay: None) -> Iterator[Console]:
    """A lab as new, its relay running, and the console on it, as root, begun with *words* after *before*."""
    relay = lab.relay
    lab.reset()
    relay.start()
    before(relay)
    # A process without rights has to be able to read Python, wherever this machine has it.
    mode = relay.run(["stat", "-c", "%a", "/root"]).stdout.strip()
    relay.run(["chmod", "755", "/root"])
    # As rsyslog keeps it on Debian and Ubuntu.
    relay.run(["chgrp", "adm", "/var/log/mail.log"])
    relay.run(["chmod", "640", "/var/log/mail.log"])
    command = " ".join([sys.executable, "-P", "-m", "mailmend", "web", "--port", str(PORT), *words])
    relay.run(["sh", "-c", f"setsid {command} >/root/web.log 2>&1 & echo $! >/root/web.pid"])
    try:
        assert relay.run(["sh", "-c", _BEGUN], timeout=90).returncode == 0, relay.read("/root/web.log")
        code = re.search(r"minutes: (\S+)", relay.read("/root/web.log"))
        assert code
        with chromium(inside()) as browser:
            yield Console(browser, code.group(1))
    finally:
        relay.run(["sh", "-c", "kill $(cat /root/web.pid); rm -f /run/mailmend/helper.sock"])
        relay.run(["chmod", mode, "/root"])
