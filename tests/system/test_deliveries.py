"""A month of an operator's log, counted: who took the mail over which address family, and who did not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailmend.model import CannotLook
from mailmend.questions import DeliveryCount, LogCounts, LogLines, RecentDeliveries, Spaced, Spacing
from mailmend.system import deliveries, follow
from mailmend.system.follow import Place
from system.programs import for_programs

NOW = datetime.now(UTC).astimezone()
IPV6 = "mx.example.net[2001:db8::25]:25"
REFUSED = (
    "host mx.example.net[2001:db8::25] said: 550-5.7.1 [2001:db8:1::10] our system 550 5.7.1 refuses. {id} - gsmtp "
    "(in reply to end of DATA command)"
)


def stamp(age: timedelta = timedelta(hours=1)) -> str:
    return (NOW - age).strftime("%b %e %H:%M:%S")


def message(
    number: int,
    *,
    to: str = "someone@example.com",
    orig: str = "",
    relay: str = "mx.example.net[192.0.2.25]:25",
    status: str = "dsn=2.0.0, status=sent (250 2.0.0 OK id={id})",
    sender: str = "alice@example.org",
    age: timedelta = timedelta(hours=1),
    program: str = "postfix/smtp",
) -> str:
    """One message's life as Postfix logs it."""
    queue_id, head = f"{0xABC000 + number:X}", f"{stamp(age)} relay "
    orig_to = f"orig_to=<{orig}>, " if orig else ""
    outcome = status.format(id=f"{number:06x}dsi{number * 7919}wmz")
    return (
        f"{head}postfix/smtpd[1]: {queue_id}: client=mx.example.org[198.51.100.7]\n"
        f"{head}postfix/qmgr[2]: {queue_id}: from=<{sender}>, size=386, nrcpt=1 (queue active)\n"
        f"{head}{program}[3]: {queue_id}: to=<{to}>, {orig_to}relay={relay}, delay=1, delays=0/0/1/0, {outcome}\n"
        f"{head}postfix/qmgr[2]: {queue_id}: removed\n"
    )


def counted(path: Path, text: str = "", days: int = 30) -> LogCounts:
    if text:
        path.write_text(text)
    return deliveries.recent(RecentDeliveries(days), Place(path))


def only(found: LogCounts) -> DeliveryCount:
    assert len(found.counts) == 1, found.counts
    return found.counts[0]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "mail.log"


# ---- what is not counted --------------------------------------------------------------------


def test_no_log_is_not_an_empty_log(log: Path) -> None:
    with pytest.raises(CannotLook, match=r"mail\.log does not exist"):
        counted(log)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_log_that_may_not_be_read_says_what_to_do(log: Path) -> None:
    log.touch(mode=0)
    with pytest.raises(
        CannotLook, match=r"may not be read by .*; run it as root, or as a member of group adm"
    ):
        counted(log)


def test_an_empty_log_counts_nothing(log: Path) -> None:
    log.touch()
    assert counted(log) == LogCounts(str(log), 0, 0, None, None, ())


def test_a_probe_is_no_delivery(log: Path) -> None:
    assert counted(log, message(1, status="dsn=2.1.5, status=deliverable (250 ok)")).counts == ()
    assert counted(log, message(1, status="dsn=5.1.1, status=undeliverable (550 no)")).counts == ()


def test_older_than_the_days_asked_for(log: Path) -> None:
    text = message(1, age=timedelta(days=9)) + message(2)
    assert only(counted(log, text, days=7)).count == 1
    assert only(counted(log, text, days=10)).count == 2


def test_what_another_program_quotes_is_not_counted(log: Path) -> None:
    quoted = "".join(f"{stamp()} relay spamd[1]: {line}\n" for line in message(1).splitlines())
    found = counted(log, quoted)
    assert found.counts == () and found.unparsed == 1


# ---- what is --------------------------------------------------------------------------------


