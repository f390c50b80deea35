"""Files, folders, mailboxes: what is in them comes one message at a time, and what is left out is said."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailmend.model import ParseError
from mailmend.ui import given
from mailmend.ui.cli import mailmend

SAMPLES = Path(__file__).parent.parent / "samples"
REFUSED = (SAMPLES / "forward-refused.eml").read_bytes()
LETTER = b"From: anna@example.net\nTo: reader@example.com\nSubject: lunch\n\nAt noon?\n"
POSTMARK = b"From MAILER-DAEMON Sun Nov 22 09:00:01 2026\n"


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for box in ("new", "cur", "tmp"):
        (tmp_path / box).mkdir()
    (tmp_path / "new" / "1").write_bytes(REFUSED)
    (tmp_path / "cur" / "2:2,S").write_bytes(LETTER)
    (tmp_path / "cur" / "empty").write_bytes(b"")
    (tmp_path / "tmp" / "half").write_bytes(REFUSED[:100])
    return tmp_path


def test_a_folder_without_mail_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("myhostname = relay.example.org\n")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "a.eml").write_bytes(REFUSED)
    with pytest.raises(ParseError, match="is a directory with no mail in it"):
        list(given.every([str(tmp_path)]))


def test_a_maildir_is_its_new_and_its_read_messages(maildir: Path) -> None:
    assert [data for _, data in given.every([str(maildir)])] == [REFUSED, LETTER]
    assert given.several([str(maildir)])


def test_a_folder_of_files_that_are_mail(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(REFUSED)
    (tmp_path / "b.txt").write_bytes(b"550 5.1.1 no such user")
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\0\0")
    (tmp_path / ".hidden.eml").write_bytes(REFUSED)
    (tmp_path / "d.mbox").write_bytes(POSTMARK + REFUSED + b"\n" + POSTMARK + LETTER)
    names = [Path(name).name for name, _ in given.every([str(tmp_path)])]
    assert names == ["a", "b.txt", "d.mbox, message 1", "d.mbox, message 2"]


def test_of_a_message_larger_than_a_megabyte_the_beginning_is_read_and_it_is_said(
    tmp_path: Path,
) -> None:
    file = tmp_path / "large.eml"
    file.write_bytes(REFUSED.replace(b"See you on Monday.", b"See you.\n" * 700_000))
    told = CliRunner().invoke(mailmend, ["--json", "explain", str(file)])
    notice = f"{file}: larger than 1 MB: the first 1 MB of it was read"
    assert notice in told.stderr
    document = json.loads(told.stdout)
    assert document["notices"] == [notice]
    assert [each["recipient"] for each in document["refusals"]] == ["reader@example.com", "other@example.com"]


def test_a_packed_log_or_mailbox_is_unpacked(tmp_path: Path) -> None:
    box = POSTMARK + REFUSED + b"\n" + POSTMARK + LETTER
    (tmp_path / "box.gz").write_bytes(gzip.compress(box[:100]) + gzip.compress(box[100:]))
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(b"550 5.1.1 no such user\n"))
    names = [Path(name).name for name, _ in given.every([str(tmp_path)])]
    assert names == ["box.gz, message 1", "box.gz, message 2", "mail.log.2.gz"]
    assert [data for _, data in given.every([str(tmp_path / "mail.log.2.gz")])] == [
        b"550 5.1.1 no such user\n"
    ]


def test_of_what_was_packed_and_broke_the_beginning_is_read_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    packed = gzip.compress(REFUSED * 50)
    (tmp_path / "broken.gz").write_bytes(packed[: len(packed) // 2] + b"\xff" * 300)
    [(_, data)] = given.every([str(tmp_path / "broken.gz")], said.append)
    assert data.startswith(REFUSED[:500])
    assert said == [f"{tmp_path}/broken.gz is broken: what gzip could unpack of it was read"]
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b" + b"\xff" * 300)
    with pytest.raises(ParseError, match="packed by gzip, and broken"):
        list(given.every([str(tmp_path / "broken.gz")]))


def test_a_bomb_is_unpacked_no_further_than_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"550 5.7.1 " * 20_000_000, 1))
    begun = time.process_time()
    [(_, data)] = given.every([str(tmp_path / "bomb.gz")])
    assert len(data) == given.MOST
    assert time.process_time() - begun < 0.5


def test_a_large_log_is_not_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mail.log"
    file.write_bytes(b"Nov 22 09:00:00 relay postfix/master[1]: daemon started\n" * 30_000)
    [(_, data)] = given.every([str(file)])
    assert len(data) == file.stat().st_size
    assert capsys.readouterr().err == ""


def test_one_unreadable_message_of_many_is_left_out_and_named(maildir: Path) -> None:
    (maildir / "cur" / "bad").write_bytes(b"\0\1\2")
    result = CliRunner().invoke(mailmend, ["explain", str(maildir)])
    assert result.exit_code == 0
    assert "cur/bad is left out: byte 0: binary" in result.stderr
    assert "reader@example.com" in result.stdout


def test_a_mailbox_on_standard_input_is_read_like_one_on_disk(tmp_path: Path) -> None:
    data = POSTMARK + REFUSED + b"\n" + POSTMARK + LETTER
    (tmp_path / "box").write_bytes(data)
    piped = CliRunner().invoke(mailmend, ["--json", "explain", "-"], input=data)
    on_disk = CliRunner().invoke(mailmend, ["--json", "explain", str(tmp_path / "box")])
    assert piped.stdout == on_disk.stdout
    assert piped.exit_code == 0
