"""A report says what is this host's to cure, since when and whom it hits, and nothing that is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailmend import catalogue
from mailmend.parse.logscan import Scanner
from mailmend.road import causes, findings, report, tally
from mailmend.road.tally import Clock, HourPlace

KNOWN = causes.Causes(catalogue.load())
END = datetime(2026, 11, 22, 18, tzinfo=UTC)
V4, V6 = "gmail-smtp-in.l.google.com[142.250.1.26]", "gmail-smtp-in.l.google.com[2607:f8b0::1a]"
MX = "mx.example.org[192.0.2.25]"
AUTH = (
    "550-5.7.1 [2001:db8::1] This message does not meet IPv6 sending guidelines 550 5.7.1 and so on - gsmtp"
)
FULL = "452 4.2.2 The email account that you tried to reach is over quota. - gsmtp"
NOBODY = "550 5.1.1 The email account that you tried to reach does not exist. - gsmtp"
LISTED = "554 5.7.1 Service unavailable; Client host [198.51.100.5] blocked using zen.spamhaus.org"


def line(
    minute: int, host: str, status: str, said: str = "250 ok", to: str = "a@gmail.com", moved: str = ""
) -> str:
    code = {"sent": "2.0.0", "deferred": "4.2.2", "bounced": "5.7.1"}[status]
    original = f"orig_to=<{moved}>, " if moved else ""
    return (
        f"Nov 22 {10 + minute // 60:02}:{minute % 60:02}:00 mx1 postfix/smtp[7]: 4AB{minute:06X}: to=<{to}>, {original}"
        f"relay={host}:25, delay=1, delays=0/0/0/1, dsn={code}, status={status} (host {host} said: {said})"
    )


def told(lines: list[str], ended: datetime = END) -> report.Report:
    scanner, counted = Scanner(by=tally.BY), tally.Tally(Clock(END))
    counted.add(scanner.scan("".join(f"{each}\n" for each in lines).encode()), scanner, KNOWN)
    counted.fold(scanner, KNOWN)
    return report.report(counted, (END - timedelta(hours=8), ended))


# ---- what is no finding -------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [line(n, V6, "sent") for n in range(50)],
        [line(n, V6, "bounced", AUTH) for n in range(findings.FEW - 1)],
        [line(n, V4, "bounced", NOBODY) for n in range(50)],
        [line(n, MX, "bounced", LISTED, "a@example.org") for n in range(findings.FEW - 1)],
    ],
)
def test_nothing_to_cure(lines: list[str]) -> None:
    assert told(lines).findings == ()


def test_what_was_deferred_of_late_is_counted_and_no_finding() -> None:
    found = told([line(n, V4, "deferred", FULL) for n in range(50)], END - timedelta(hours=7))
    assert found.findings == ()
    assert found.waits is not None
    assert sum(each.count for each in found.waits) == 50


# ---- what is ------------------------------------------------------------------------------


def test_a_refusal_tells_since_when_whom_it_hits_and_what_cures_it() -> None:
    lines = [line(n, V6, "bounced", AUTH, moved="info@example.net") for n in range(10)]
    lines += [line(n, V6, "sent") for n in range(20, 30)] + [line(n, V4, "sent") for n in range(30, 40)]
    (found,) = told(lines).findings
    assert found.says == "Gmail / Google Workspace refuses 50 % over IPv6 and 0 % over IPv4: 10 deliveries"
    assert (found.command, found.cures) == ("mailmend fix gmail.com", True)
    assert (found.first, found.last) == (
        datetime(2026, 11, 22, 10, tzinfo=UTC),
        datetime(2026, 11, 22, 10, 9, tzinfo=UTC),
    )
    assert (found.count, found.forwarded, found.domains) == (10, 10, (("gmail.com", 10),))


def test_what_both_families_refuse_is_told_once() -> None:
    spf = "550-5.7.26 Unauthenticated email from example.org is not accepted 550 5.7.26 due to DMARC - gsmtp"
    lines = [line(n, V6, "bounced", AUTH) for n in range(10)]
    lines += [line(n, V4, "bounced", spf) for n in range(20, 26)]
    (found,) = told(lines).findings
    assert found.says.endswith("refuses 100 % over IPv6 and 100 % over IPv4: 16 deliveries")
    assert (found.receiver, found.family, found.count) == ("google", None, 16)


def test_a_block_list_is_told_once_for_all_who_use_it() -> None:
    hosts = [f"mx.b{n}.example[192.0.2.{n}]" for n in range(1, 9)]
    (found,) = told([line(n, host, "bounced", LISTED) for n, host in enumerate(hosts)]).findings
    assert found.says == "8 bounced for dnsbl-listed, all at various hosts"
    assert (found.command, found.cures) == ("mailmend explain --cause dnsbl-listed", False)


def test_what_mailmend_cannot_cure_is_explained_instead() -> None:
    """Another domain's DMARC policy is no setting of this host."""
    policy = "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy. - gsmtp"
    (found,) = told([line(n, V4, "bounced", policy) for n in range(9)]).findings
    assert found.cause == "dmarc-reject"
    assert (found.command, found.cures) == ("mailmend explain --cause dmarc-reject", False)


