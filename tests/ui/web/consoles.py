"""Consoles over a host that is written down: its world, its log, and somebody who is logged in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.testclient import TestClient

from mailmend.jobs.here import Here
from mailmend.ui.helper.sessions import Sessions
from mailmend.ui.web import serve
from mailmend.ui.web.app import application
from mailmend.ui.web.console import Console
from worlds import world

ORIGIN = "http://127.0.0.1"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202eevil\u202c \x9b31m \x00 '\"><b>"
REFUSED = (
    "host gmail-smtp-in.l.google.com[2607:f8b0:400e:c00::1a] said: 550-5.7.1 [2001:db8::25] Our system has detected "
    "that this 550-5.7.1 message does not meet IPv6 sending guidelines regarding PTR records 550-5.7.1 and "
    "authentication. 550 5.7.1 x - gsmtp (in reply to end of DATA command)"
)


def looks(name: str, log: Path, state: Path) -> Callable[[], Here]:
    """The host of a world, whose log is the file *log*."""
    told = world.load(name)
    told.data["settings"]["maillog_file"] = str(log)
    return lambda: Here(told.probe(), None, state)


class Visitor:
    """Somebody who is logged in to *console*: `get` and `post` as a browser does them."""

    def __init__(self, look: Callable[[], Here]) -> None:
        self.codes = Sessions()
        self.console = Console(self.codes, serve.LOCAL, look=look)
        self.client = TestClient(application(self.console), base_url=ORIGIN)
        self.log_in()

    def log_in(self) -> None:
        """By a fresh code: the session before is over."""
        answer = self.client.post(
            "/login",
            data={"code": self.codes.login_code()},
            headers={"Origin": ORIGIN},
            follow_redirects=False,
        )
        assert answer.status_code == 303, answer.text
        (self.session,) = self.console.sessions._open.values()

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.text

    def told(self, path: str) -> str:
        """The page when whatever it waits for is there."""
        for _ in range(600):
            text = self.get(path)
            if 'aria-busy="true"' not in text:
                return text
            threading.Event().wait(0.1)
        raise AssertionError(f"{path} is not there after a minute")

    def post(self, path: str, status: int = 200, **fields: str) -> str:
        answer = self.client.post(
            path, data={"token": self.session.token, **fields}, headers={"Origin": ORIGIN}
        )
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.text


def log(path: Path, refused: int = 12, sent: int = 12, says: str = REFUSED, hours: int = 20) -> None:
    """A log of the last hours: so much refused over IPv6 with those words, and so much sent over IPv4."""
    began = datetime.now(UTC) - timedelta(hours=hours)
    lines = []
    for number in range(refused + sent):
        at = began + timedelta(hours=hours) * number / (refused + sent)
        bad = number % 2 == 0 if number < 2 * min(refused, sent) else refused > sent
        ip = "2607:f8b0:400e:c00::1a" if bad else "142.250.1.26"
        status = f"dsn=5.7.1, status=bounced ({says})" if bad else "dsn=2.0.0, status=sent (250 2.0.0 OK)"
        begins = f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 mx1 postfix"
        queue_id = f"{0xABCDE00000 + number:X}"
        lines += [
            f"{begins}/qmgr[9]: {queue_id}: from=<ann@example.com>, size=900, nrcpt=1 (queue active)",
            f"{begins}/smtp[12]: {queue_id}: to=<bob@gmail.com>, relay=gmail-smtp-in.l.google.com[{ip}]:25, "
            f"delay=1.2, delays=0.1/0/0.5/0.6, {status}",
            f"{begins}/qmgr[9]: {queue_id}: removed",
        ]
    path.write_text("\n".join(lines) + "\n", "utf-8")


@contextmanager
def served(console: Console) -> Iterator[str]:
    """*console* at an address of this machine, for a browser."""
    opened = serve.listen("127.0.0.1", 0)
    server = serve.server(console)
    server.config.timeout_graceful_shutdown = 1
    running = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    running.start()
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        running.join(20)