def test_twenty_of_forty_refused_over_ipv6(log: Path) -> None:
    text = "".join(
        message(n, orig="user@example.org", relay=IPV6, status=f"dsn=5.7.1, status=bounced ({REFUSED})")
        if n % 2
        else message(n, orig="user@example.org")
        for n in range(40)
    )
    found = counted(log, text)
    assert (found.lines, found.unparsed, len(found.counts)) == (160, 0, 2)
    sent, bounced = sorted(found.counts, key=lambda c: c.status, reverse=True)
    assert (sent.family, sent.status, sent.count, sent.forwarded, sent.code) == ("ipv4", "sent", 20, 20, 250)
    assert (bounced.family, bounced.status, bounced.count, bounced.code) == ("ipv6", "bounced", 20, 550)
    assert (bounced.relay_host, bounced.recipient_domain, bounced.dsn) == (
        "mx.example.net",
        "example.com",
        "5.7.1",
    )
    # One count, although the receiver puts an id of its own into every reply; the text is the last one's.
    assert bounced.text == "[2001:db8:1::10] our system refuses. 000027dsi308841wmz - gsmtp"
    assert bounced.senders == ("alice@example.org",)


def test_two_refusals_that_say_different_things_are_two(log: Path) -> None:
    text = message(1, status="dsn=5.1.1, status=bounced (550 5.1.1 no such user)") + message(
        2, status="dsn=5.1.1, status=bounced (550 5.1.1 mailbox full)"
    )
    assert {c.text for c in counted(log, text).counts} == {"no such user", "mailbox full"}


def test_the_null_sender_is_a_sender(log: Path) -> None:
    assert only(counted(log, message(1, sender=""))).senders == ("",)


def test_a_sender_that_was_logged_in_the_file_before(log: Path) -> None:
    first, second = message(1).split("removed\n")[0].splitlines(True)[:2], message(1).splitlines(True)[2:]
    log.with_name("mail.log.1").write_text("".join(first))
    assert only(counted(log, "".join(second))).senders == ("alice@example.org",)


@pytest.mark.parametrize(
    ("program", "service"),
    [
        ("postfix/smtp", "smtp"),
        ("postfix/relay/smtp", "relay/smtp"),
        ("postfix-out/smtp-ipv4/smtp", "smtp-ipv4/smtp"),
    ],
)
def test_the_service_is_named(log: Path, program: str, service: str) -> None:
    assert only(counted(log, message(1, program=program))).service == service


def test_nobody_answered(log: Path) -> None:
    status = "dsn=4.4.1, status=deferred (connect to mx.example.net[2001:db8::25]:25: Connection timed out)"
    found = only(counted(log, message(1, relay="none", status=status)))
    assert (found.relay_host, found.family, found.status, found.code) == (None, None, "deferred", None)
    assert found.text == "connect to mx.example.net[2001:db8::25]:25: Connection timed out"


def test_a_forged_recipient_counts_as_what_it_was(log: Path) -> None:
    forged = '"v@q>, relay=mx.evil.example[192.0.2.66]:25, dsn=2.0.0, status=sent (250 ok)"@example.com'
    found = only(counted(log, message(1, to=forged, status="dsn=5.1.1, status=bounced (550 5.1.1 no)")))
    assert (found.status, found.relay_host) == ("bounced", "mx.example.net")


def test_clients_on_the_ipv6_loopback(log: Path) -> None:
    head = f"{stamp()} relay postfix/smtpd[1]: "
    events = (
        "connect from localhost[::1]",
        "connect from localhost[127.0.0.1]",
        "disconnect from localhost[::1]",
    )
    text = "".join(f"{head}{event}\n" for event in events)
    assert counted(log, text).local_ipv6_clients == 1


def test_a_line_that_says_status_and_cannot_be_read_is_told(log: Path) -> None:
    text = f"{stamp()} relay postfix/smtp[1]: ABC123: to=<broken, relay=none, status=sent (x)\n"
    assert counted(log, text).unparsed == 1


# ---- rotated and compressed -------------------------------------------------------------------