def test_what_waits_for_long_is_told_with_the_message_that_waits_longest() -> None:
    (found,) = told([line(n, V4, "deferred", FULL) for n in range(9)]).findings
    assert found.command == "mailmend trace 4AB000000"
    assert (found.count, found.first) == (9, datetime(2026, 11, 22, 10, tzinfo=UTC))


def test_domains_and_senders_over_all_causes() -> None:
    lines = [line(1, V6, "bounced", AUTH), line(2, V4, "deferred", FULL), line(3, V4, "sent")]
    lines += [line(4, MX, "bounced", LISTED, f"a@d{n}.example") for n in range(30)]
    found = told(lines)
    assert found.domains[0] == report.Hit("gmail.com", 1, 1)
    assert len(found.domains) == 20


# ---- time ---------------------------------------------------------------------------------


def test_hours_without_a_year_stand_in_their_order() -> None:
    scanner, counted = Scanner(by=tally.BY), tally.Tally(Clock(datetime(2027, 1, 1, 9, tzinfo=UTC)))
    text = "".join(f"{line(0, V4, 'sent')}\n".replace("Nov 22", day) for day in ("Dec 31", "Jan  1"))
    counted.add(scanner.scan(text.encode()), scanner, KNOWN)
    counted.fold(scanner, KNOWN)
    hours = [at.hour for at, _ in report.report(counted, (None, None)).hours]
    assert hours == [datetime(2026, 12, 31, 10, tzinfo=UTC), datetime(2027, 1, 1, 10, tzinfo=UTC)]


def test_an_hour_is_one_whatever_the_zone_it_is_written_in() -> None:
    """The clocks were put back: 02:xx+02:00 comes before 02:xx+01:00, and both have a name of their own."""
    scanner, counted = Scanner(by=tally.BY), tally.Tally()
    for offset in (2, 1):
        clock = Clock(END, timezone(timedelta(hours=offset)))
        counted.turn(clock, scanner, KNOWN)
        text = (
            line(0, V4, "sent").replace("Nov 22 10:", "2026-10-25T02:").replace(" mx1", f"+0{offset}:00 mx1")
        )
        counted.add(scanner.scan(f"{text}\n".encode()), scanner, KNOWN)
    counted.fold(scanner, KNOWN)
    assert sorted(at.hour for at in counted.hours if at.hour) == [
        datetime(2026, 10, 25, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
    ]


def hours(*counts: tuple[str, int, int]) -> report.Report:
    """A report with so many (time, sent, bounced) to Google over IPv6."""
    rows = []
    for clock, sent, bounced in counts:
        at = datetime.fromisoformat(f"2026-11-22T{clock}:00+00:00")
        rows += [
            (HourPlace(at, "google", "ipv6", "sent"), sent),
            (HourPlace(at, "google", "ipv6", "bounced"), bounced),
        ]
    return report.Report(0, 0, 0, (None, None), (), (), (), tuple(rows), ())


def moment(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-22T{clock}:00+00:00")


def test_nothing_is_said_of_a_change_without_mail_on_both_sides() -> None:
    found = hours(("10:00", 5, 5))
    assert report.turns(found, [("a", moment("09:00"))]) == ()
    assert report.turns(found, [("a", moment("12:00"))]) == ()
    assert report.turns(hours(("10:00", 5, 0), ("12:00", 5, 0)), [("a", moment("11:00"))]) == ()


def test_the_hour_of_the_change_is_cut_at_its_minute() -> None:
    found = hours(("10:00", 5, 5), ("10:20", 8, 0), ("11:00", 2, 0))
    turn, over = report.turns(found, [("a", moment("10:20"))])
    assert (turn.family, over.family) == (None, "ipv6")
    assert (turn.before, turn.after) == ((5, 10), (0, 10))


def test_an_hour_that_is_not_cut_counts_on_neither_side() -> None:
    found = hours(("09:00", 1, 1), ("10:00", 5, 5), ("11:00", 2, 0))
    turn, _ = report.turns(found, [("a", moment("10:20"))], report.HOUR)
    assert (turn.before, turn.after) == ((1, 2), (0, 2))


def test_of_two_changes_each_has_its_own_before_and_after() -> None:
    found = hours(("09:00", 1, 9), ("10:00", 9, 1), ("11:00", 10, 0))
    turns = report.turns(found, [("a", moment("10:00")), ("b", moment("11:00"))])
    assert [(turn.change, turn.before, turn.after) for turn in turns if turn.family] == [
        ("a", (9, 10), (1, 10)),
        ("b", (1, 10), (0, 10)),
    ]


def test_a_family_that_has_no_mail_any_more_is_told_beside_the_whole() -> None:
    """What ipv4-for-receiver brings: nothing goes over IPv6 afterwards."""
    found = hours(("09:00", 5, 5))
    after = (HourPlace(moment("10:00"), "google", "ipv4", "sent"), 10)
    turns = report.turns(replace(found, hours=(*found.hours, after)), [("a", moment("10:00"))])
    assert [(turn.family, turn.before, turn.after) for turn in turns] == [
        (None, (5, 10), (0, 10)),
        ("ipv6", (5, 10), (0, 0)),
    ]
