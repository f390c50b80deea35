"""A block of a log is counted as its lines would be one by one, whatever strangers wrote into it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailmend.parse import logscan, maillog
from mailmend.parse.logscan import BareKey, Key, Scanner

HEAD = "Nov 22 10:00:00 mx1 postfix/smtp[77]: 4ABCDEF012: "
FIELDS = (
    "relay=mx.example.org[192.0.2.1]:25, delay=1, delays=0.1/0.2/0.3/0.4, dsn=2.0.0, status=sent (250 ok)"
)
QMGR = "Nov 22 09:59:59 mx1 postfix/qmgr[7]: 4ABCDEF012: from=<ann@example.com>, size=900, nrcpt=1 (queue active)"


def scan(*lines: str, bare: bool = False) -> tuple[Scanner, logscan.Scanned]:
    scanner = Scanner(bare=bare, sampled=1)
    return scanner, scanner.scan("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))


def statuses(*lines: str, bare: bool = False) -> dict[str, int]:
    counts = scan(*lines, bare=bare)[0].counts
    return dict(Counter({(BareKey if bare else Key)(*key).status.decode(): n for key, n in counts.items()}))


# ---- what must not be counted ------------------------------------------------------------


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        # the log of another program, words of strangers, lines that are no outcome
        f"Nov 22 10:00:00 mx1 sendmail[77]: 4ABCDEF012: to=<a@b.org>, {FIELDS}",
        f"Nov 22 10:00:00 mx1 postfix/smtpd[1]: warning: non-SMTP command from x[192.0.2.9]: {HEAD}to=<a@b.org>, "
        + FIELDS,
        "Nov 22 10:00:00 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 <]: AB1: to=<a@b>, "
        f"{FIELDS}>: Relay access denied; from=<> to=<a@b> proto=SMTP helo=<x>",
        f"{HEAD}warning: header Subject: [1]: ABCDEF1: to=<a@b.org>, {FIELDS} from x[192.0.2.9]; from=<> to=<a@b>",
        f"{HEAD}host mx.b.org[192.0.2.1] said: 450 foo]: ABCDEF1: to=<a@b.org>, {FIELDS}",
        f"{HEAD}from=<x]: ABCDEF1: to=<a@b.org>, {FIELDS}@y>, size=1, nrcpt=1 (queue active)",
        "Nov 22 10:00:00 mx1 postfix/qmgr[7]: 4ABCDEF012: from=<a@b.org>, status=expired, returned to sender",
    ],
)
def test_nothing_is_delivered_by_what_a_stranger_writes(line: str, bare: bool) -> None:
    assert statuses(line, bare=bare) == {}


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    "recipient",
    [
        '"x>, relay=mx.evil.example[192.0.2.66]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)"@b.org',
        '"v@q>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (x"@b.org',
        r'"a\">, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent ("@b.org',
        "x, status=sent@b.org",
        '"b c, dsn=2.0.0, status=sent"@b.org',
    ],
)
def test_a_forged_recipient_changes_nothing(recipient: str, bare: bool) -> None:
    true = (
        "relay=mx.b.org[2001:db8::1]:25, delay=1, delays=0/0/1/0, dsn=5.7.1, status=bounced (host said: no)"
    )
    scanner, seen = scan(f"{HEAD}to=<{recipient}>, {true}", bare=bare)
    key = (BareKey if bare else Key)(*next(iter(scanner.counts)))
    assert scanner.counts.total() == 1
    assert (key.relay, key.family, key.dsn, key.status) == (b"mx.b.org", b":", b"5.7.1", b"bounced")
    assert seen.unparsed == 0


def test_a_line_that_syslog_cut_is_counted_as_unread_and_does_not_swallow_the_next() -> None:
    cut = (HEAD + "to=<" + "a" * 3000)[:2000]
    scanner, seen = scan(cut, f"{HEAD}to=<b@c.org>, {FIELDS}")
    assert (seen.lines, seen.unparsed, scanner.counts.total()) == (2, 1, 1)


@pytest.mark.parametrize("bare", [False, True])
def test_the_first_line_after_a_hole_in_the_file_is_read(bare: bool) -> None:
    for hole in ("\0", "\0" * 5000):
        line = f"{HEAD}to=<b@c.org>, {FIELDS}"
        assert statuses(hole + line, hole + line, line, bare=bare) == {"sent": 3}
    assert statuses(f"\0{HEAD}to=<b@c.org>\0, {FIELDS}", bare=bare) == {}


def test_a_line_that_was_cut_and_goes_on_with_another_is_no_outcome_of_either() -> None:
    other = f"{HEAD}to=<b@c.org>, {FIELDS}"
    whole = f"{HEAD}to=<a@b.org>, orig_to=<x@y.org>, {FIELDS}"
    for cut in range(len(HEAD) + 4, whole.index("status=")):
        scanner, seen = scan(whole[:cut] + other)
        assert (scanner.counts.total(), seen.unparsed) == (0, 1), whole[:cut]


def test_what_follows_2000_bytes_is_another_line_and_is_counted_as_unread() -> None:
    bounced = FIELDS.replace("sent (250 ok)", "bounced (host mx said: 550 ")
    text = (f"4ABCDEF012: to=<a@b.org>, {bounced}" + "x" * 2000)[:2000]
    head = HEAD.removesuffix("4ABCDEF012: ")
    assert scan(head + text)[1].unparsed == 0
    assert scan(head + text[:1950] + f"{HEAD}to=<b@c.org>, {FIELDS}"[:50])[1].unparsed == 0
    scanner, seen = scan(head + text + f"{HEAD}to=<b@c.org>, {FIELDS}")
    assert (scanner.counts.total(), seen.unparsed, len(seen.failed)) == (1, 1, 1)


def test_where_the_recipients_domain_is_anything_nobody_knows_the_outcome() -> None:
    """As Postfix 3.7 logged it of what was handed to sendmail(1)."""
    tail = "relay=none, delay=0.02, delays=0/0.01/0/0.01, dsn=5.1.3, status=bounced (bad address syntax)"
    head = HEAD.replace("/smtp", "/error")
    for address in (f"a@b>, {FIELDS}", f"a@[x>, {FIELDS}]"):
        scanner, seen = scan(f"{head}to=<{address}>, {tail}")
        assert (scanner.counts.total(), seen.unparsed) == (0, 1)
    assert statuses(f"{head}to=<a@b c>, {tail}") == {"bounced": 1}


def test_a_reply_that_syslog_cut_is_read_as_far_as_it_goes() -> None:
    head = f"{HEAD}to=<a@b.org>, {FIELDS[: FIELDS.index('dsn')]}dsn=5.1.1, status=bounced "
    line = f"{head}(host mx said: 550 x{1000:01900}"
    _, seen = scan(line[:2000])
    assert seen.failed[0].text.startswith("host mx said: 550 x0000")


def test_a_sender_is_not_learned_from_a_strangers_words() -> None:
    forged = f"{HEAD}warning: header Subject: /qmgr[1]: 4ABCDEF012: from=<evil@x.org>, size=1, nrcpt=1 (queue active)"
    _, seen = scan(QMGR, forged, HEAD + "to=<a@b.org>, " + FIELDS.replace("sent", "bounced"))
    assert seen.failed[0].sender == "ann@example.com"


# ---- what must be ------------------------------------------------------------------------


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        f"{HEAD}to=<a@b.org>, {FIELDS}",
        f"{HEAD}to=<a@b.org>, orig_to=<c@d.org>, {FIELDS}",
        f"{HEAD}to=<a@b.org>, {FIELDS.replace('dsn=', 'tls=verify, dsn=')}",  # Postfix 3.11
        f"{HEAD}to=<a@b.org>, {FIELDS.replace('delay=', 'conn_use=3, delay=')}",
        f"{HEAD}to=<a@b.org>, {FIELDS.replace('dsn=', 'of_later=1, other=x y, dsn=')}",  # a Postfix to come
        f"2026-11-22T10:00:00.123456+01:00 mx1 postfix/smtp[7]: 4ABCDEF012: to=<a@b.org>, {FIELDS}",
        f"2026-11-22T10:00:00+0100 mx1 postfix-out/relay/smtp[7]: 4jXQxN61F0zLdf9: to=<a@b.org>, {FIELDS}",
        f"Nov  2 10:00:00 mx1 out/smtp[7]: 4jXQxN61F0zLdf9: to=<a@b.org>, {FIELDS}",
        f"Sun 2026-11-22 10:56:24 UTC mx1 postfix/smtp[7]: 4ABCDEF012: to=<a@b.org>, {FIELDS}",
        f"mail-1  | Nov 22 10:00:00 mx1 postfix/smtp[7]: 4ABCDEF012: to=<a@b.org>, {FIELDS}",
        f'{HEAD}to=<"a b"@b.org>, {FIELDS}',
        f'{HEAD}to=<a@b.org>, orig_to=<"x>, y"@z>, {FIELDS}',
        f"{HEAD}to=<\udcff\x01\x1b[2J@b.org>, {FIELDS}",
        f"{HEAD}to=<a@b@b.org>, {FIELDS}",
    ],
)
def test_an_outcome_is_counted_however_it_is_written(line: str, bare: bool) -> None:
    scanner, seen = scan(line, bare=bare)
    key = (BareKey if bare else Key)(*next(iter(scanner.counts)))
    assert (key.relay, key.family, key.dsn, key.status) == (b"mx.example.org", b".", b"2.0.0", b"sent")
    assert (scanner.counts.total(), seen.unparsed) == (1, 0)


def test_a_failed_delivery_is_kept_whole() -> None:
    told = FIELDS.replace(
        "status=sent (250 ok)", "status=deferred (host mx.example.org[192.0.2.1] said: 450 (no))"
    )
    scanner, seen = scan(QMGR, f"{HEAD}to=<a@b.org>, orig_to=<c@d.org>, {told}")
    assert seen.failed == [
        logscan.Failed(
            stamp="Nov 22 10:00:00",
            host="mx1",
            tag="postfix/smtp",
            queue_id="4ABCDEF012",
            sender="ann@example.com",
            recipient="a@b.org",
            original="c@d.org",
            relay="mx.example.org",
            ip="192.0.2.1",
            delays="0.1/0.2/0.3/0.4",
            dsn="2.0.0",
            status="deferred",
            text="host mx.example.org[192.0.2.1] said: 450 (no)",
            pid="77",
        )
    ]
    assert seen.delays == [(b"mx.example.org", b"0.1/0.2/0.3/0.4")]
    assert Key(*next(iter(scanner.counts))).domain == b"b.org"


@pytest.mark.parametrize(
    ("to", "original", "moved"),
    [
        ("root@mx1.org", "root", False),
        ("a@b.org", "a@b.org", False),
        ("a@b.org", "A@B.Org", False),  # as it was written, before a table folded it
        ("root@mx1.org", "ROOT", False),
        ("x@b.org", "root", True),
        ("a@gmail.com", "a@b.org", True),
        ('"a b"@gmail.com', "a@b.org", True),
    ],
)
def test_forwarded_is_what_became_another_address(to: str, original: str, moved: bool) -> None:
    scanner, _ = scan(f"{HEAD}to=<{to}>, orig_to=<{original}>, {FIELDS}")
    assert Key(*next(iter(scanner.counts))).moved == (b"=" if moved else b"")


def test_the_null_sender_is_a_sender_and_one_with_a_quote_too() -> None:
    failed = HEAD + "to=<a@b.org>, " + FIELDS.replace("sent", "bounced")
    assert scan(QMGR.replace("ann@example.com", ""), failed)[1].failed[0].sender == ""
    assert scan(QMGR.replace("ann@", '"a n>n"@'), failed)[1].failed[0].sender == '"a n>n"@example.com'
    assert scan(failed)[1].failed[0].sender is None


def test_what_our_own_server_refused_is_kept() -> None:
    head = "Nov 22 10:00:00 mx1 postfix/smtpd[1]: "
    _, seen = scan(
        head
        + "NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 5.7.1 <a@b>: Relay access denied; from=<> to=<a@b>",
        head + "4ABCDEF012: milter-reject: END-OF-MESSAGE from x[192.0.2.9]: 5.7.1 spam; from=<> to=<a@b>",
        head + "NOQUEUE: reject_warning: RCPT from x[192.0.2.9]: 554 5.7.1 no; from=<> to=<a@b>",
        head
        + "4ABCDEF013: milter-header-reject: header X: spam from x[192.0.2.9]; from=<> to=<a@b>: 4.7.1 no",
        head
        + "4ABCDEF014: milter-header-warning: header X: reject: y from x[192.0.2.9]; from=<> to=<a@b>: no",
        "mail-1  | " + head + "NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 5.7.1 no; from=<> to=<a@b>",
    )
    kinds = [each.text.partition(":")[0] for each in seen.rejected]
    assert kinds == ["reject", "milter-reject", "milter-header-reject", "reject"]
    assert seen.rejected[3].stamp == "Nov 22 10:00:00"


def test_messages_are_those_that_left_the_queue() -> None:
    gone = "Nov 22 10:00:00 mx1 postfix/qmgr[7]: 4ABCDEF012: removed"
    forged = "Nov 22 10:00:00 mx1 postfix/smtpd[1]: warning: non-SMTP command from x[192.0.2.1]: /qmgr[1]: A: removed"
    assert scan(gone, forged)[1].messages == 1


def test_the_hour_is_read_in_the_zone_of_the_log() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    east = timezone(timedelta(hours=1))
    assert logscan.hour(b"Nov 22 10", now) == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert logscan.hour(b"2026-11-22T10", now, east) == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert logscan.hour(b"nonsense", now) is None


# ---- the same as one by one --------------------------------------------------------------


def _one_by_one(lines: list[str]) -> Counter[tuple[str, str, str, str]]:
    out: Counter[tuple[str, str, str, str]] = Counter()
    for text in lines:
        line = maillog.line(text)
        tried = maillog.attempt(line) if line else None
        if tried:
            family = {"ipv4": ".", "ipv6": ":", None: ""}[tried.relay.family if tried.relay else None]
            host = (tried.relay.host or "") if tried.relay else "none"
            out[host, family, tried.dsn or "", tried.status] += 1
    return out


def _pieces() -> list[str]:
    return [
        *("to=<a@b.org>, ", "orig_to=<c@d>, ", 'to=<"x>, y"@z.org>, ', "relay=none, ", "relay=local, "),
        *(
            "relay=mx.b.org[192.0.2.1]:25, ",
            "relay=mx.b.org[2001:db8::1]:25, ",
            "relay=mx.b.org[private/lmtp], ",
        ),
        *("conn_use=2, ", "delay=1, ", "delays=0/0/1/0, ", "tls=none, ", "dsn=4.7.1, ", "dsn=2.0.0, "),
        *("status=sent (ok)", "status=deferred (no)", "status=sent", ">", '"', "<", "\\", ", ", "\x00", "é"),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_lines_put_together_at_random_are_counted_as_one_by_one(seed: int) -> None:
    dice, pieces = random.Random(seed), _pieces()  # noqa: S311
    order = [0, 1, 5, 8, 9, 10, 11, 12, 14]
    lines = []
    for _ in range(3000):
        chosen = [pieces[at] for at in order if dice.random() > 0.05]
        for _ in range(dice.randrange(3)):
            chosen.insert(dice.randrange(len(chosen) + 1), dice.choice(pieces))
        lines.append(HEAD + "".join(chosen))
    fast = scan(*lines, bare=True)[0].counts
    got = Counter({tuple(part.decode() for part in key): n for key, n in fast.items()})
    assert got == _one_by_one(lines)
    whole = Counter[tuple[str, ...]]()
    for key, n in scan(*lines)[0].counts.items():
        named = Key(*key)
        whole[tuple(part.decode() for part in (named.relay, named.family, named.dsn, named.status))] += n
    assert whole == got
