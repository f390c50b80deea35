"""A mailbox is read message by message, whatever its size and whatever its messages quote."""

from __future__ import annotations

from pathlib import Path

from mailmend.parse import mbox, paste

REFUSED = (Path(__file__).parent.parent / "samples" / "forward-refused.eml").read_bytes()
POSTMARK = b"From MAILER-DAEMON Sun Nov 22 09:00:01 2026\n"
LETTER = b"From: anna@example.net\nTo: reader@example.com\nSubject: lunch\n\nAt noon?\n"


def split(data: bytes, most: int = 1 << 20) -> list[tuple[bytes, bool]]:
    return list(mbox.messages(data.splitlines(keepends=True), most))


def test_a_line_that_only_looks_like_a_postmark_divides_nothing() -> None:
    body = b"\nFrom now on, at 10:00, we meet.\n\nFrom anna to all, 10:30 in the garden\n\nBye\n"
    assert [data for data, _ in split(POSTMARK + LETTER + body)] == [LETTER + body]


def test_what_is_no_mailbox_does_not_begin_as_one() -> None:
    assert not mbox.begins(LETTER)
    assert not mbox.begins(b"From now on at 10:00\nwe meet\n")
    assert not mbox.begins(b"")


def test_each_message_once_and_whole() -> None:
    whole = POSTMARK + REFUSED + b"\n" + POSTMARK + LETTER + b"\n" + POSTMARK.replace(b"\n", b"\r\n") + LETTER
    assert [data.rstrip() for data, _ in split(whole)] == [REFUSED.rstrip(), LETTER.rstrip(), LETTER.rstrip()]
    assert mbox.begins(whole)


def test_all_bounces_of_a_mailbox_are_found() -> None:
    found = paste.deliveries(POSTMARK + REFUSED + b"\n" + POSTMARK + LETTER + b"\n" + POSTMARK + REFUSED)
    assert [d.recipient for d in found] == ["reader@example.com", "other@example.com"] * 2


def test_of_a_large_message_the_beginning_is_kept() -> None:
    large = LETTER + b"x" * 70 + b"\n" * 5000
    [(data, cut)] = split(POSTMARK + large, most=1000)
    assert cut
    assert large.startswith(data)
    assert 1000 <= len(data) < 1200


def test_lines_come_one_at_a_time() -> None:
    """Ten thousand messages are never in memory together."""
    taken = 0

    def lines() -> object:
        nonlocal taken
        for _ in range(10_000):
            for line in (POSTMARK + LETTER + b"\n").splitlines(keepends=True):
                taken += 1
                yield line

    first = next(iter(mbox.messages(lines(), 1000)))  # type: ignore[arg-type]
    assert first[0].rstrip() == LETTER.rstrip()
    assert taken < 20
