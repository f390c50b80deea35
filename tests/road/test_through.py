"""What one address family puts off and the other refuses for good comes back: that is told, and nothing else is."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest

from mailmend import catalogue
from mailmend.parse.logscan import Scanner, Senders
from mailmend.road import causes, report, tally
from mailmend.road.through import Fell

V4, V6 = "gmail-smtp-in.l.google.com[142.250.1.26]", "gmail-smtp-in.l.google.com[2607:f8b0::1a]"
LATER = "421 4.7.0 try again later (in reply to end of DATA command)"
AUTH = (
    "550-5.7.1 [2001:db8::1] This message does not meet IPv6 sending guidelines 550 5.7.1 and authentication. - gsmtp"
    " (in reply to end of DATA command)"
)
NOBODY = "550 5.1.1 The email account that you tried to reach does not exist. (in reply to RCPT TO command)"
IPV6 = Fell("google", "ipv6", "ipv6-ptr-or-auth")
KNOWN = causes.Causes(catalogue.load())


def head(second: int, queue: str = "4ABCDEF012", pid: int = 77, service: str = "smtp") -> str:
    return f"Nov 22 10:{second // 60:02}:{second % 60:02} mx1 postfix/{service}[{pid}]: {queue}: "


def on_the_way(second: int, host: str, said: str = LATER, **at: str | int) -> str:
    return f"{head(second, **at)}host {host} said: {said}"  # type: ignore[arg-type]


def outcome(
    second: int, host: str, status: str, said: str, to: str = "a@gmail.com", dsn: str = "", **at: str | int
) -> str:
    code = dsn or {"sent": "2.0.0", "deferred": "4.7.0", "bounced": "5.7.1"}[status]
    return (
        f"{head(second, **at)}to=<{to}>, relay={host}:25, delay=1, delays=0/0/0/1, "  # type: ignore[arg-type]
        f"dsn={code}, status={status} (host {host} said: {said})"
    )


def read(*parts: list[str]) -> tally.Tally:
    """Each part is scanned on its own, as several processes do, and the tallies are joined."""
    whole, senders = tally.Tally(), Senders()
    for lines in parts:
        scanner, counted = Scanner(by=tally.BY), tally.Tally()
        counted.add(scanner.scan("".join(f"{line}\n" for line in lines).encode()), scanner, KNOWN)
        counted.fold(scanner, KNOWN)
        whole.update(counted, senders)
    return whole


def fell(*parts: list[str]) -> Counter[Fell]:
    return read(*parts).through.fell


WITHIN = [on_the_way(1, V4), outcome(1, V6, "bounced", AUTH)]
ACROSS = [outcome(1, V4, "deferred", LATER), outcome(301, V6, "bounced", AUTH, pid=99)]


# ---- what must not be told ----------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [outcome(1, V6, "bounced", AUTH)],
        [on_the_way(1, V6), outcome(1, V6, "bounced", AUTH)],
        [on_the_way(1, V4), outcome(2, V6, "sent", "250 ok")],
        [on_the_way(1, V4), outcome(2, V4, "bounced", NOBODY)],
        [outcome(1, V6, "deferred", LATER), outcome(301, V6, "bounced", AUTH)],
        [on_the_way(1, V4, pid=78), outcome(1, V6, "bounced", AUTH, pid=77)],
        [on_the_way(1, V4, queue="4ABCDEF013"), outcome(1, V6, "bounced", AUTH)],
        [outcome(1, V4, "deferred", LATER, to="b@gmail.com"), outcome(9, V6, "bounced", AUTH)],
        [outcome(1, V6, "bounced", AUTH), on_the_way(300, V4), outcome(300, V4, "sent", "250", to="b@x.org")],
        [on_the_way(1, V4, "550 5.7.1 no (in reply to MAIL FROM command)"), outcome(1, V6, "bounced", AUTH)],
        [on_the_way(1, V4, service="cleanup"), outcome(1, V6, "bounced", AUTH)],
        [
            head(1) + f"host x[::1] said: 550 {head(1)}host {V4} said: {LATER}",
            outcome(1, V6, "bounced", AUTH),
        ],
        [outcome(1, V4, "deferred", LATER), outcome(9, V6, "bounced", AUTH).replace(" mx1 ", " mx2 ")],
    ],
)
def test_nothing_fell_through(lines: list[str]) -> None:
    assert not fell(lines)
    assert not fell(*([line] for line in lines))


def test_an_address_that_does_not_exist_is_no_matter_of_the_family() -> None:
    found = read([on_the_way(1, V4), outcome(1, V6, "bounced", NOBODY, dsn="5.1.1")])
    assert found.through.fell == {Fell("google", "ipv6", "no-such-user"): 1}
    assert not report.report(found, (None, None)).findings


# ---- what must ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        WITHIN,
        ACROSS,
        [on_the_way(1, V4), on_the_way(1, V6), outcome(1, V6, "bounced", AUTH)],
        [on_the_way(1, V4), outcome(2, V6, "deferred", LATER), outcome(301, V6, "bounced", AUTH, pid=99)],
        [
            outcome(1, V4, "deferred", LATER),
            outcome(9, V6, "deferred", LATER),
            outcome(99, V6, "bounced", AUTH),
        ],
        [
            on_the_way(1, V4).replace("said: 421", "refused to talk to me: 421"),
            outcome(1, V6, "bounced", AUTH),
        ],
        [f"mail-1  | {line}" for line in WITHIN],  # read slowly
        [line.replace("Nov 22 ", "2026-11-22T").replace(" mx1", ".5+01:00 mx1") for line in WITHIN],
        [line.replace("postfix/smtp", "postfix-out/relay/smtp") for line in WITHIN],
        [line.replace("dsn=", "tls=none, dsn=") for line in ACROSS],
    ],
)
def test_one_came_back(lines: list[str]) -> None:
    assert fell(lines) == {IPV6: 1}
    for cut in range(1, len(lines)):
        assert fell(lines[:cut], lines[cut:]) == {IPV6: 1}
    assert fell(*([line] for line in lines)) == {IPV6: 1}


def test_every_recipient_that_came_back_counts_once() -> None:
    lines = [on_the_way(1, V4), *(outcome(1, V6, "bounced", AUTH, to=f"u{n}@gmail.com") for n in range(3))]
    assert fell(lines) == fell(lines[:1], lines[1:]) == {IPV6: 3}
    assert fell(ACROSS, ACROSS[1:]) == {IPV6: 1}


def test_the_other_way_round_is_told_too() -> None:
    spf = "550-5.7.26 Unauthenticated email from example.org is not accepted 550 5.7.26 due to DMARC - gsmtp"
    (only,) = fell([on_the_way(1, V6), outcome(1, V4, "bounced", spf)])
    assert (only.receiver, only.family) == ("google", "ipv4")


def test_it_is_a_finding_with_its_figures_and_its_cure() -> None:
    lines = [
        line.replace("4ABCDEF012", f"4ABCDEF{number:03}")
        for number in range(4)
        for line in (WITHIN if number % 2 else ACROSS)
    ]
    (note,) = report.report(read(lines), (None, None)).findings
    assert (note.receiver, note.family, note.cause) == ("google", "ipv6", "ipv6-ptr-or-auth")
    assert note.says.startswith(
        "Gmail / Google Workspace: 4 put off over IPv4 came back for good over IPv6; over IPv4 alone"
    )
    assert note.command == "mailmend fix"


def test_what_was_answered_is_let_go_and_nothing_is_counted_twice() -> None:
    """Thirty thousand messages put off, of which each comes back in the next part of the log."""
    count, each = 30_000, 10_000
    whole = report.Tally()
    starts = list(accumulate([each] * (count // each), initial=0))[:-1]
    for start in starts:
        numbers = range(start, start + each)
        first = [outcome(1, V4, "deferred", LATER, queue=f"4A{n:08X}") for n in numbers]
        then = [outcome(400, V6, "bounced", AUTH, queue=f"4A{n:08X}") for n in numbers]
        for lines in (first, then):
            scanner, counted = Scanner(by=tally.BY), tally.Tally()
            counted.add(scanner.scan("".join(f"{line}\n" for line in lines).encode()), scanner, KNOWN)
            whole.update(counted, Senders())
    assert whole.through.fell == {IPV6: count}
