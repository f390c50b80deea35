"""How long pages take at 50 requests a second, while a log of 20,000 lines a second is taken in by `ingest --follow`.

    python bench/web.py [SECONDS] [--idle]

Three processes as in life: one writes the log, one takes it into a delivery store, one serves the console; this one
asks, each request at its own time, whether the one before was answered or not (so a page that waits makes the next ones
wait, and that is counted). --idle: without the log, to tell what the following costs. Bound: 200 ms for 95 % of the
requests of every page. Exit status 1 above it, or where any was answered by an error.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

RATE, LINES, BOUND = 50, 20_000, 0.200
BEGINNING = 200_000  # lines that are in the store before
PAGES = (
    "/",
    "/now/standing",
    "/now/findings",
    "/changes",
    "/bounces",
    "/bounces?family=ipv6&days=1",
    "/bounces/told",
    "/bounces/group?cause=ipv6-ptr-or-auth&receiver=google&family=ipv6",
    "/bounces/explain",
    "/dns",
    "/static/console.css",
)
RECEIVERS = (
    ("gmail.com", "gmail-smtp-in.l.google.com", "142.250.1.26", "2607:f8b0:400e:c00::1a"),
    ("yahoo.com", "mta5.am0.yahoodns.net", "67.195.1.1", None),
    *((f"d{n}.example", f"mx.d{n}.example", f"192.0.2.{n}", None) for n in range(1, 60)),
)
REFUSED = (
    "550-5.7.1 Our system has detected that this 550-5.7.1 message does not meet IPv6 sending guidelines regarding PTR "
    "records 550-5.7.1 and authentication. 550 5.7.1 x - gsmtp"
)


def lines(dice: random.Random, number: int, at: datetime) -> list[str]:
    """The lines of one message."""
    domain, host, ipv4, ipv6 = dice.choice(RECEIVERS)
    ip = ipv6 if ipv6 and dice.random() < 0.5 else ipv4
    said = f"host {host}[{ip}] said: {REFUSED} (in reply to end of DATA command)"
    became = f"dsn=5.7.1, status=bounced ({said})" if ip == ipv6 else "dsn=2.0.0, status=sent (250 2.0.0 OK)"
    begins, queue_id = f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 mx1 postfix", f"{0xA0000000000 + number:X}"
    return [
        f"{begins}/smtpd[7]: {queue_id}: client=mail.example.com[192.0.2.200]",
        f"{begins}/cleanup[8]: {queue_id}: message-id=<{number}@example.com>",
        f"{begins}/qmgr[9]: {queue_id}: from=<s{number % 500}@example.com>, size=900, nrcpt=1 (queue active)",
        f"{begins}/smtp[10]: {queue_id}: to=<r{number % 900}@{domain}>, relay={host}[{ip}]:25, delay=1.2, "
        f"delays=0.1/0/0.5/0.6, {became}",
        f"{begins}/qmgr[9]: {queue_id}: removed",
    ]


def write(path: Path, stop: Any, rate: int, beginning: int) -> None:
    """*beginning* lines at once, then *rate* a second."""
    dice, number, written = random.Random(1), 0, 0  # noqa: S311
    with path.open("a") as file:
        began = time.monotonic()
        while not stop.is_set():
            due = beginning + int((time.monotonic() - began) * rate)
            # The store has to know the whole time that is asked for, else the log is read.
            now, out = datetime.now(UTC) - timedelta(days=0 if written else 8), list[str]()
            while written + len(out) < due:
                out += lines(dice, number, now)
                number += 1
            written += len(out)
            file.write("".join(f"{line}\n" for line in out))
            file.flush()
            if not rate and written:
                return
            stop.wait(0.1)


def look(folder: Path) -> Any:
    """A host of the tests, with the log and the store of *folder*."""
    from mailmend.jobs.here import Here
    from worlds import world

    told = world.load("gmail-refuses-ipv6")
    told.data["settings"]["maillog_file"] = str(folder / "mail.log")
    return Here(told.probe(), None, folder / "state")


def take_in(folder: Path, stop: Any) -> None:
    from mailmend.jobs.ingest import follow

    def trouble(says: str) -> None:
        print(f"ingest: {says}", file=sys.stderr)

    follow((), look(folder), told=lambda _: None, trouble=trouble, stopped=stop.is_set)


def serve_pages(folder: Path, told: Any) -> None:
    from mailmend.ui.helper.sessions import Sessions
    from mailmend.ui.web import serve
    from mailmend.ui.web.console import Console

    sessions = Sessions()
    opened = serve.listen("127.0.0.1", 0)
    told.send((opened.getsockname()[1], sessions.login_code()))
    console = Console(sessions, serve.LOCAL, look=lambda: look(folder))
    serve.server(console).run(sockets=[opened])


async def ask(address: str, code: str, seconds: float) -> tuple[dict[str, list[float]], Counter[str]]:
    """The times of all answers by page, from when each was due; what was answered otherwise than by 200."""
    import httpx

    times: dict[str, list[float]] = {page: [] for page in PAGES}
    bad: Counter[str] = Counter()
    # Let go before the server does: a request into a connection that is being closed would be lost.
    limits = httpx.Limits(max_connections=100, keepalive_expiry=2)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as client:
        await client.post("/login", data={"code": code}, headers={"Origin": address})
        for page in PAGES:  # everything has been looked at once, as where a page stays open
            for _ in range(100):
                if 'aria-busy="true"' not in (await client.get(page)).text:
                    break
                await asyncio.sleep(0.2)
        began = time.monotonic()

        async def one(number: int) -> None:
            page, due = PAGES[number % len(PAGES)], began + number / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            answer = await client.get(page)
            times[page].append(time.monotonic() - due)
            if answer.status_code != 200:
                bad[f"{page}: {answer.status_code}"] += 1

        await asyncio.gather(*(one(number) for number in range(int(seconds * RATE))))
    return times, bad


def quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


def main() -> int:
    """Print one line for each page."""
    seconds = next((float(word) for word in sys.argv[1:] if word[:1].isdigit()), 30.0)
    rate = 0 if "--idle" in sys.argv else LINES
    spawned = multiprocessing.get_context("spawn")
    stop = spawned.Event()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mail.log").touch()
        (folder / "state").mkdir()
        here, there = spawned.Pipe()
        writer = spawned.Process(target=write, args=(folder / "mail.log", stop, rate, BEGINNING), daemon=True)
        taker = spawned.Process(target=take_in, args=(folder, stop), daemon=True)
        server = spawned.Process(target=serve_pages, args=(folder, there))  # it has children
        for process in (writer, taker, server):
            process.start()
        try:
            port, code = here.recv()
            _until_taken_in(folder)
            times, bad = asyncio.run(ask(f"http://127.0.0.1:{port}", code, seconds))
            behind = (folder / "mail.log").stat().st_size - _read(folder)
        finally:
            stop.set()
            server.terminate()
            for process in (writer, taker, server):
                process.join(20)
    print(
        f"{RATE} requests/s for {seconds:.0f} s, {rate:,} lines/s followed ({behind / 1e6:.1f} MB behind at the end)"
    )
    for page in PAGES:
        p50, p95, most = (quantile(times[page], share) * 1000 for share in (0.5, 0.95, 1.0))
        print(f"{page:70} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  most {most:6.1f} ms  ({len(times[page])})")
    for what, count in bad.items():
        print(f"not answered: {what} {count} times")
    return 1 if bad or any(quantile(each, 0.95) > BOUND for each in times.values()) else 0


def _read(folder: Path) -> int:
    from mailmend.jobs.ingest import folder as store_of
    from mailmend.system.store.sqlite import Store

    sources = Store(store_of(look(folder))).sources()
    return max((each.read for each in sources), default=0)


def _until_taken_in(folder: Path) -> None:
    from mailmend.model import MailmendError

    for _ in range(300):
        try:
            if _read(folder) > BEGINNING * 100:
                return
        except MailmendError:
            pass
        time.sleep(0.2)
    raise SystemExit("nothing was taken in after a minute")


if __name__ == "__main__":
    raise SystemExit(main())
