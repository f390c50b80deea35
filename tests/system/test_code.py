"""mailmend runs as root only what nobody else can change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mailmend
from mailmend.system import code

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a folder of root's alone."""
    place = tmp_path / "src" / "mailmend"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("")
    monkeypatch.setattr(mailmend, "__file__", str(place / "__init__.py"))
    monkeypatch.delenv("SUDO_UID", raising=False)
    return place


def test_what_is_roots_alone_is_trusted_even_below_a_sticky_folder(package: Path) -> None:
    assert code.open_to_others() is None


def test_the_person_behind_sudo_is_trusted(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(package, 1234, 1234)
    monkeypatch.setenv("SUDO_UID", "1234")
    assert code.open_to_others() is None


@pytest.mark.parametrize("mode", [0o777, 0o775], ids=["others", "group"])
def test_a_folder_that_others_write_is_named(package: Path, mode: int) -> None:
    os.chown(package, 0, 1234)
    package.chmod(mode)
    assert code.open_to_others() == str(package)


def test_a_file_of_another_user_is_named(package: Path) -> None:
    os.chown(package / "__init__.py", 1234, 1234)
    assert code.open_to_others() == str(package / "__init__.py")
