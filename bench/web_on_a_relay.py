"""On the lab's real Postfix: how soon an edit behind its back is told, and how long every page takes.

    python bench/web_on_a_relay.py [EDITS] [--idle]

Each edit is made in a shell, as by somebody else; its time is from then until a browser shows that something was
saved (what of it is not live follows when it was looked at), and the edit is taken back before the next. Then 50
requests a second go over all pages for 20 s, while `ingest --follow` takes in a log that grows by 20,000 lines a
second (--idle: by none) and the browser's page stays open.
Bounds: 2 s, and 200 ms for 95 % of each page's requests. Exit status 1 above them.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

if TYPE_CHECKING:
    from playwright.sync_api import Page

RATE, SECONDS = 50, 20
SEEN, BOUND = 2.0, 0.200
LINES, BEGINNING = 20_000, 200_000
PAGES = (
    "/",
    "/now/standing",
    "/now/findings",
    "/bounces",
    "/bounces?family=ipv6&days=1",
    "/bounces/told",
    "/bounces/group?cause=ipv6-ptr-or-auth&receiver=google&family=ipv6",
    "/bounces/explain",
    "/settings",
    "/settings?q=tls",
    "/settings?only=not-live",
    "/settings/inet_protocols",
    "/files",
    "/changes",
    "/dns",
)
_WRITE = (
    "import sys, threading, web; from pathlib import Path; "
    "web.write(Path('/var/log/mail.log'), threading.Event(), *map(int, sys.argv[1:]))"
)


def until_told(lab: Any, page: Page, edits: int) -> list[float]:
    """Seconds from each edit until the page says that something was saved."""
    times: list[float] = []
    whole: list[float] = []
    page.goto("/")
    page.wait_for_selector("#listeners")
    page.wait_for_selector("#findings article")
    for _ in range(edits):
        began = time.monotonic()
        lab.relay.run(["postconf", "-e", "inet_protocols=ipv4"])
        page.wait_for_selector("#saved, #not-live", timeout=30_000)
        times.append(time.monotonic() - began)
        page.wait_for_selector("#not-live", timeout=30_000)
        whole.append(time.monotonic() - began)
        lab.relay.run(["postconf", "-e", "inet_protocols=all"])
        lab.relay.run(["postfix", "reload"])
        page.wait_for_selector("#not-live", state="detached", timeout=90_000)
    print(f"what of it is not live, and the way to apply it: {min(whole):.2f} to {max(whole):.2f} s")
    return times


async def ask(address: str, cookie: str) -> dict[str, list[float]]:
    """The times of all answers by page, from when each was due."""
    import httpx

    times: dict[str, list[float]] = {page: [] for page in PAGES}
    limits = httpx.Limits(max_connections=100, keepalive_expiry=2)
    async with httpx.AsyncClient(
        base_url=address, limits=limits, timeout=60, headers={"Cookie": f"mailmend={cookie}"}
    ) as client:
        for page in PAGES:  # everything has been looked at once, as where a page stays open
            for _ in range(300):
                if 'aria-busy="true"' not in (await client.get(page)).raise_for_status().text:
                    break
                await asyncio.sleep(0.2)
        began = time.monotonic()

        async def one(number: int) -> None:
            page, due = PAGES[number % len(PAGES)], began + number / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            (await client.get(page)).raise_for_status()
            times[page].append(time.monotonic() - due)

        await asyncio.gather(*(one(number) for number in range(RATE * SECONDS)))
    return times


def report(times: dict[str, list[float]]) -> bool:
    """Whether every page keeps its bound; each is printed."""
    kept = True
    for page, each in times.items():
        p50, p95, most = (
            sorted(each)[min(int(len(each) * share), len(each) - 1)] for share in (0.5, 0.95, 1)
        )
        print(f"{page:66} p50 {p50 * 1000:6.1f} ms  p95 {p95 * 1000:6.1f} ms  most {most * 1000:6.1f} ms")
        kept = kept and p95 <= BOUND
    return kept


@contextmanager
def followed(lab: Any) -> Iterator[None]:
    """The relay's log grows, and is taken in."""
    writer = [f"PYTHONPATH={ROOT / 'bench'}", sys.executable, "-c", _WRITE, str(LINES), str(BEGINNING)]
    taker = [sys.executable, "-P", "-m", "mailmend", "ingest", "--follow"]
    begun = 'setsid "$@" >/root/taken.log 2>&1 & echo $! >>/root/taken.pids'
    for command in (["env", *writer], taker):
        lab.relay.run(["sh", "-c", begun, "sh", *command])
    try:
        yield
    finally:
        lab.relay.run(["sh", "-c", "kill $(cat /root/taken.pids)"])
        read = json.loads(lab.relay.mailmend("--json", "ingest", "--status").stdout)["store"]["lines"]
        print(
            f"{read:,} of {lab.relay.read('/var/log/mail.log').count(chr(10)):,} lines were taken in meanwhile"
        )


def main() -> int:
    """Print both; in the lab's network, where the console is, this is called once more to ask."""
    if sys.argv[1:2] == ["--ask"]:
        return 0 if report(asyncio.run(ask(*sys.argv[2:4]))) else 1
    from mailmend.lab import open_lab
    from ui.web.on_a_relay import console, inside

    edits = next((int(word) for word in sys.argv[1:] if word.isdigit()), 10)
    with open_lab(lambda step: None) as lab, console(lab) as told:
        page = told.browser.new_page(base_url=told.address)
        told.log_in(page)
        times = until_told(lab, page, edits)
        print(f"seen after an edit: {min(times):.2f} to {max(times):.2f} s in {edits}")
        cookie = next(each["value"] for each in page.context.cookies() if each["name"] == "mailmend")
        command = [sys.executable, __file__, "--ask", told.address, cookie]
        with nullcontext() if "--idle" in sys.argv else followed(lab):
            asked = subprocess.run(
                ["nsenter", "--target", str(inside()), "--net", "--", *command], check=False
            )
    return 1 if asked.returncode or max(times) > SEEN else 0


if __name__ == "__main__":
    raise SystemExit(main())
