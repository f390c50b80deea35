"""How fast a delivery store of a year answers, and how large it is: 100 million deliveries, 13 % of them failed.

    python bench/store.py FOLDER [--deliveries N] [--days N] [--result FILE]

The store is made directly, table by table, as a year of a busy relay would leave it (20,000 domains, 25 receivers,
half of the queue ids short): that takes some ten minutes, and 6 GB. A store that is already in FOLDER is asked only.
Each question is asked several times, of a store that is opened anew; the first time and the median are told.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mailmend.system.store import schema, times
from mailmend.system.store.sqlite import DOMAINS, SENDERS, Store
from mailmend.system.store.texts import GAP

FAILED = 0.13
DOMAINS_KNOWN = 20_000
TEMPLATES = 3_000
RECEIVERS = ("google", "outlook-consumer", "yahoo", "apple", *(f"receiver-{n}" for n in range(20)), None)
WEIGHTS = (36, 18, 10, 4, *([0.6] * 20), 20)
CAUSES = ("ptr-missing", "auth-required", "user-unknown", "mailbox-full", "rate-limited", "reputation-ip")
KEPT_NAMES = 10
TIMES = 5


def build(folder: Path, deliveries: int, days: int) -> None:
    """A store of *days* days until now."""
    dice = random.Random(1)  # noqa: S311
    db = schema.to_write(folder)
    db.execute("pragma synchronous=off")
    db.execute("pragma cache_size=-400000")
    places = _places()
    db.execute("begin")
    db.executemany("insert into places values(?, ?, ?, ?, ?, ?, ?)", places)
    db.executemany(
        "insert into names values(?, ?)",
        ((n, f"domain-{n}.example.org") for n in range(1, DOMAINS_KNOWN + 1)),
    )
    db.executemany("insert into names values(?, ?)", ((30_000 + n, f"5.7.{n}") for n in range(30)))
    db.executemany(
        "insert into relays values(?, ?, ?)",
        ((n, f"mx{n % 900}.example.net", f"2001:db8::{n:x}") for n in range(1, 9000)),
    )
    db.executemany(
        "insert into agents values(?, ?, ?)", ((n, f"mx{n % 2}", f"postfix/smtp{n}") for n in range(1, 9))
    )
    db.executemany(
        "insert into texts values(?, ?)",
        (
            (_text(n), f"host {GAP} said: {'550 5.7.1 words ' * 10}{n} {GAP} - gsmtp")
            for n in range(TEMPLATES)
        ),
    )
    db.execute("commit")
    bad = [p for p in places if p[3] != "sent"]
    pool = _pool(dice, bad)
    share = [1 / (n + 20) for n in range(DOMAINS_KNOWN)]
    total = sum(share)
    per_day = deliveries // days
    today = times.day(int(time.time()))
    for number in range(days):
        day = times.day(today - (days - 1 - number) * 86400 + 7200)
        db.execute("begin")
        _one_day(db, dice, day, per_day, places, pool, [s / total for s in share], number=number)
        db.execute("commit")
        if number % 20 == 0:
            print(f"day {number} of {days}", file=sys.stderr)
    rolled_up(db)
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()


def rolled_up(db: Any) -> None:
    """By day and month, of what there is by hour and day."""
    months = {day: times.month(day) for (day,) in db.execute("select distinct day from hits")}
    db.create_function("month", 1, months.get, deterministic=True)
    db.create_function("midnight", 1, times.day, deterministic=True)
    db.execute(
        "insert into place_days select place, midnight(hour), sum(count), sum(forwarded) from hours group by 1, 2"
    )
    db.execute(
        "insert into month_hits select month, place, kind, name, count from (select *, row_number() over"
        " (partition by month, place, kind order by count desc) as rank from (select month(day) as month, place, kind,"
        " name, sum(count) as count from hits group by 1, 2, 3, 4)) where rank<=?",
        (KEPT_NAMES,),
    )
    db.execute(
        "insert into month_delays select month(day), receiver, part, class, sum(count) from delays group by 1, 2, 3, 4"
    )


def _places() -> list[tuple[Any, ...]]:
    out: list[tuple[Any, ...]] = []
    for who in RECEIVERS:
        for family in (4, 6):
            out.append((len(out) + 1, who, family, "sent", None, "", ""))
            for cause in CAUSES:
                for status in ("bounced", "deferred"):
                    out.append((len(out) + 1, who, family, status, cause, "sender-dns", "550 5.7.1 words"))
    return out


def _text(number: int) -> int:
    return (number * 2654435761 + 12345) * 1_000_003 % (1 << 62)


def _pool(dice: random.Random, bad: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Failures without their time and queue id."""
    weights = [WEIGHTS[RECEIVERS.index(p[1])] * (3 if p[2] == 6 else 1) for p in bad]
    chosen = dice.choices(bad, weights, k=60_000)
    out = []
    for place in chosen:
        domain = min(int(dice.paretovariate(0.55)), DOMAINS_KNOWN)
        token = "".join(dice.choices("0123456789abcdef", k=24))
        out.append(
            (
                place[0], dice.randrange(1, 9), dice.randrange(300, 99999), f"bounce+{token[:12]}",
                dice.randrange(1, 300), f"user.{token[12:18]}", domain, None, dice.randrange(1, 9000),
                f"0.{dice.randrange(99)}/0/0.{dice.randrange(99)}/1.2", 30_000 + dice.randrange(30), None,
                _text(dice.randrange(TEMPLATES)), f"\0 {token}.12.{dice.randrange(99)}",
            )
        )  # fmt: skip
    return out


