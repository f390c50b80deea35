"""On hosts without systemd: an init script, `postfix start`, a supervisor, a container, several instances.

Each in the lab, on real Postfix: what is said to be activated is seen to run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.lab
MAIN = "/etc/postfix/main.cf"
SCRIPT = "/etc/init.d/postfix"
POLICY = "/usr/sbin/policy-rc.d"
RUNSV = "/usr/local/sbin/runsv"
STALE = "nameserver 192.0.2.53\n"
INNER = "/var/spool/postfix/etc/resolv.conf"
BOTH, IPV4 = {"0.0.0.0:25", "[::]:25"}, {"0.0.0.0:25"}
MAILMEND = (sys.executable, "-P", "-m", "mailmend", "--json")
KLUDGE = ("fix", "--yes", "--confirm", "--remedy", "ipv4-only")
NARROW = ("fix", "--yes", "--remedy", "ipv4-client")


@pytest.fixture
def relay(lab: Any) -> Iterator[Any]:
    lab.reset()
    script = lab.relay.read(SCRIPT)
    yield lab.relay
    # First who would start it anew, then what the lab does not see as its own: a container's.
    for pid in (*kept(lab.relay), *masters(lab.relay)):
        lab.relay.run(["kill", "-KILL", str(pid)])
    lab.relay.run(
        ["rm", "-rf", POLICY, RUNSV, "/etc/postfix-out", "/var/spool/postfix-out", "/var/lib/postfix-out"]
    )
    lab.relay.write(SCRIPT, script, 0o755)
    lab.relay.stop()


def answer(relay: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = relay.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def listening(relay: Any, port: int = 25) -> set[str]:
    sockets = {line.split()[3] for line in relay.run(["ss", "-Hlnt"]).stdout.splitlines()}
    return {socket for socket in sockets if socket.endswith(f":{port}")}


def masters(relay: Any) -> set[int]:
    """Those that are no child of another: until it becomes a daemon, a child has its name."""
    rows = [
        line.split() for line in relay.run(["ps", "-C", "master", "-o", "pid=,ppid="]).stdout.splitlines()
    ]
    pids = {int(pid) for pid, _ in rows}
    return {int(pid) for pid, parent in rows if int(parent) not in pids}


def kept(relay: Any) -> set[int]:
    """The supervisors."""
    return {int(pid) for pid in relay.run(["pgrep", "-x", "runsv"]).stdout.split()}


GREETED = "import socket; print(socket.create_connection(('127.0.0.1', 25), 20).recv(99).decode())"


def up(relay: Any) -> None:
    """Postfix was started by others than the lab: wait until it listens, and greets."""
    until(lambda: listening(relay) == BOTH)
    until(lambda: relay.run([sys.executable, "-c", GREETED]).stdout.startswith("220 "), 60)


def until(holds: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not so after {seconds} s"
        time.sleep(0.02)


# ---- a container: `postfix start-fg` is process 1 -------------------------------------------


@pytest.fixture
def container(relay: Any) -> Any:
    """The relay with Postfix as the first process of a PID namespace; `inside` runs mailmend in it."""
    alone = [
        "unshare",
        "--pid",
        "--mount",
        "--propagation",
        "unchanged",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    relay.run(["setsid", "--fork", *alone, "postfix", "start-fg"])
    up(relay)
    (outside,) = masters(relay)
    inside = ["nsenter", f"--target={outside}", "--pid", "--mount", "--root", "--"]
    assert relay.run([*inside, "cat", "/proc/1/comm"]).stdout == "master\n"

    def run(*arguments: str, code: int) -> dict[str, Any]:
        done = relay.run([*inside, *MAILMEND, *arguments])
        assert done.returncode == code, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    relay.inside = run
    return relay


def test_a_restart_that_would_end_the_container_is_refused_and_nothing_is_touched(container: Any) -> None:
    text, before = container.read(MAIN), masters(container)
    refused = container.inside(*KLUDGE, code=4)["error"]
    assert "process 1 of this container" in refused["reason"]
    assert "docker restart relay" in refused["next_step"]
    assert container.read(MAIN) == text
    assert (masters(container), listening(container)) == (before, BOTH)
    assert container.inside("history", code=0)["records"] == []


def test_a_reload_is_possible_and_proven_in_a_container(container: Any) -> None:
    before = masters(container)
    fixed = container.inside(*NARROW, code=0)
    assert fixed["state"] == "kept"
    assert fixed["proof"]["holds"]
    assert container.inside("undo", code=0)["identical"]
    assert masters(container) == before


def test_what_only_a_restart_loads_is_told_to_whoever_saved_it_in_a_container(container: Any) -> None:
    container.run(["postconf", "-e", "inet_protocols=ipv4"])
    before = masters(container)
    refused = container.inside("apply", code=4)["error"]
    assert "docker restart relay" in refused["next_step"]
    assert masters(container) == before


# ---- a supervisor ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_supervisor_starts_it_anew_and_that_is_what_is_proven(relay: Any) -> None:
    """As runsv(8) does: whatever it keeps is started again whenever it ends."""
    relay.write(RUNSV, "#!/bin/sh\nwhile :; do postfix start-fg; sleep 0.1; done\n", 0o755)
    relay.run(["setsid", "--fork", RUNSV])
    up(relay)
    before = masters(relay)
    answer(relay, *NARROW)
    assert masters(relay) == before
    answer(relay, *KLUDGE)
    after = masters(relay)
    assert len(after) == 1
    assert after != before
    assert listening(relay) == IPV4
    (pid,) = after
    assert "-s" in relay.run(["cat", f"/proc/{pid}/cmdline"]).stdout.split("\0")
    assert answer(relay, "undo")["identical"]
    assert listening(relay) == BOTH


# ---- an init script, and none ----------------------------------------------------------------


def test_with_debians_init_script_a_restart_fills_the_chroot_as_the_script_does(relay: Any) -> None:
    relay.start()
    relay.write(INNER, STALE)
    before = masters(relay)
    answer(relay, *KLUDGE)
    assert relay.read(INNER) == relay.read("/etc/resolv.conf")
    assert len(masters(relay)) == 1
    assert masters(relay) != before
    assert listening(relay) == IPV4


def test_a_policy_that_forbids_init_scripts_does_not_make_a_restart_that_never_was(relay: Any) -> None:
    """Under it `invoke-rc.d postfix restart` does nothing and returns 0, as in every image that is built."""
    relay.write(POLICY, "#!/bin/sh\nexit 101\n", 0o755)
    relay.start()
    before = masters(relay)
    answer(relay, *KLUDGE)
    assert masters(relay) != before
    assert listening(relay) == IPV4


def test_a_postfix_that_was_only_ever_started_by_hand(relay: Any) -> None:
    relay.run(["rm", SCRIPT])
    relay.run(["postfix", "start"])
    up(relay)
    before = masters(relay)
    answer(relay, *KLUDGE)
    assert masters(relay) != before
    assert listening(relay) == IPV4
    assert answer(relay, "undo")["identical"]
    assert listening(relay) == BOTH


# ---- several instances -----------------------------------------------------------------------


@pytest.mark.slow
def test_one_of_two_instances_is_changed_and_the_other_keeps_its_master(relay: Any) -> None:
    """Plain `postfix stop` would end both."""
    for name in ("main.cf", "master.cf"):
        relay.run(["cp", f"/usr/share/postfix/{name}.dist", f"/etc/postfix/{name}.proto"])
    relay.run(["postmulti", "-e", "init"])
    made = relay.run(["postmulti", "-I", "postfix-out", "-e", "create"])
    assert made.returncode == 0, made.stderr
    out = "/etc/postfix-out"
    relay.run(
        ["postconf", "-c", out, "-e", "master_service_disable=", "inet_protocols=all", "inet_interfaces=all"]
    )
    master = relay.read(f"{out}/master.cf")
    relay.write(f"{out}/master.cf", master.replace("smtp      inet", "2525      inet", 1))
    relay.run(["postmulti", "-i", "postfix-out", "-e", "enable"])
    aged = ["find", "/etc/postfix", out, "-name", "*.cf", "-exec", "touch", "-d", "1 minute ago", "{}", "+"]
    relay.run(aged)
    relay.run(["postfix", "start"])
    until(lambda: listening(relay) == BOTH and len(listening(relay, 2525)) == 2)
    other = relay.read("/var/spool/postfix-out/pid/master.pid").strip()
    answer(relay, *KLUDGE)
    assert listening(relay) == IPV4
    assert relay.read("/var/spool/postfix-out/pid/master.pid").strip() == other
    assert int(other) in masters(relay)
    assert len(listening(relay, 2525)) == 2
    main = relay.read("/var/spool/postfix/pid/master.pid").strip()
    answer(relay, "fix", "--config-directory", out, "--yes", "--confirm", "--remedy", "ipv4-only")
    assert relay.read("/var/spool/postfix/pid/master.pid").strip() == main
    assert int(other) not in masters(relay)
    assert listening(relay, 2525) == {"0.0.0.0:2525"}