def test_rotated_files_of_all_sorts_are_read_oldest_first(log: Path) -> None:
    days = timedelta(days=1)
    parts = {
        "mail.log.4.xz": lzma.compress(message(1, age=5 * days).encode()),
        "mail.log.3.bz2": bz2.compress(message(2, age=4 * days).encode()),
        "mail.log.2.gz": gzip.compress(message(3, age=3 * days).encode()),
        "mail.log-20261101": message(4, age=2 * days).encode(),
        "mail.log.20261122-000000.gz": gzip.compress(message(5, age=days).encode()),
    }
    for n, (name, data) in enumerate(parts.items()):
        log.with_name(name).write_bytes(data)
        os.utime(log.with_name(name), (time.time() - 1000 + n,) * 2)
    for name in ("mail.log.bak", "mail.logic", "mail.log.swp", "mail.log.1.gpg"):  # somebody else's
        log.with_name(name).write_text(message(6))
    found = counted(log, message(7))
    assert only(found).count == 6
    assert found.since and found.until and timedelta(days=4) < found.until - found.since < timedelta(days=6)


def test_a_file_last_written_before_those_days_is_not_opened(log: Path) -> None:
    old = log.with_name("mail.log.1.gz")
    old.write_bytes(b"not gzip at all")
    os.utime(old, (time.time() - 40 * 86400,) * 2)
    assert only(counted(log, message(1))).count == 1


def test_a_broken_archive_is_said_not_ignored(log: Path) -> None:
    log.with_name("mail.log.1.gz").write_bytes(gzip.compress(message(1).encode())[:-20])
    with pytest.raises(CannotLook, match=r"mail\.log\.1\.gz cannot be read to its end"):
        counted(log, message(2))


def test_an_archive_that_swells_is_stopped(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "FILE_CAP", 4 << 20)
    log.with_name("mail.log.1.gz").write_bytes(gzip.compress(bytes(16 << 20)))
    with pytest.raises(CannotLook, match="cannot be read to its end: more than"):
        counted(log, message(1))


def test_bytes_that_are_no_text_do_not_matter(log: Path) -> None:
    log.write_bytes(
        b"\xff\xfe\x00 noise\n" + message(1).encode() + b"\x80" * 3_000_000 + b"\n" + message(2).encode()
    )
    assert only(counted(log)).count == 2


def test_senders_of_many_messages_take_bounded_memory(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "QUEUE_IDS_KEPT", 10)
    monkeypatch.setattr(deliveries, "SENDERS_KEPT", 5)
    text = "".join(message(n, sender=f"user{n}@example.org") for n in range(100))
    found = only(counted(log, text))
    assert found.count == 100 and len(found.senders) == 5


# ---- warnings -----------------------------------------------------------------------------------


def test_trouble_since_a_moment(log: Path) -> None:
    head = " relay postfix/smtpd[1]: "
    log.write_text(
        f"{stamp(timedelta(hours=2))}{head}fatal: too old\n"
        f"{stamp()}{head}connect from localhost[::1]\n"
        f"{stamp()}{head}fatal: cannot handle socket type AF_INET6\n"
        f"{stamp()} relay postfix/smtp[1]: ABC123: to=<a@b>, relay=none, status=deferred (fatal: warning: x)\n"
        f"{stamp()} relay postfix/master[1]: warning: process smtpd pid 5 exit status 1\n"
        f"{stamp()} relay otherd[1]: fatal: not ours\n"
    )
    lines = deliveries.trouble(LogLines(NOW - timedelta(hours=1)), Place(log))
    assert [line.partition("]: ")[2] for line in lines] == [
        "fatal: cannot handle socket type AF_INET6",
        "warning: process smtpd pid 5 exit status 1",
    ]


# ---- how far apart --------------------------------------------------------------------------------


def test_deliveries_of_one_service_and_how_close_they_are(log: Path) -> None:
    """Other services, probes and further recipients of a message are no deliveries that came too soon."""

    def sent(ago: float, queue_id: str, service: str = "smtp-paced-google/smtp", status: str = "sent") -> str:
        return (
            f"{(NOW - timedelta(seconds=ago)).isoformat()} relay postfix/{service}[1]: {queue_id}: to=<a@gmail.com>, "
            f"relay=mx.example[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status={status} (250 OK)\n"
        )

    log.write_text(
        sent(200_000, "OLD11")
        + sent(60, "AAA11") + sent(60, "AAA11") + sent(59.9, "PRB11", status="deliverable")
        + sent(59, "BBB11", service="smtp") + sent(58, "BBB22") + sent(57.5, "CCC11")
    )  # fmt: skip
    found = deliveries.spaced(Spaced("smtp-paced-google", 1), Place(log))
    assert found == Spacing(3, 1, 0.5)
    assert deliveries.spaced(Spaced("smtp-paced", 1), Place(log)) == Spacing(0, 0, None)


