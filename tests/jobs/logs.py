"""A mail log as a busy relay writes it, with what strangers do to it, and the truth about it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

RECEIVERS = (
    ("gmail.com", "gmail-smtp-in.l.google.com", "google", "142.250.1.26", "2607:f8b0:400e:c00::1a"),
    ("yahoo.com", "mta5.am0.yahoodns.net", "yahoo", "67.195.1.1", None),
    ("example.org", "mx.example.org", None, "192.0.2.1", "2001:db8::25"),
)
AUTH = (
    "550-5.7.1 [2001:db8:1::25] Our system has detected that this 550-5.7.1 message does not meet IPv6 sending "
    "guidelines regarding PTR records 550-5.7.1 and authentication. Please review 550-5.7.1 "
    "https://support.google.com/mail/?p=IPv6AuthError for more information 550 5.7.1 .{id} - gsmtp"
)
FULL = "452-4.2.2 The recipient's inbox is out of storage space. 452 4.2.2 {id} - gsmtp"
FORGED = (
    '"x>, relay=mx.evil.example[192.0.2.66]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)"@'
)


@dataclass
class Truth:
    """(receiver, family, status) -> how many; the senders of what failed; lines that nobody can read."""

    outcomes: Counter[tuple[str | None, str, str]] = field(default_factory=Counter)
    senders: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    unparsed: int = 0
    messages: int = 0


def write(seed: int, messages: int, *, rfc3339: bool = False) -> tuple[bytes, Truth]:
    """A log of so many messages, and what is true of it."""
    dice, truth, lines = random.Random(seed), Truth(), list[str]()  # noqa: S311
    at = datetime(2026, 11, 20, tzinfo=UTC)

    def log(tag: str, text: str, cut: int = 5000) -> None:
        stamp = f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00" if rfc3339 else f"{at:%b %d %H:%M:%S}"
        lines.append(f"{stamp} mx1 {tag}[{dice.randrange(9999)}]: {text}"[:cut])

    for number in range(messages):
        at += timedelta(seconds=dice.randrange(60))
        queue = dice.choice((f"{number + 0xABCDE00000:X}", f"4jXQ{number:05d}zLdf9".replace("0", "B")))
        sender = dice.choice(("ann@example.com", "", '"a b>"@example.com', "status=sent@example.com"))
        postfix = dice.choice(("postfix", "postfix-out"))
        log(f"{postfix}/qmgr", f"{queue}: from=<{sender}>, size=900, nrcpt=1 (queue active)")
        domain, host, receiver, ipv4, ipv6 = dice.choice(RECEIVERS)
        over = "ipv6" if ipv6 and dice.random() < 0.6 else "ipv4"
        refused = over == "ipv6" and receiver == "google" and dice.random() < 0.5
        full = not refused and dice.random() < 0.1
        status, dsn = (
            ("bounced", "5.7.1") if refused else ("deferred", "4.2.2") if full else ("sent", "2.0.0")
        )
        words = (AUTH if refused else FULL).format(
            id=f"{dice.randrange(10**9):x}si{dice.randrange(10**7)}.12"
        )
        reply = (
            f"host {host}[{ipv6 if over == 'ipv6' else ipv4}] said: {words} (in reply to end of DATA command)"
        )
        to = dice.choice(
            (f"bob@{domain}", FORGED + domain, f'"b, status=sent"@{domain}', f"b\x1b[2J\xff@{domain}")
        )
        moved = dice.choice(("", "orig_to=<eve@example.net>, "))
        tls = dice.choice(("", "tls=verify, "))
        used = dice.choice(("", "conn_use=3, "))
        log(
            f"{postfix}/{dice.choice(('smtp', 'relay/smtp'))}",
            f"{queue}: to=<{to}>, {moved}relay={host}[{ipv6 if over == 'ipv6' else ipv4}]:25, {used}delay=1.2, "
            f"delays=0.1/0.2/0.3/0.6, {tls}dsn={dsn}, status={status} ({'250 ok' if status == 'sent' else reply})",
        )
        truth.outcomes[receiver, over, status] += 1
        if status != "sent":
            truth.senders[sender] += 1
        else:
            log(f"{postfix}/qmgr", f"{queue}: removed")
            truth.messages += 1
        _strangers(dice, log, queue, truth)
    return "".join(f"{line}\n" for line in lines).encode("latin-1"), truth


def _strangers(dice: random.Random, log: object, queue: str, truth: Truth) -> None:
    """What changes nothing: forged outcomes in other lines, lines that were cut, refusals of our own."""
    assert callable(log)
    forged = f"[1]: {queue}: to=<x@gmail.com>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)"
    kind = dice.randrange(12)
    if kind == 0:
        log(
            "postfix/smtpd",
            f"NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 5.7.1 <{forged}>: no; from=<> to=<a@b>",
        )
        truth.rejected += 1
    elif kind == 1:
        log("postfix/smtpd", f"warning: non-SMTP command from x[192.0.2.9]: /smtp{forged}")
    elif kind == 2:
        log("postfix/cleanup", f"{queue}: warning: header Subject: {forged} from x[192.0.2.9]; from=<a@b>")
    elif kind == 3:
        log("postfix/smtp", f"{queue}: to=<{'a' * 3000}@gmail.com>, relay=none, status=sent (250 ok)", 2000)
        truth.unparsed += 1
    elif kind == 4:
        log("dovecot", f"imap: /smtp{forged}")
