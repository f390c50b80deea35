"""Is it running, since when, and on which sockets? Asked of real processes, never of a pid file alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailmend.model import CannotLook
from mailmend.questions import Bindable, Greeting, Running
from mailmend.system import host, listeners
from mailmend.system.postfix import Configuration

NOBODY = Running(None, None, None)
HAS_IPV6 = any(a.ip == "::1" for a in host.addresses())


class Fixed(Configuration):
    """A configuration of which only the directories matter here."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / "etc"))
        self.queue = folder / "queue"

    def value(self, name: str) -> str:
        return {"queue_directory": str(self.queue)}[name]


@pytest.fixture
def here(tmp_path: Path) -> Fixed:
    for folder in ("etc", "queue/pid", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    return Fixed(tmp_path)


@contextmanager
def running(program: str, script: str, cwd: Path, **environment: str) -> Iterator[int]:
    """A process whose executable is called *program*: Python under another name."""
    binary = cwd.parent / "bin" / program
    if not binary.exists():
        shutil.copy2(Path(sys.executable).resolve(), binary)
    process = subprocess.Popen(
        [str(binary), "-S", "-c", script],
        cwd=cwd,
        env={"PYTHONHOME": sys.base_prefix, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
LISTEN = """
import socket, time
four = socket.create_server(("127.0.0.1", 0), family=socket.AF_INET)
six = socket.create_server(("::1", four.getsockname()[1]), family=socket.AF_INET6) if {ipv6} else None
client = socket.create_connection(four.getsockname())   # an open session is no listener
print("ready", flush=True)
time.sleep(60)
"""


def write_pid(configuration: Fixed, pid: int) -> None:
    (configuration.queue / "pid/master.pid").write_text(f"{pid:10d}\n")


# ---- not running ------------------------------------------------------------------------------


def test_no_pid_file(here: Fixed) -> None:
    assert listeners.master(here) == NOBODY
    assert listeners.listeners(here) == ()


@pytest.mark.parametrize("text", ["", "garbage\n", "-1\n", "0\n", "99999999\n"])
def test_a_pid_file_that_names_nobody(here: Fixed, text: str) -> None:
    (here.queue / "pid/master.pid").write_text(text)
    assert listeners.master(here) == NOBODY


def test_a_stale_pid_file_that_names_somebody_else(here: Fixed) -> None:
    write_pid(here, os.getpid())
    assert listeners.master(here) == NOBODY


def test_a_master_that_works_elsewhere_is_another_instance(here: Fixed, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with running("master", SLEEP, tmp_path / "other") as pid:
        write_pid(here, pid)
        assert listeners.master(here) == NOBODY


# ---- running ------------------------------------------------------------------------------------


def test_a_running_master_with_its_start(here: Fixed) -> None:
    before = datetime.now(UTC)
    with running("master", SLEEP, here.queue) as pid:
        write_pid(here, pid)
        found = listeners.master(here)
    assert (found.pid, found.reloaded) == (pid, None)
    assert found.since and before - timedelta(seconds=0.1) <= found.since <= datetime.now(UTC)


def test_the_queue_managers_start_is_the_last_reload(here: Fixed) -> None:
    manager = here.queue.parent / "bin/qmgr"
    shutil.copy2(Path(sys.executable).resolve(), manager)
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([{str(manager)!r}, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print('ready', flush=True)\n"
        "try: time.sleep(60)\n"
        "finally: child.kill()\n"
    )
    with running("master", script, here.queue) as pid:
        write_pid(here, pid)
        deadline = time.monotonic() + 5
        while (found := listeners.master(here)).reloaded is None and time.monotonic() < deadline:
            time.sleep(0.05)
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), 9)
    assert found.since and found.reloaded and found.reloaded >= found.since


def test_a_master_whose_queue_directory_was_edited_meanwhile(here: Fixed, tmp_path: Path) -> None:
    (tmp_path / "old-queue").mkdir()
    with running("master", SLEEP, tmp_path / "old-queue", MAIL_CONFIG=str(tmp_path / "etc")) as pid:
        assert listeners.master(here).pid == pid


def test_listeners_with_pid_and_descriptor(here: Fixed) -> None:
    with running("master", LISTEN.format(ipv6=HAS_IPV6), here.queue) as pid:
        write_pid(here, pid)
        found = listeners.listeners(here)
        links = {s.fd: str(Path(f"/proc/{pid}/fd/{s.fd}").readlink()) for s in found}
    assert [s.address for s in found] == (["127.0.0.1", "::1"] if HAS_IPV6 else ["127.0.0.1"])
    assert {s.pid for s in found} == {pid} and len({s.port for s in found}) == 1
    assert all(link.startswith("socket:[") for link in links.values())


def test_a_socket_of_another_process_is_not_masters(here: Fixed) -> None:
    with socket.create_server(("127.0.0.1", 0)), running("master", SLEEP, here.queue) as pid:
        write_pid(here, pid)
        assert listeners.listeners(here) == ()


@pytest.mark.skipif(shutil.which("ss") is None, reason="no ss(8) here")
def test_the_listing_that_a_person_knows() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert f"127.0.0.1:{server.getsockname()[1]}" in listeners.socket_listing()


# ---- the greeting ---------------------------------------------------------------------------------


@contextmanager
def answering(*parts: bytes) -> Iterator[Greeting]:
    """A server that says *parts* one after the other to its first client, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                for part in parts:
                    client.sendall(part)
                    time.sleep(0.05)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Greeting("127.0.0.1", server.getsockname()[1])
        thread.join()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(CannotLook, match=rf"127\.0\.0\.1:{port}: Connection refused"):
        listeners.greeting(Greeting("127.0.0.1", port))


def test_a_server_that_hangs_up() -> None:
    with answering() as question, pytest.raises(CannotLook, match="closed the connection without a greeting"):
        listeners.greeting(question)


def test_a_server_that_keeps_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "_GREETING_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        question = Greeting("127.0.0.1", server.getsockname()[1])
        with pytest.raises(CannotLook, match=r"did not greet within 0\.3 s"):
            listeners.greeting(question)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((b"220 relay.example.org ESMTP\r\n",), id="one-line"),
        pytest.param((b"220 relay.exam", b"ple.org ESMTP\r\n"), id="in-pieces"),
        pytest.param((b"220 relay.example.org ESMTP\r\n220 more\r\n",), id="only-the-first-line"),
    ],
)
def test_the_greeting_is_its_first_line(parts: tuple[bytes, ...]) -> None:
    with answering(*parts) as question:
        assert listeners.greeting(question) == "220 relay.example.org ESMTP"


# ---- whether a socket could be bound ---------------------------------------------------------


def test_what_is_free_is_bindable_and_free_afterwards() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert listeners.bindable(Bindable("127.0.0.1", port)) == ""
    with socket.socket() as after:
        after.bind(("127.0.0.1", port))


def test_what_somebody_listens_on_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert listeners.bindable(Bindable("127.0.0.1", port)) == "Address already in use"
        assert listeners.bindable(Bindable("0.0.0.0", port)) == "Address already in use"


@pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here")
def test_ipv6_stands_beside_ipv4_on_one_port() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        assert listeners.bindable(Bindable("::", taken.getsockname()[1])) == ""


@pytest.mark.parametrize(
    ("address", "port", "says"),
    [
        ("192.0.2.99", 2525, "Cannot assign requested address"),
        ("127.0.0.1", 70000, "port must be 0-65535"),
        ("no address", 25, "not known"),
    ],
)
def test_what_cannot_be_bound_says_why(address: str, port: int, says: str) -> None:
    assert says in listeners.bindable(Bindable(address, port))