# ---- the journal ----------------------------------------------------------------------------------


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A journalctl that runs this shell text; the file returned holds the arguments it was given."""

    def install(script: str) -> Path:
        program = tmp_path / "bin/journalctl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/asked\n{script}\n')
        program.chmod(0o755)
        for_programs(monkeypatch, f"{program.parent}:{os.environ['PATH']}")
        return tmp_path / "asked"

    return install


def test_the_journal_may_be_closed_to_us(journalctl: Callable[[str], Path]) -> None:
    journalctl("echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1")
    with pytest.raises(CannotLook, match=r"the journal: No journal files .* insufficient permissions"):
        deliveries.recent(RecentDeliveries(), Place(None))
    with pytest.raises(CannotLook, match="the journal: No journal files"):
        follow.read(Place(None), follow.Mark(cursor="s=1"))


def test_the_journal_is_counted_like_a_file(journalctl: Callable[[str], Path], tmp_path: Path) -> None:
    iso = (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S%z")
    text = "".join(message(n) for n in range(5)).replace(stamp(), iso)
    (tmp_path / "journal.txt").write_text(text)
    asked = journalctl(f"cat {tmp_path}/journal.txt")
    before = datetime.now(UTC)
    found = deliveries.recent(RecentDeliveries(3), Place(None))
    assert (found.path, found.lines, only(found).count) == (None, 20, 5)
    since = re.search(r"--since=@(\d+)", asked.read_text())
    assert since and abs(int(since[1]) - (before - timedelta(days=3)).timestamp()) < 60
    assert "SYSLOG_FACILITY=2" in asked.read_text()


def test_the_journal_is_followed_by_its_cursor(journalctl: Callable[[str], Path]) -> None:
    asked = journalctl("echo 'a line'; echo '-- cursor: s=abc;i=7'")
    mark = follow.mark(Place(None))
    assert mark.cursor == "s=abc;i=7"
    lines, after = follow.read(Place(None), mark)
    assert lines == ("a line",) and after == mark
    assert "--after-cursor=s=abc;i=7" in asked.read_text()


@pytest.mark.parametrize(("left", "told"), [("i=5", ("six", "seven")), ("i=6", ("six", "seven"))])
def test_a_cursor_that_was_thrown_away_costs_no_line(
    journalctl: Callable[[str], Path], left: str, told: tuple[str, ...]
) -> None:
    """A journal that begins at *left*: journalctl goes to it where the cursor is older, and skips that too."""
    journalctl(
        f"""case "$*" in
*--lines=1*) echo 'its first'; echo '-- cursor: {left}' ;;
*--after-cursor=i=5*) [ {left} = i=5 ] && echo six; echo seven; echo '-- cursor: i=7' ;;
*--cursor=i=5*) echo six; echo seven; echo '-- cursor: i=7' ;;
esac"""
    )
    assert follow.read(Place(None), follow.Mark(cursor="i=5")) == (told, follow.Mark(cursor="i=7"))


def test_where_nothing_came_the_journal_is_asked_once(journalctl: Callable[[str], Path]) -> None:
    asked = journalctl("echo '-- cursor: i=5'")
    assert follow.read(Place(None), follow.Mark(cursor="i=5")) == ((), follow.Mark(cursor="i=5"))
    assert len(asked.read_text().splitlines()) == 1


def test_refusals_that_name_two_addresses_are_counted_apart(tmp_path: Path) -> None:
    refused = f"dsn=5.7.1, status=bounced ({REFUSED})"
    other = refused.replace("2001:db8:1::10", "2001:db8:1::11")
    text = "".join(
        message(n, relay=IPV6, status=other if n == 4 else refused, age=timedelta(days=5 - n))
        for n in range(5)
    )
    counts = counted(tmp_path / "mail.log", text).counts
    assert sorted((c.count, "[2001:db8:1::10]" in c.text) for c in counts) == [(1, False), (4, True)]
    (many,) = [c for c in counts if c.count == 4]
    assert many.first is not None
    assert (many.last - many.first).days == 3
