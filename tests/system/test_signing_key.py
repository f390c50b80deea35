"""A key is made once, for one pair of eyes, and what is there already is never touched."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

import pytest

from mailmend.model import Refused
from mailmend.parse import opendkim
from mailmend.system import host, signing_key

USER = getpass.getuser()


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    key, record = tmp_path / "mailmend.private", tmp_path / "mailmend.txt"
    key.write_text("mine")
    record.write_text("mine too")
    assert signing_key.make(key, "mailmend", USER) is False
    assert (key.read_text(), record.read_text()) == ("mine", "mine too")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """The folder is opendkim's, who must not have root read or write elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("nobody's key")
    (tmp_path / "mailmend.private").symlink_to(elsewhere)
    with pytest.raises(Refused):
        signing_key.make(tmp_path / "mailmend.private", "mailmend", USER)
    assert elsewhere.read_text() == "nobody's key"
    assert not (tmp_path / "mailmend.txt").exists()


def test_a_user_or_a_folder_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no user nobody-of-that-name"):
        signing_key.make(tmp_path / "k.private", "k", "nobody-of-that-name")
    with pytest.raises(Refused, match="cannot be opened"):
        signing_key.make(tmp_path / "none/k.private", "k", USER)


def test_where_openssl_is_missing_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "environment", lambda: {"PATH": str(tmp_path)})
    with pytest.raises(Refused, match=r"openssl\(1\), which makes one, is not here") as told:
        signing_key.make(tmp_path / "mailmend.private", "mailmend", USER)
    assert told.value.next_step == "apt-get install openssl"
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_for_its_owner_alone_and_the_record_is_its_public_half(tmp_path: Path) -> None:
    key, record = tmp_path / "mailmend.private", tmp_path / "mailmend.txt"
    assert signing_key.make(key, "mailmend", USER) is True
    assert key.stat().st_mode & 0o777 == 0o600
    text = opendkim.record(record.read_text())
    public = subprocess.run(
        ["openssl", "rsa", "-in", str(key), "-pubout"], capture_output=True, text=True, check=True
    ).stdout
    assert opendkim.tags(text)["p"] == "".join(public.splitlines()[1:-1])
    assert all(len(string) < 256 for string in record.read_text().split('"')[1::2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mailmend.private", "mailmend.txt"]

    record.unlink()
    before = key.read_bytes()
    assert signing_key.make(key, "mailmend", USER) is True
    assert opendkim.record(record.read_text()) == text
    assert key.read_bytes() == before
