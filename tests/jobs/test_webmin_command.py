"""What Webmin will run as root is a command that works, and that nobody but root can change."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mailmend import __version__
from mailmend.jobs import webmin as job
from mailmend.model import Refused
from mailmend.system import webmin
from mailmend.system.host import require_roots_own

TRUE = f"#!/bin/sh\necho mailmend {__version__}\n"


@pytest.fixture
def anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the folder that the tests run in."""
    monkeypatch.setattr("mailmend.system.host.require_roots_own", lambda *_: None)


def script(folder: Path, text: str = TRUE, mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "mailmend"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (TRUE, 0o644),
        ("#!/bin/sh\nexit 126\n", 0o755),
        ("#!/bin/sh\necho mailmend 0.0.0\n", 0o755),
        ("", 0o755),
    ],
    ids=["not executable", "does not run", "another mailmend", "empty"],
)
def test_what_does_not_answer_is_no_command(tmp_path: Path, text: str, mode: int) -> None:
    assert not webmin.answers((str(script(tmp_path, text, mode)),))
    assert not webmin.answers((str(tmp_path / "none"),))


def test_the_module_file_is_never_the_command(monkeypatch: pytest.MonkeyPatch, anybody: None) -> None:
    monkeypatch.setattr(sys, "argv", [str(Path(job.__file__).parents[1] / "__main__.py"), "webmin"])
    command = job.command(None)
    assert "__main__" not in command
    # Nothing of this session: no PYTHONPATH, another folder.
    done = subprocess.run(
        [*shlex.split(command)[:-1], "--version"], env={"PATH": "/usr/bin:/bin"}, cwd="/", capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"mailmend {__version__}\n"), done.stderr


def test_an_installed_command_is_the_one_that_runs_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anybody: None
) -> None:
    path = script(tmp_path / "our bin")
    monkeypatch.setattr(sys, "argv", [str(path), "webmin"])
    assert job.command(None) == f"'{path}' apply"
    assert job.command("/etc/postfix-out") == f"'{path}' apply --config-directory /etc/postfix-out"


def test_where_nothing_answers_nothing_is_written(monkeypatch: pytest.MonkeyPatch, anybody: None) -> None:
    monkeypatch.setattr("mailmend.system.webmin.answers", lambda _: False)
    with pytest.raises(Refused, match="no way was found"):
        job.command(None)


@pytest.mark.skipif(os.geteuid() != 0, reason="what is root's can only be made by root")
@pytest.mark.parametrize(
    ("what", "mode", "owner"),
    [("file", 0o775, 0), ("file", 0o755, 65534), ("folder", 0o777, 0), ("folder", 0o755, 65534)],
)
def test_what_others_may_write_is_never_given_to_root(
    tmp_path: Path, what: str, mode: int, owner: int
) -> None:
    path = script(tmp_path / "bin")
    require_roots_own(str(path), "it will run")
    link = tmp_path / "mailmend"
    link.symlink_to(path)
    place = path if what == "file" else path.parent
    place.chmod(mode)
    os.chown(place, owner, 0)
    for name in (path, link):
        with pytest.raises(Refused, match=f"{place} may be written by others than root"):
            require_roots_own(str(name), "it will run")
