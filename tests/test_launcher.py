"""An operator clones mailmend onto a machine and runs ./mailmend: it sets itself up, or says in one line why not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
# What every Debian and Ubuntu has (coreutils), and nothing else.
ESSENTIAL = ("sh", "dirname", "readlink", "cat", "sha256sum", "id")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone, and a PATH that has only the essential tools."""
    place = tmp_path / "a clone"
    shutil.copytree(REPOSITORY / "requirements", place / "requirements")
    shutil.copy(REPOSITORY / "mailmend", place)
    (tmp_path / "bin").mkdir()
    for name in ESSENTIAL:
        found = shutil.which(name)
        assert found
        # A copy of the program, never a link to it: a test that writes here must not reach the host's own.
        shutil.copy2(found, tmp_path / "bin" / name)
    return place


def launch(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "mailmend", *arguments],
        env={"PATH": str(clone.parent / "bin")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def tool(clone: Path, name: str, script: str) -> None:
    path = clone.parent / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def python(clone: Path) -> None:
    """A stand-in for Python whose environments and packages are there at once; it notes what it is asked."""
    note = f'printf "%s\\n" "$*" >>"{clone.parent}/asked"'
    make = f'case "$*" in *"-m venv"*) mk "{clone}/.venv";; *purelib*) echo "{clone.parent}";; esac'
    tool(clone, "python3", f"{note}\n{make}")
    link = f'ln -s "{clone.parent}/bin/python3" "$1/bin/python"'
    tool(clone, "mk", f'PATH=/usr/bin:/bin; mkdir -p "$1/bin"; {link}')


def asked(clone: Path) -> list[str]:
    path = clone.parent / "asked"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [line for line in lines if line.startswith(("-m", "-P -m"))]


def test_without_python_it_says_what_to_install(clone: Path) -> None:
    done = launch(clone, "check")
    assert done.returncode == 3
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "needs Python 3.11 or later" in done.stderr


def test_an_older_python_is_none(clone: Path) -> None:
    tool(clone, "python3", "exit 1")
    assert "needs Python 3.11 or later" in launch(clone, "check").stderr


def test_a_user_of_debian_is_told_the_package(clone: Path) -> None:
    tool(clone, "apt-get", "exit 1")
    tool(clone, "id", "echo 1000")
    assert "apt-get install python3-venv" in launch(clone, "check").stderr


def test_a_first_run_installs_by_hash_and_a_second_one_installs_nothing(clone: Path) -> None:
    python(clone)
    assert launch(clone, "check", "example.org").returncode == 0
    first = asked(clone)
    assert all("--require-hashes" in line for line in first if " install " in line)
    assert [line for line in first if line.endswith("requirements/run.txt")]
    assert first[-1] == "-P -m mailmend check example.org"
    launch(clone, "check", "example.org")
    assert asked(clone) == ["-P -m mailmend check example.org"]


def test_a_changed_lock_is_installed_anew(clone: Path) -> None:
    python(clone)
    launch(clone, "check")
    asked(clone)
    with (clone / "requirements/run.txt").open("a") as lock:
        lock.write("# newer\n")
    launch(clone, "check")
    assert any(line.endswith("requirements/run.txt") for line in asked(clone))


def test_the_demo_needs_the_lab_wherever_the_word_stands(clone: Path) -> None:
    python(clone)
    launch(clone, "--json", "demo")
    assert any(line.endswith("requirements/lab.txt") for line in asked(clone))


def test_the_console_needs_its_packages_and_nothing_of_the_lab(clone: Path) -> None:
    python(clone)
    launch(clone, "web")
    told = asked(clone)
    assert any(line.endswith("requirements/web.txt") for line in told)
    assert not any(line.endswith("requirements/lab.txt") for line in told)


def test_the_larger_set_serves_the_smaller_one(clone: Path) -> None:
    python(clone)
    launch(clone, "demo")
    asked(clone)
    launch(clone, "check")
    assert asked(clone) == ["-P -m mailmend check"]


def test_a_failed_installation_is_one_line_at_the_end_and_is_tried_again(clone: Path) -> None:
    python(clone)
    tool(
        clone,
        "python3",
        (clone.parent / "bin/python3").read_text() + '\ncase "$*" in *" install "*) exit 1;; esac',
    )
    for _ in range(2):
        done = launch(clone, "check")
        assert done.returncode == 3
        assert "could not be installed; the first run needs the network" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["build", "run", "lab", "web", "test"])
def test_a_lock_holds_hashes_and_no_address_of_an_index(name: str) -> None:
    text = (REPOSITORY / f"requirements/{name}.txt").read_text()
    entries = [line for line in text.splitlines() if "==" in line]
    assert entries
    assert all(line.endswith(" \\") for line in entries), "each is followed by its hashes"
    assert not any(word in text for word in ("://", "file:/", "--index", "--find-links", "/home/", "/root/"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own: needs root")
def test_the_second_run_needs_no_network() -> None:
    if not (REPOSITORY / ".venv/.test").exists() and not (REPOSITORY / ".venv/.run").exists():
        pytest.skip("./mailmend has not been run here yet")
    done = subprocess.run(
        ["unshare", "--net", REPOSITORY / "mailmend", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mailmend ")


def test_code_in_the_current_directory_is_not_run(clone: Path, tmp_path: Path) -> None:
    """As root, a folder of somebody else's is no place to take modules from."""
    python(clone)
    launch(clone, "check")
    assert "-P -m mailmend check" in asked(clone)