def _one_day(  # noqa: PLR0917
    db: Any,
    dice: random.Random,
    day: int,
    deliveries: int,
    places: list[tuple[Any, ...]],
    pool: list[tuple[Any, ...]],
    share: list[float],
    *,
    number: int,
) -> None:
    bad = dice.choices(pool, k=int(deliveries * FAILED))
    step = 86400 / len(bad)
    rows, hours, domains, hits = [], Counter[Any](), Counter[Any](), Counter[Any]()
    for place_in_day, one in enumerate(bad):
        at = day + int(place_in_day * step)
        count = number * len(bad) + place_in_day
        queue_id = f"4{count:09X}z{one[2]:05d}" if count % 2 else f"{dice.randrange(1 << 40):010X}"
        place, agent, pid, *rest = one
        rows.append((at, place, agent, pid, queue_id, *rest))
        hours[place, at - at % 3600] += 1
        domains[day, one[6], place] += 1
        hits[day, place, DOMAINS, f"domain-{one[6]}.example.org"] += 1
        hits[day, place, SENDERS, f"{one[3]}@domain-{one[4]}.example.org"] += 1
    marks = ", ".join("?" * 16)
    columns = (
        "at, place, agent, pid, queue_id, sender, sender_domain, local, domain, original, relay, delays, dsn, word,"
        " text, given"
    )
    db.executemany(f"insert into failed({columns}) values({marks})", rows)
    sent = [(p, WEIGHTS[RECEIVERS.index(p[1])]) for p in places if p[3] == "sent"]
    whole = sum(weight for _, weight in sent)
    good = deliveries - len(bad)
    for place, weight in sent:
        for hour in range(24):
            hours[place[0], day + 3600 * hour] += int(good * weight / whole / 24) or 1
    for domain, part in enumerate(share, 1):
        expected = good * part
        if expected >= 1 or dice.random() < expected:
            domains[day, domain, sent[domain % len(sent)][0][0]] += int(expected) or 1
    db.executemany("insert into hours values(?, ?, ?, 0)", sorted((*key, n) for key, n in hours.items()))
    db.executemany(
        "insert into days(day, domain, place, count) values(?, ?, ?, ?)",
        sorted((*key, n) for key, n in domains.items()),
    )
    best: dict[Any, list[Any]] = {}
    for key, count in hits.most_common():
        kept = best.setdefault(key[:3], [])
        if len(kept) < KEPT_NAMES:
            kept.append((*key, count))
    db.executemany(
        "insert into hits values(?, ?, ?, ?, ?)", sorted(row for kept in best.values() for row in kept)
    )
    db.executemany(
        "insert into seen values(?, ?, 0, ?, ?, ?)",
        [
            (day + 3600 * h, deliveries // 4, deliveries // 24, day + 3600 * h, day + 3600 * h + 3599)
            for h in range(24)
        ],
    )
    db.executemany(
        "insert into delays values(?, ?, ?, ?, ?)",
        [
            (day, who or "", part, step, 20)
            for who in sorted(RECEIVERS, key=str)
            for part in range(4)
            for step in range(30)
        ],
    )


def asked(name: str, question: Callable[[], Any]) -> tuple[str, float, float, float]:
    """How many ms it took the first time, and in the median; how many of the processor in the median."""
    took, used = [], []
    for _ in range(TIMES):
        begun, cpu = time.perf_counter(), time.process_time()
        question()
        took.append((time.perf_counter() - begun) * 1e3)
        used.append((time.process_time() - cpu) * 1e3)
    return name, took[0], statistics.median(took), statistics.median(used)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--deliveries", type=int, default=100_000_000)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--result", type=Path)
    given = options.parse_args()
    if not schema.file(given.folder).exists():
        begun = time.perf_counter()
        build(given.folder, given.deliveries, given.days)
        print(f"built in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    store = Store(given.folder)
    now = datetime.now(UTC)
    month = now - timedelta(days=30)
    some = store.refusals("google", "ipv6", now - timedelta(days=3)).newest[0]
    standing = store.standing()
    rows = [
        asked(
            "all refusals by Google over IPv6 in 30 days, the newest 100 whole",
            lambda: store.refusals("google", "ipv6", month),
        ),
        asked("counts of 30 days", lambda: store.counts(month)),
        asked("a report's answers, 30 days", lambda: store.report(month)),
        asked("a report's answers, all of it", store.report),
        asked("the failures of a queue id", lambda: list(store.deliveries_of(some.line.queue_id))),
        asked("the failures of an address", lambda: list(store.deliveries_of(some.line.recipient))),
        asked("a domain by day, all of it", lambda: store.domain("domain-77.example.org")),
    ]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    text = "\n".join(
        [
            "# How fast the delivery store answers",
            "",
            f"Written by bench/store.py, {now:%Y-%m-%d}. {standing.deliveries / 1e6:.1f} M deliveries, "
            f"{standing.failed / 1e6:.1f} M failures whole, {standing.size / 1e6:.0f} MB: "
            f"{standing.size / standing.deliveries:.1f} bytes a delivery. At most {memory} MB of memory. "
            f"{os.cpu_count()} processors under a load of {os.getloadavg()[0]:.0f}.",
            "",
            "| question | first, ms | median, ms | of the processor, ms |",
            "|---|---:|---:|---:|",
            *(f"| {name} | {first:.1f} | {median:.1f} | {cpu:.1f} |" for name, first, median, cpu in rows),
            "",
        ]
    )
    print(text)
    if given.result:
        given.result.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
