"""Who sent what, and what left the queue, is read as fast as it is truthfully."""

from __future__ import annotations

import pytest

from mailmend.parse.logscan import Scanner

STAMP = "Nov 22 10:00:00 mx1 "
TAKEN = STAMP + "postfix/qmgr[7]: 4ABCDEF0{}: from=<{}>, size=900, nrcpt=1 (queue active)"
GONE = STAMP + "postfix/qmgr[7]: 4ABCDEF0{}: removed"


def scan(scanner: Scanner, *lines: str) -> list[str]:
    return scanner.scan("".join(f"{line}\n" for line in lines).encode()).gone


def sender(scanner: Scanner, number: int = 11) -> bytes | None:
    return scanner.senders.get(f"4ABCDEF0{number}".encode())


@pytest.mark.parametrize(
    "words",
    [
        TAKEN.format(11, "evil@x.org"),
        " mx1 postfix/qmgr[7]: 4ABCDEF011: from=<evil@x.org>, size=1, nrcpt=1 (queue active)",
        "/qmgr[7]: 4ABCDEF011: from=<evil@x.org>, size=1, nrcpt=1 (queue active)",
        GONE.format(11),
        "/qmgr[7]: 4ABCDEF011: removed",
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_a_strangers_words_are_not_the_queue_managers(words: str, known: bool) -> None:
    scanner = Scanner()
    if known:  # how this log's lines begin
        scan(scanner, TAKEN.format(12, "bob@example.com"))
    for before in (
        "postfix/smtpd[1]: warning: non-SMTP command from x[192.0.2.1]: ",
        "p/smtpd[1]: x",
        "out/qmgr[1]: ",
    ):
        assert scan(scanner, TAKEN.format(11, "ann@example.com"), STAMP + before + words) == []
        assert sender(scanner) == b"ann@example.com"


@pytest.mark.parametrize(
    "stamp", ["Nov  2 10:00:00 ", "2026-11-22T10:00:00.123456+01:00 ", "2026-11-22T10:00:00Z "]
)
@pytest.mark.parametrize("tag", ["mx1 postfix", "relay2.example.net postfix-out", "mx1 postfix/out"])
def test_any_stamp_host_and_instance_is_learned(stamp: str, tag: str) -> None:
    scanner = Scanner()
    for number in range(20, 24):
        lines = (TAKEN.format(number, f"a{number}@example.com"), GONE.format(number))
        gone = scan(scanner, *(line.replace(STAMP + "postfix", stamp + tag) for line in lines))
        assert gone == [f"4ABCDEF0{number}"]
        assert sender(scanner, number) == f"a{number}@example.com".encode()


def test_more_instances_than_are_learned_are_read_too() -> None:
    scanner = Scanner()
    for _ in range(2):
        for number in range(10, 40):
            host = STAMP.replace("mx1", f"mx{number}")
            gone = scan(
                scanner,
                TAKEN.format(number, "a@b").replace(STAMP, host),
                GONE.format(number).replace(STAMP, host),
            )
            assert gone == [f"4ABCDEF0{number}"]
            assert sender(scanner, number) == b"a@b"


def test_what_the_operator_deleted_has_left_the_queue() -> None:
    scanner = Scanner()
    scan(scanner, TAKEN.format(11, "a@b"))
    assert scan(scanner, STAMP + "postfix/postsuper[9]: 4ABCDEF011: removed", GONE.format(12)) == [
        "4ABCDEF011",
        "4ABCDEF012",
    ]


def test_a_carriers_head_and_a_quoted_sender_are_read() -> None:
    scanner = Scanner()
    scan(scanner, "mail-1  | " + TAKEN.format(11, "ann@example.com"), TAKEN.format(12, '"a >b"@example.com'))
    assert (sender(scanner), sender(scanner, 12)) == (b"ann@example.com", b'"a >b"@example.com')


def test_who_sent_what_has_left_is_forgotten_two_blocks_later_unless_the_id_came_again() -> None:
    scanner = Scanner()
    scan(scanner, TAKEN.format(10, "a@b"))
    scan(scanner, TAKEN.format(11, "a@b"), GONE.format(11), TAKEN.format(14, "a@b"), GONE.format(14))
    scan(scanner, GONE.format(12), TAKEN.format(12, "new@b"), TAKEN.format(14, "new@b"))
    assert (sender(scanner, 11), sender(scanner, 12), sender(scanner, 14)) == (b"a@b", b"new@b", b"new@b")
    for number in (20, 21, 22):
        scan(scanner, TAKEN.format(number, "c@d"))
    assert (sender(scanner, 10), sender(scanner, 12), sender(scanner, 14)) == (b"a@b", b"new@b", b"new@b")
    assert sender(scanner, 11) is None
