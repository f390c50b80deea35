"""What this machine says of itself, held against the tools that a person would use."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from mailmend.model import CannotLook
from mailmend.questions import File, Resolve, SourceAddress
from mailmend.system import host

# ---- addresses ----------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("ip") is None, reason="no ip(8) here to compare with")
def test_the_addresses_are_those_that_ip_shows() -> None:
    shown = json.loads(subprocess.run(["ip", "-j", "addr"], capture_output=True, check=True).stdout)
    theirs = {(a["local"], i["ifname"]) for i in shown for a in i.get("addr_info", [])}
    assert {(a.ip, a.interface) for a in host.addresses()} == theirs


def test_loopback_is_told_from_the_rest() -> None:
    loopback = {a.ip for a in host.addresses() if a.loopback}
    assert "127.0.0.1" in loopback
    assert all(ip == "::1" or ip.startswith("127.") for ip in loopback)


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_the_way_to_ourselves_starts_at_ourselves(ip: str) -> None:
    if ip == "::1" and not any(a.ip == ip for a in host.addresses()):
        pytest.skip("this host has no IPv6")
    assert host.source_address(SourceAddress(ip)) == ip


@pytest.mark.parametrize("destination", ["", "mx.example.org", "192.0.2", "-1"])
def test_a_source_is_asked_for_an_address_only(destination: str) -> None:
    with pytest.raises(CannotLook, match="is not an IP address"):
        host.source_address(SourceAddress(destination))


def test_no_route_is_said_in_one_line() -> None:
    with pytest.raises(CannotLook, match=r"no route to 255\.255\.255\.255"):
        host.source_address(SourceAddress("255.255.255.255"))


# ---- files --------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_an_answer(tmp_path: Path) -> None:
    state = host.file(File(str(tmp_path / "main.cf")))
    assert (state.exists, state.text, state.link) == (False, "", None)
    assert not host.file(File("/dev/null/main.cf")).exists


@pytest.mark.parametrize("path", ["/", "/dev/null"])
def test_what_is_no_regular_file_is_not_read(path: str) -> None:
    with pytest.raises(CannotLook, match="is not a regular file"):
        host.file(File(path))


def test_a_fifo_does_not_hold_us_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CannotLook, match="is not a regular file"):
        host.file(File(str(tmp_path / "fifo")))


def test_every_byte_of_a_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_bytes(b"a = \xff\xe4\r\n\x00b\n")
    path.chmod(0o640)
    state = host.file(File(str(path)))
    assert state.text.encode("utf-8", "surrogateescape") == path.read_bytes()
    assert state.mode == 0o640 and state.modified is not None and state.modified.tzinfo
    assert state.owner.count(":") == 1


def test_a_link_is_followed_and_named(tmp_path: Path) -> None:
    (tmp_path / "real.cf").write_text("x = 1\n")
    (tmp_path / "main.cf").symlink_to("real.cf")
    state = host.file(File(str(tmp_path / "main.cf")))
    assert (state.text, state.link) == ("x = 1\n", "real.cf")


def test_a_link_to_nowhere_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "main.cf").symlink_to("gone.cf")
    state = host.file(File(str(tmp_path / "main.cf")))
    assert (state.exists, state.link) == (False, "gone.cf")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "main.cf").touch(mode=0)
    with pytest.raises(CannotLook, match=r"may not be read by .*; run it as root"):
        host.file(File(str(tmp_path / "main.cf")))


# ---- programs -------------------------------------------------------------------------------


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(CannotLook, match="mailmend-no-such-program was not found"):
        host.command(["mailmend-no-such-program"])
    assert not host.has_command("mailmend-no-such-program") and host.has_command("sh")


def test_a_program_that_hangs() -> None:
    with pytest.raises(CannotLook, match=r"sleep gave no answer within 0\.2 s"):
        host.command(["sleep", "20"], timeout=0.2)


def test_a_program_gets_our_environment_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_CONFIG", "/tmp/evil")  # noqa: S108 (a path that must not arrive)
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    names = {line.partition("=")[0] for line in host.command(["env"]).stdout.splitlines()}
    assert names == {"LC_ALL", "PATH"}


def test_a_name_is_resolved_as_the_host_does() -> None:
    assert host.resolve(Resolve("localhost", "ipv4")) == ("127.0.0.1",)
    assert "127.0.0.1" in host.resolve(Resolve("localhost"))


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*_: object) -> list[object]:
        time.sleep(0.2)
        return []

    monkeypatch.setattr(host, "RESOLVE_TIMEOUT", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    with pytest.raises(CannotLook, match=r"no answer within 0\.05 s"):
        host.resolve(Resolve("inside"))


@pytest.mark.parametrize(
    ("error", "told"),
    [(socket.EAI_NONAME, "nobody"), (socket.EAI_AGAIN, "not told"), (socket.EAI_FAIL, "not told")],
)
def test_a_name_of_nobody_is_an_answer_and_no_answer_is_none(
    monkeypatch: pytest.MonkeyPatch, error: int, told: str
) -> None:
    def fails(*_: object) -> None:
        raise socket.gaierror(error, "as the library says")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    if told == "nobody":
        assert host.resolve(Resolve("inside")) == ()
    else:
        with pytest.raises(CannotLook, match="as the library says"):
            host.resolve(Resolve("inside"))


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's own PATH is followed")
def test_as_root_nobodys_path_is_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "postconf").write_text("#!/bin/sh\necho somebody else's\n")
    (tmp_path / "postconf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin")
    assert str(tmp_path) not in host.environment()["PATH"]
