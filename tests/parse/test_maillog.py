"""An operator's log, line by line: what is believed, and what a stranger wrote into it is not."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmend.model import Relay, Reply
from mailmend.parse import maillog

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone(timedelta(hours=1)))
HEAD = "Nov 22 10:56:24 relay postfix/smtp[4711]: 4F1A2B3C4D: "
BOUNCE = (
    "to=<someone@gmail.com>, orig_to=<user@example.org>, relay=mx.example.net[2001:db8:2::1a]:25, delay=0.04, "
    "delays=0.01/0.02/0.01/0.01, dsn=5.7.1, status=bounced (host mx.example.net[2001:db8:2::1a] said: "
    "550-5.7.1 [2001:db8:1::10] our system has detected 550 5.7.1 something (in reply to end of DATA command))"
)
SAMPLES = Path(__file__).parents[3] / "shared/samples/logs"


def read(text: str) -> maillog.LogLine:
    line = maillog.line(text, NOW)
    assert line is not None, text
    return line


# ---- what is no line of Postfix -----------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("Nov 22 10:56:24 relay kernel: eth0: link up", id="kernel"),
        pytest.param("Nov 22 10:56:24 relay sshd[12]: Accepted publickey for root", id="sshd"),
        pytest.param(f"Nov 22 10:56:24 relay dovecot: imap-login: {HEAD}{BOUNCE}", id="quoted-by-dovecot"),
        pytest.param(f"Nov 22 10:56:24 relay spamd[9]: Subject: {HEAD}{BOUNCE}", id="quoted-by-spamd"),
        pytest.param(f"Nov 22 10:56:24 relay spamd[9]: {HEAD}{BOUNCE}", id="quoted-whole-by-another-program"),
        pytest.param(f"> {HEAD}{BOUNCE}", id="quoted-in-a-mail"),
        pytest.param("postfix/smtp: no process id", id="no-pid"),
        pytest.param("\x00\xff\x1b[2J", id="binary"),
    ],
)
def test_what_postfix_did_not_log_is_not_read(text: str) -> None:
    assert maillog.line(text, NOW) is None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("warning: to=<a@example.org>, relay=mx, status=sent (250 ok)", id="in-a-warning"),
        pytest.param("4F1A2B3C4D: message-id=<x@y>, to=<a@b>, status=sent (x)", id="in-a-message-id"),
        pytest.param("4F1A2B3C4D: to=<a@example.org>, relay=mx, delay=1", id="no-status"),
        pytest.param("4F1A2B3C4D: to=<a@example.org, relay=mx, status=sent (x)", id="bracket-never-closed"),
        pytest.param('4F1A2B3C4D: to=<"a@example.org>, relay=mx, status=sent (x)', id="quote-never-closed"),
        pytest.param("4F1A2B3C4D: removed", id="removed"),
        pytest.param("4F1A2B3C4D: from=<a@example.org>, status=expired, returned to sender", id="expired"),
        pytest.param("4F1A2B3C4D: client=mx.example.net[192.0.2.7]", id="client"),
    ],
)
def test_no_outcome_is_no_delivery(message: str) -> None:
    assert maillog.delivery(read(f"Nov 22 10:56:24 relay postfix/smtp[1]: {message}")) is None


# ---- the heads that loggers write ---------------------------------------------------------

UTC_PLUS_1 = datetime(2026, 11, 22, 10, 56, 24, tzinfo=NOW.tzinfo)


@pytest.mark.parametrize(
    ("head", "at", "host"),
    [
        pytest.param("Nov 22 10:56:24 relay ", UTC_PLUS_1, "relay", id="traditional"),
        pytest.param("Nov  2 10:56:24 relay ", UTC_PLUS_1.replace(day=2), "relay", id="one-digit-day"),
        pytest.param("Nov 22 10:56:24.123 relay ", UTC_PLUS_1, "relay", id="journalctl-short-precise"),
        pytest.param("Dec 24 10:56:24 relay ", UTC_PLUS_1.replace(2025, 12, 24), "relay", id="last-year"),
        pytest.param("2026-11-22T10:56:24+01:00 relay ", UTC_PLUS_1, "relay", id="rfc3339"),
        pytest.param("2026-11-22T09:56:24Z relay.example.org ", UTC_PLUS_1, "relay.example.org", id="utc"),
        pytest.param("2026-11-22T10:56:24+0100 relay ", UTC_PLUS_1, "relay", id="journalctl-short-iso"),
        pytest.param("Sun 2026-11-22 09:56:24 UTC MX ", UTC_PLUS_1, "MX", id="journalctl-short-full"),
        pytest.param("2026-11-22 10:56:24 relay ", UTC_PLUS_1, "relay", id="no-offset"),
        pytest.param("<22>Nov 22 10:56:24 relay ", UTC_PLUS_1, "relay", id="raw-syslog"),
        pytest.param("mail-1  | Nov 22 10:56:24 relay ", UTC_PLUS_1, "relay", id="docker-compose-logs"),
        pytest.param(
            "2026-11-22T10:00:00.123456789Z Nov 22 10:56:24 mail ", UTC_PLUS_1, "mail", id="docker-logs-t"
        ),
        pytest.param(
            "2026-11-22T10:00:00Z stdout F Nov 22 10:56:24 mail ", UTC_PLUS_1, "mail", id="kubernetes"
        ),
        pytest.param(
            "Nov 22 10:56:25 node 3f1a2b4c5d6e[99]: Nov 22 10:56:24 mail ",
            UTC_PLUS_1,
            "mail",
            id="docker-syslog",
        ),
        pytest.param("2026-11-22T10:56:24+01:00 INFO     ", UTC_PLUS_1, None, id="a-level-for-a-host"),
        pytest.param("", None, None, id="bare"),
    ],
)
def test_every_logger_writes_its_own_head(head: str, at: datetime | None, host: str | None) -> None:
    line = read(f"{head}postfix/smtp[4711]: 4F1A2B3C4D: {BOUNCE}")
    assert (line.at and line.at.replace(microsecond=0), line.host) == (at, host)
    assert (line.tag, line.service, line.pid, line.queue_id) == ("postfix", "smtp", 4711, "4F1A2B3C4D")
    delivery = maillog.delivery(line)
    assert delivery and delivery.relay == Relay("mx.example.net", "2001:db8:2::1a")


@pytest.mark.parametrize(
    ("tag", "name", "service"),
    [
        ("postfix/smtp", "postfix", "smtp"),
        ("postfix-out/smtp", "postfix-out", "smtp"),
        ("postfix/relay/smtp", "postfix/relay", "smtp"),
        ("postfix/smtp-ipv4/smtp", "postfix/smtp-ipv4", "smtp"),
    ],
)
def test_syslog_name_tells_the_service(tag: str, name: str, service: str) -> None:
    line = read(f"Nov 22 10:56:24 relay {tag}[1]: 4F1A2B3C4D: removed")
    assert (line.tag, line.service) == (name, service)


@pytest.mark.parametrize("queue_id", ["28BD525A364", "906E151", "4jXQxN61F0zLdf9", "3Pt2mN2VXxznjll"])
def test_short_and_long_queue_ids(queue_id: str) -> None:
    assert read(f"Nov 22 10:56:24 relay postfix/qmgr[1]: {queue_id}: removed").queue_id == queue_id


@pytest.mark.parametrize("word", ["warning", "fatal", "statistics", "reject", "connect"])
def test_a_word_is_no_queue_id(word: str) -> None:
    line = read(f"Nov 22 10:56:24 relay postfix/smtpd[1]: {word}: something")
    assert line.queue_id is None and line.message == f"{word}: something"


def test_without_a_clock_only_full_dates_are_dates() -> None:
    short, full = maillog.line(HEAD + BOUNCE), maillog.line("2026-11-22T10:56:24Z" + HEAD[15:] + BOUNCE)
    assert short and short.at is None
    assert full and full.at == datetime(2026, 11, 22, 10, 56, 24, tzinfo=UTC)


def test_a_line_of_new_years_eve_read_on_new_years_day() -> None:
    at = maillog.time("Dec 31 23:59:59", datetime(2027, 1, 1, 0, 0, 5, tzinfo=UTC))
    assert at == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_line_of_29_february_read_in_a_year_without_one() -> None:
    at = maillog.time("Feb 29 10:00:00", datetime(2026, 3, 1, tzinfo=UTC))
    assert at == datetime(2024, 2, 29, 10, tzinfo=UTC)


# ---- outcomes -----------------------------------------------------------------------------


def test_a_forwarded_message_bounces_over_ipv6() -> None:
    delivery = maillog.delivery(read(HEAD + BOUNCE))
    assert delivery is not None
    assert delivery.severity == "bounced"
    assert (delivery.recipient, delivery.original_recipient) == ("someone@gmail.com", "user@example.org")
    assert delivery.forwarded is True
    assert delivery.relay and delivery.relay.family == "ipv6"
    assert delivery.reply == Reply(550, "5.7.1", "[2001:db8:1::10] our system has detected something")
    assert delivery.source_ip == "2001:db8:1::10"
    assert delivery.queue_id == "4F1A2B3C4D"


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        pytest.param(
            "relay=mx[192.0.2.1]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
            "delivered",
            id="sent",
        ),
        pytest.param(
            "relay=mx[192.0.2.1]:25, conn_use=2, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
            "delivered",
            id="session-reused",
        ),
        pytest.param(
            "relay=mx[192.0.2.1]:25, delay=1, delays=0/0/1/0, tls=TLSv1.3, dsn=2.0.0, status=sent (250 ok)",
            "delivered",
            id="postfix-3.11-tls",
        ),
        pytest.param(
            "relay=mx[192.0.2.1]:25, new_field=7, dsn=4.7.0, status=deferred (x)",
            "deferred",
            id="a-field-of-tomorrow",
        ),
        pytest.param(
            "relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx: timed out)",
            "deferred",
            id="nobody-answered",
        ),
        pytest.param(
            "relay=mx[192.0.2.1]:25, dsn=5.7.1, status=SOFTBOUNCE (host mx[192.0.2.1] said: 550 no)",
            "deferred",
            id="soft_bounce",
        ),
        pytest.param(
            "relay=mx[192.0.2.1]:25, dsn=2.1.5, status=deliverable (250 ok)", "delivered", id="probe-accepted"
        ),
        pytest.param(
            "relay=mx[192.0.2.1]:25, dsn=5.1.1, status=undeliverable (550 no)", "bounced", id="probe-refused"
        ),
        pytest.param(
            "relay=none, dsn=4.4.3, status=undeliverable (try again)", "deferred", id="probe-undecided"
        ),
        pytest.param("relay=local, dsn=2.0.0, status=sent (delivered to mailbox)", "delivered", id="local"),
    ],
)
def test_the_words_of_the_log(fields: str, severity: str) -> None:
    delivery = maillog.delivery(read(f"{HEAD}to=<a@example.org>, {fields}"))
    assert delivery and delivery.severity == severity


def test_a_line_that_syslog_cut_keeps_what_there_is() -> None:
    delivery = maillog.delivery(read(HEAD + BOUNCE[:-60]))
    assert delivery and delivery.severity == "bounced" and delivery.reply and delivery.reply.status == "5.7.1"


@pytest.mark.parametrize(
    ("recipient", "original", "forwarded"),
    [
        ("a@example.org", None, None),
        ("a@example.org", "A@Example.ORG", None),
        ("root@relay.example.org", "root", None),
        ("a@gmail.com", "a@example.org", True),
        ("admin@gmail.com", "root", True),
    ],
)
def test_forwarding_is_an_address_that_became_another(
    recipient: str, original: str | None, forwarded: bool
) -> None:
    assert maillog.forwarded(recipient, original) is forwarded


# ---- what strangers write -----------------------------------------------------------------


def test_a_recipient_that_looks_like_an_outcome() -> None:
    forged = '"v@q>, relay=mx.evil.example[192.0.2.66]:25, dsn=2.0.0, status=sent (250 ok)"@example.org'
    delivery = maillog.delivery(
        read(
            f"{HEAD}to=<{forged}>, relay=real[198.51.100.1]:25, dsn=5.1.1, status=bounced (550 no such user)"
        )
    )
    assert delivery and delivery.severity == "bounced"
    assert delivery.recipient == forged and delivery.relay == Relay("real", "198.51.100.1")


def test_an_escaped_quote_does_not_end_the_quotes() -> None:
    forged = r'"a\">, status=sent (250 ok)"@example.org'
    tried = maillog.attempt(read(f"{HEAD}to=<{forged}>, relay=none, dsn=5.1.1, status=bounced (no)"))
    assert tried and (tried.recipient, tried.status) == (forged, "bounced")


def test_a_reply_that_looks_like_an_outcome_stays_a_reply() -> None:
    reply = "host mx[192.0.2.1] said: 550 no), to=<x@y>, relay=z[192.0.2.9]:25, status=sent (250 ok"
    tried = maillog.attempt(
        read(f"{HEAD}to=<a@b>, relay=mx[192.0.2.1]:25, dsn=5.0.0, status=bounced ({reply})")
    )
    assert tried and tried.status == "bounced" and tried.reply == reply


def test_an_original_recipient_cannot_name_the_relay() -> None:
    tried = maillog.attempt(
        read(
            f'{HEAD}to=<a@b>, orig_to=<"x>, relay=forged, status=sent (y)"@c>, relay=none, status=deferred (z)'
        )
    )
    assert tried and (tried.relay, tried.status) == (None, "deferred")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 100_000, id="no-head"),
        pytest.param("Nov 22 10:56:24 " + "a " * 50_000, id="words"),
        pytest.param(HEAD + 'to=<"' + '\\"' * 50_000, id="quotes"),
        pytest.param(HEAD + "to=<a@b>, " + "x=1, " * 20_000, id="fields"),
        pytest.param(HEAD + "to=<a@b>, x=<" + "<" * 50_000, id="brackets"),
        pytest.param(HEAD + "reject: RCPT from x[192.0.2.1]: 554 5.7.1 " + "; from=<" * 10_000, id="froms"),
        pytest.param(
            HEAD + 'reject: RCPT from x[192.0.2.1]: 554 5.7.1 <"' + '\\"' * 50_000, id="reject-quotes"
        ),
        pytest.param(HEAD + "host " * 20_000, id="hosts"),
        pytest.param("INFO " * 20_000, id="levels"),
        pytest.param(" " * 100_000 + "x", id="blanks"),
        pytest.param("2026-11-22T10:56:24Z " * 5_000, id="stamps"),
    ],
)
def test_no_line_takes_long(text: str) -> None:
    begun = time.process_time()
    line = maillog.line(text, NOW)
    if line:
        maillog.delivery(line)
    # 50 ms is what the product promises for any one input; a backtracking pattern takes minutes.
    assert time.process_time() - begun < 0.25  # what backtracks takes minutes


@given(st.text(alphabet=st.sampled_from('abz09 <>"\\@,=:;()[]/.-'), max_size=200))
def test_any_text_after_a_true_head_is_survived(text: str) -> None:
    line = maillog.line(HEAD + text, NOW)
    if line:
        maillog.delivery(line)


@given(st.text(alphabet=st.sampled_from("ab <>,=():status"), max_size=60))
def test_whatever_a_quoted_local_part_says_the_true_status_is_read(local: str) -> None:
    line = read(f'{HEAD}to=<"{local}"@example.org>, relay=none, dsn=4.0.0, status=deferred (later)')
    tried = maillog.attempt(line)
    assert tried and (tried.recipient, tried.status) == (f'"{local}"@example.org', "deferred")


# ---- rejections of our own, and replies on the way ------------------------------------------


def test_our_own_rejection_is_inbound() -> None:
    delivery = maillog.delivery(
        read(
            "Nov 22 10:56:24 relay postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 "
            "<x@example.net>: Relay access denied; from=<a@example.com> to=<x@example.net> proto=ESMTP helo=<h>"
        )
    )
    assert delivery and delivery.severity == "rejected-inbound" and delivery.queue_id is None
    assert (delivery.sender, delivery.recipient, delivery.source_ip) == (
        "a@example.com",
        "x@example.net",
        "203.0.113.9",
    )
    assert delivery.reply and (delivery.reply.code, delivery.reply.status) == (554, "5.7.1")


def test_a_rejected_recipient_cannot_forge_the_envelope() -> None:
    forged = '"; from=<boss@example.org> to=<y@z>"@example.net'
    delivery = maillog.delivery(
        read(
            "Nov 22 10:56:24 relay postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 "
            f"<{forged}>: Relay access denied; from=<true@example.com> to=<{forged}> proto=ESMTP helo=<h>"
        )
    )
    assert delivery and (delivery.sender, delivery.recipient) == ("true@example.com", forged)


def test_postscreen_and_milters_reject_too() -> None:
    postscreen = maillog.delivery(
        read(
            "Nov 22 10:56:24 relay postfix/postscreen[9]: NOQUEUE: reject: RCPT from [2001:db8::9]:40321: 550 5.7.1 "
            "Service unavailable; client [2001:db8::9] blocked using bl.example; from=<a@b>, to=<c@d>, proto=ESMTP"
        )
    )
    milter = maillog.delivery(
        read(
            "Nov 22 10:56:24 relay postfix/cleanup[9]: 4F1A2B3C4D: milter-reject: END-OF-MESSAGE from "
            "mx.example.net[192.0.2.9]: 5.7.1 rejected by DMARC policy; from=<a@b> to=<c@d> proto=ESMTP helo=<h>"
        )
    )
    assert postscreen and (postscreen.severity, postscreen.recipient) == ("rejected-inbound", "c@d")
    assert milter and (milter.severity, milter.source_ip) == ("rejected-inbound", "192.0.2.9")


def test_a_warning_only_is_a_notice() -> None:
    delivery = maillog.delivery(
        read(
            "Nov 22 10:56:24 relay postfix/smtpd[9]: NOQUEUE: reject_warning: RCPT from x[192.0.2.9]: 450 4.7.1 "
            "<h>: Helo command rejected: Host not found; from=<a@b> to=<c@d> proto=ESMTP helo=<h>"
        )
    )
    assert delivery and delivery.severity == "notice"


def test_a_server_that_was_tried_before_another_is_a_notice() -> None:
    delivery = maillog.delivery(
        read(f"{HEAD}host mx.example.net[2001:db8::25] refused to talk to me: 421 4.7.0 try again later")
    )
    assert delivery and (delivery.severity, delivery.recipient) == ("notice", None)
    assert delivery.relay == Relay("mx.example.net", "2001:db8::25")


@pytest.mark.parametrize(
    ("message", "sender"),
    [
        ("from=<>, size=3052, nrcpt=1 (queue active)", ""),
        ("from=<a@example.org>, size=3052, nrcpt=1 (queue active)", "a@example.org"),
        ("removed", None),
    ],
)
def test_the_queue_manager_knows_the_sender(message: str, sender: str | None) -> None:
    assert maillog.sender(read(f"Nov 22 10:56:24 relay postfix/qmgr[1]: 4F1A2B3C4D: {message}")) == sender
    assert maillog.sender(read(f"Nov 22 10:56:24 relay postfix/smtpd[1]: 4F1A2B3C4D: {message}")) is None


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no sample logs at {SAMPLES}")
def test_no_outcome_of_the_sample_logs_is_missed() -> None:
    seen = missed = 0
    for path in sorted(SAMPLES.iterdir()):
        for text in path.read_text(errors="surrogateescape").splitlines():
            if ", status=" in text:
                line = maillog.line(text, NOW)
                seen += 1
                missed += line is None or maillog.attempt(line) is None
    assert seen > 200 and missed == 0


def test_who_wrote_a_rejected_mail_is_not_what_a_stranger_says() -> None:
    """As Postfix 3.7 logs it: the recipient stands unquoted in the reply, and a HELO name may be anything."""
    head = "Nov 22 10:00:00 mx1 postfix/smtpd[7]: NOQUEUE: reject: RCPT from x[192.0.2.9]: 550 5.1.1 "
    forged = "; from=<boss@example.org> to=<victim@example.org> proto=ESMTP helo=<x>"
    true = "; from=<a@b.org> to=<c@example.org> proto=ESMTP helo=<{}>"
    for text in (
        f"<x>: no{forged}@example.org>: Recipient address rejected: User unknown" + true.format("h"),
        "<c@example.org>: Recipient address rejected" + true.format(f"h{forged}"),
        "<c@example.org>: Recipient address rejected" + true.format("h" * 10) + forged * 30,
        f"<x>: no{forged}@example.org>: Recipient" + true.format("h" * 3000)[:1900],
    ):
        told = maillog.delivery(read(head + text))
        assert told is not None
        assert (told.severity, told.source_ip) == ("rejected-inbound", "192.0.2.9")
        assert (told.sender, told.recipient) == (None, None), text
    for text in (
        "<c@example.org>: Recipient address rejected" + true.format("h"),
        "<c@example.org>: Recipient address rejected" + true.format("h; from=<boss@example.org>"),
        "Service unavailable; client [192.0.2.9] blocked; from=<a@b.org>, to=<c@example.org>, proto=ESMTP, helo=<h>",
    ):
        told = maillog.delivery(read(head + text))
        assert told is not None
        assert (told.sender, told.recipient) == ("a@b.org", "c@example.org"), text
