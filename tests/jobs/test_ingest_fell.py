"""What one family put off and the other refused is in the store once, whoever was killed in between, and wherever."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jobs.kill_driver import There, there
from mailmend.jobs import ingest as job
from mailmend.system.store import identity, schema
from mailmend.system.store.write import Writer
from road.test_through import ACROSS, AUTH, LATER, V4, V6, WITHIN, on_the_way, outcome

IN_BOTH = [on_the_way(1, V4), outcome(2, V6, "deferred", LATER), outcome(301, V6, "bounced", AUTH, pid=99)]


@pytest.fixture
def here(tmp_path: Path) -> There:
    (tmp_path / "log").mkdir()
    return there(tmp_path / "state", tmp_path / "log" / "mail.log")


def rows(here: There, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(schema.file(job.folder(here)))) as db:
        return db.execute(query).fetchall()


def fell(here: There) -> list[tuple[object, ...]]:
    return rows(here, "select receiver, family, cause, sum(count) from fell group by 1, 2, 3")


def each_by_another(here: There, lines: list[str], rotated: int | None = None) -> None:
    """Each line is taken in by a process of its own; before that of number *rotated* a new log is begun."""
    text = ""
    for number, line in enumerate(lines):
        if number == rotated:
            here.path.rename(here.path.with_name("mail.log.1"))
            text = ""
        text += f"{line}\n"
        here.path.write_text(text)
        job.ingest([], here)


# ---- what must not be told ----------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [on_the_way(1, V6), outcome(1, V6, "bounced", AUTH)],
        [outcome(1, V6, "deferred", LATER), outcome(301, V6, "bounced", AUTH)],
        [on_the_way(1, V4, pid=78), outcome(1, V6, "bounced", AUTH, pid=77)],
        [outcome(1, V4, "deferred", LATER, to="b@gmail.com"), outcome(9, V6, "bounced", AUTH)],
        [outcome(1, V4, "deferred", LATER), outcome(9, V6, "bounced", AUTH).replace(" mx1 ", " mx2 ")],
    ],
)
def test_nothing_fell_through(here: There, lines: list[str]) -> None:
    each_by_another(here, lines)
    assert fell(here) == []


def test_what_came_back_is_put_off_no_more(here: There) -> None:
    """A queue id that is used anew is another message."""
    each_by_another(here, [*ACROSS, outcome(900, V6, "bounced", AUTH, pid=101)])
    assert fell(here) == [("google", 6, "ipv6-ptr-or-auth", 1)]
    assert rows(here, "select * from put_off") == []


def test_what_was_not_kept_is_not_remembered(here: There) -> None:
    """Another was faster, or the disk was full: what it told of mail put off is not in the store either."""
    here.path.write_text(f"{ACROSS[0]}\n")
    with closing(Writer(job.folder(here))) as writer:
        intake = job._Intake(writer)
        with identity.open_log(here.path) as log:
            reading = identity.resume(log, writer.known)
            assert reading
            for block in reading.blocks():
                intake.gather.block(block, reading.dated)
            here.path.write_text("")  # cut, so that nobody can say what was read
            intake.gather.cut(reading.reached)
            assert not intake._keep(reading, 0, wait=True)
    assert rows(here, "select * from put_off") == []


# ---- what must ----------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [WITHIN, ACROSS, IN_BOTH], ids=["within", "across", "in both"])
@pytest.mark.parametrize("rotated", [None, 1, 2])
def test_one_came_back_whoever_read_the_rest(here: There, lines: list[str], rotated: int | None) -> None:
    each_by_another(here, lines, rotated)
    assert fell(here) == [("google", 6, "ipv6-ptr-or-auth", 1)]


def test_what_is_long_ago_in_the_log_is_known_all_the_same(
    here: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was before is read again only a little way back; what was put off may be days old."""
    monkeypatch.setattr(job, "WARM", 300)
    noise = [outcome(30, V4, "sent", "250 ok", queue=f"4ABCDE{n:04}", to=f"u{n}@gmail.com") for n in range(9)]
    each_by_another(here, [*IN_BOTH[:2], *noise, IN_BOTH[2]])
    assert fell(here) == [("google", 6, "ipv6-ptr-or-auth", 1)]


def test_the_sender_is_known_of_mail_that_was_under_way_when_the_log_was_rotated(here: There) -> None:
    taken_up = "Nov 22 10:00:00 mx1 postfix/qmgr[9]: 4ABCDEF012: from=<ann@example.com>, size=1, nrcpt=1 (queue active)"
    each_by_another(here, [taken_up, outcome(1, V6, "bounced", AUTH)], rotated=1)
    assert rows(here, "select sender, name from failed join names on names.id=sender_domain") == [
        ("ann", "example.com")
    ]


@pytest.mark.parametrize(
    ("lines", "most", "kept"),
    [
        (b"", 4, b""),
        (b"one\ntwo\n", 8, b"one\ntwo\n"),
        (b"one\ntwo\n", 7, b"two\n"),
        (b"one\ntwo\n", 4, b"two\n"),
        (b"one\ntwo\n", 3, b""),
        (b"no end", 3, b""),
    ],
)
def test_half_a_line_is_none(lines: bytes, most: int, kept: bytes) -> None:
    assert identity.last_lines(lines, most) == kept
