"""The lab's Postfix is unpacked beside the host's: once, whole or not at all, and never installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailmend.lab import Lab, driver, root
from mailmend.model import CannotLook


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no lab was ever prepared."""
    monkeypatch.setattr(root, "home", lambda: tmp_path / "lab")
    return tmp_path


def tool(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.lab
def test_a_second_run_needs_no_tool_and_no_network(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root, "SEARCH", "/nonexistent")
    told: list[str] = []
    assert root.prepare(told.append) == root.prepared()
    assert told == []


@pytest.mark.lab
def test_nothing_of_it_is_installed_on_the_host(lab: Lab) -> None:
    unpacked = root.prepared()
    assert unpacked is not None
    assert (unpacked / "usr/sbin/postfix").exists()
    assert not (unpacked / "bin").exists(), "would hide the link /bin of the host"


def test_a_system_without_apt_is_told_which_one_is_needed(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "SEARCH", str(empty / "none"))
    with pytest.raises(CannotLook, match=r"the lab needs apt-get; run it on Debian 12, 13 or Ubuntu 24\.04"):
        root.prepare(print)


def test_without_the_network_it_says_so_and_leaves_no_half_root(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = empty / "bin"
    tool(
        tools,
        "apt-get",
        "echo 'W: something else' >&2; echo 'E: Unable to locate package postfix' >&2; exit 100",
    )
    tool(tools, "dpkg-deb", "exit 0")
    monkeypatch.setattr(root, "SEARCH", f"{tools}:/usr/bin:/bin")
    with pytest.raises(CannotLook, match="Unable to locate package postfix; the first run needs the network"):
        root.prepare(print)
    assert root.prepared() is None


def test_what_the_host_has_already_is_not_fetched_again(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = (
        "Reading package lists...\nREMV exim4 (4.96)\nInst cpio (2.13+dfsg-7.1 Debian:12.5/stable [amd64])\n"
        "Inst postfix [3.7.6-0+deb12u2] (3.7.11-0+deb12u1 Debian:12.5/stable [amd64]) []\nConf cpio (2.13)\n"
    )
    tools = empty / "bin"
    (empty / "told").write_text(simulation)
    tool(tools, "apt-get", f"cat {empty}/told")
    monkeypatch.setattr(root, "SEARCH", f"{tools}:/usr/bin:/bin")
    assert root._missing(["postfix"], []) == {"cpio": "2.13+dfsg-7.1", "postfix": "3.7.11-0+deb12u1"}


def older(empty: Path, monkeypatch: pytest.MonkeyPatch, complaint: str) -> Path:
    """A lab that was prepared before there was any opendmarc in it; apt-get says *complaint*."""
    tools = empty / "bin"
    tool(tools, "apt-get", f"echo 'E: {complaint}' >&2; exit 100")
    monkeypatch.setattr(root, "SEARCH", f"{tools}:/usr/bin:/bin")
    place = root._place()
    (place / "shelf/opendkim").mkdir(parents=True)
    (place / root.STAMP).write_text('{"postfix": "3.7", "postsrsd": "1.10", "opendkim": "2.11"}')
    return place


def test_an_older_lab_is_used_as_it_is_where_there_is_no_network(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = older(empty, monkeypatch, "Failed to fetch opendmarc")
    told: list[str] = []
    assert root.prepare(told.append) == place
    assert told[-1].startswith("the lab has no opendmarc yet: ")
    assert sorted(path.name for path in (place / "shelf").iterdir()) == ["opendkim"]


def test_what_the_distribution_does_not_carry_is_asked_for_once(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = older(empty, monkeypatch, "Unable to locate package opendmarc")
    assert root.prepare(lambda _step: None) == place
    told: list[str] = []
    assert root.prepare(told.append) == place
    assert told == []


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user: needs root")
def test_a_user_without_subordinate_ids_is_told_why_there_is_no_lab() -> None:
    """In a child, because a process does not get root back."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            driver._way_in()
        except CannotLook as reason:
            os.write(writer, str(reason).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    said = os.read(reader, 4096).decode()
    os.close(reader)
    assert said.startswith("the lab needs root, or ")
