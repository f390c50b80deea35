"""Root's process behind the console, on a real Postfix: who is answered, and what nobody can do to it."""

from __future__ import annotations

import json
import random
import sys
from textwrap import dedent
from typing import Any

import pytest

from mailmend.ui.helper import verbs
from ui.helper.conftest import ASK, MAIN, PAGE, SOCKET, Asking, said, settings

pytestmark = pytest.mark.lab
NO_GRANT = "g" * 43


def test_nobody_else_on_the_host_is_answered(relay: Any, ask: Asking) -> None:
    relay.run(["chmod", "666", SOCKET])  # even where the socket's mode does not keep them out
    request = {"verb": "login", "code": ask.login_code(), "source": "::1"}
    told = said(relay, 4711, json.dumps(request).encode() + b"\n")
    # Closed before it was read: the words may be lost on the way, an answer there is none.
    assert told in (
        [],
        [{"error": {"kind": "refused", "reason": "this socket is the console's", "next_step": ""}}],
    )
    assert ask.done(**request)["grant"], "the code was not used up either"


def test_the_page_is_shown_no_code(ask: Asking) -> None:
    assert "only root" in ask.refused(verb="login-code")
    assert "only root" in ask.refused(verb="waiting")
    assert "only root" in ask.refused(verb="approval-code", session="0" * 8, digest="0" * 64)


def test_without_a_session_nothing_is_done(relay: Any, ask: Asking) -> None:
    before = relay.read(MAIN)
    for verb in (
        {"verb": "propose", "grant": NO_GRANT, "proposal": settings(inet_protocols="ipv4")},
        {"verb": "step-up", "grant": NO_GRANT, "digest": "0" * 64, "code": ask.login_code()},
        {"verb": "apply", "grant": NO_GRANT, "digest": "0" * 64},
        {"verb": "confirm", "grant": NO_GRANT, "change": "x"},
        {"verb": "status", "grant": NO_GRANT},
        {"verb": "follow", "grant": NO_GRANT},
        {"verb": "look", "grant": NO_GRANT, "of": "history"},
        {"verb": "trace", "grant": NO_GRANT, "what": "a@b.example"},
        {"verb": "report", "grant": NO_GRANT, "days": 7},
        {"verb": "keep", "grant": NO_GRANT},
        {"verb": "require", "grant": NO_GRANT},
    ):  # fmt: skip
        assert "session is over" in ask.refused(**verb), verb["verb"]
    assert relay.read(MAIN) == before


def test_root_is_no_session_either(ask: Asking) -> None:
    assert "session is over" in ask.refused(0, verb="apply", grant=NO_GRANT, digest="0" * 64)


@pytest.mark.parametrize(
    "line",
    [b"GET / HTTP/1.1\r\nHost: x\r\n", b'{"verb": "run"}\n', b"{" * 1000 + b"\n", b"x" * 70_000 + b"\n",
     b"[" * 60_000 + b"\n", b"\xff\xfe\x00\n", b'{"verb": "waiting"}\n{"verb": "waiting"}\n', b"\n",
     b'{"verb": "undo", "grant": "' + b"g" * 43 + b'", "change": "x"}\n'],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_a_line(relay: Any, line: bytes) -> None:
    (told,) = said(relay, PAGE, line)
    assert told["error"]["kind"] == "parse"


def test_a_socket_that_systemd_has_opened_is_served(relay: Any) -> None:
    given = "/run/mailmend/given.sock"
    launch = f"""
        import os, socket
        opened = socket.socket(socket.AF_UNIX)
        opened.bind("{given}.new")
        opened.listen()
        os.rename("{given}.new", "{given}")
        os.dup2(opened.fileno(), 3), os.set_inheritable(3, True)
        os.environ |= {{"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}}
        os.execv({sys.executable!r}, [{sys.executable!r}, "-P", "-m", "mailmend", "helper", "--user", "nobody"])
        """
    relay.write("/root/launch.py", dedent(launch))
    begin = f"setsid {sys.executable} /root/launch.py >/root/given 2>&1 & echo $! >/root/given.pid"
    relay.run(["sh", "-c", begin + f"; for _ in $(seq 100); do [ -S {given} ] && exit; sleep 0.05; done"])
    asked = relay.run([sys.executable, "-c", ASK, "0", given], input='{"verb": "login-code"}\n')
    assert asked.returncode == 0, asked.stderr + relay.read("/root/given")
    assert json.loads(asked.stdout)[0]["done"]["code"]
    relay.run(["sh", "-c", "kill $(cat /root/given.pid)"])


def test_who_only_connects_keeps_nobody_out(relay: Any, ask: Asking) -> None:
    idle = dedent(
        f"""
        import os, socket, sys
        os.setgroups([]), os.setgid({PAGE}), os.setuid({PAGE})
        kept = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for one in kept:
            one.connect("{SOCKET}")
        print(flush=True)
        sys.stdin.read()
        """
    )
    relay.write("/root/idle.py", idle)
    relay.run(
        ["sh", "-c", f"sleep 30 | {sys.executable} /root/idle.py >/root/idle 2>&1 & echo $! >/root/idle.pid"]
    )
    assert (
        relay.run(
            ["sh", "-c", "for _ in $(seq 100); do [ -s /root/idle ] && exit; sleep 0.05; done"]
        ).returncode
        == 0
    )
    assert ask.login_code()
    relay.run(["sh", "-c", "kill $(cat /root/idle.pid)"])


def junk(chance: random.Random) -> bytes:
    """What a process of the page that somebody has taken over may send: broken, huge, nested, cut off."""
    tags = [str(struct.__struct_config__.tag) for struct in verbs.Verb.__subclasses__()]
    grant, digest = NO_GRANT, "0" * 64
    whole = {"verb": chance.choice(tags), "grant": grant, "digest": digest, "code": "x", "change": "x"}
    some = {name: value for name, value in whole.items() if name == "verb" or chance.random() < 0.5}
    line = json.dumps(some).encode()
    return chance.choice(
        (
            chance.randbytes(chance.randrange(2000)),
            chance.choice([b"[", b'{"a":', b'"']) * chance.randrange(1, 80_000),
            b'{"verb": "login", "code": "' + b"x" * chance.randrange(200_000) + b'", "source": "a"}\n',
            line[: chance.randrange(len(line))],  # and then it goes away
            json.dumps(some | {chance.choice(["uid", "files", "text"]): [None] * 50}).encode() + b"\n",
            b"\xff" * 50 + line + b"\n",
            line + b"\n" * chance.randrange(3),
        )
    )


@pytest.mark.parametrize("seed", [6, *(pytest.param(n, marks=pytest.mark.slow) for n in range(7, 17))])
def test_whatever_is_sent_the_helper_lives_and_does_not_grow(
    relay: Any, ask: Asking, grant: str, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  (the same every time)
    sent = [junk(chance).decode("latin-1") for _ in range(400)]
    relay.write("/root/junk.json", json.dumps(sent))
    relay.write(
        "/root/junk.py",
        dedent(
            f"""
            import json, os, random, socket
            sent = json.load(open("/root/junk.json"))
            os.setgroups([]), os.setgid({PAGE}), os.setuid({PAGE})
            kept = []
            for number, text in enumerate(sent * 2):
                one = socket.socket(socket.AF_UNIX)
                one.settimeout(10)
                one.connect("{SOCKET}")
                try:
                    one.sendall(text.encode("latin-1"))
                    if number % 3:
                        one.shutdown(socket.SHUT_WR)
                        while one.recv(65536):
                            pass
                        one.close()
                    else:
                        kept.append(one)  # slow: it says no more, and stays
                except OSError:
                    pass
                while len(kept) > 10:
                    kept.pop(0).close()
            """
        ),
    )
    main = relay.read(MAIN)
    ask.done(verb="require", grant=grant)
    before = resident(relay)
    done = relay.run([sys.executable, "/root/junk.py"])
    assert done.returncode == 0, done.stderr
    ask.done(verb="require", grant=grant)
    assert relay.read(MAIN) == main
    assert resident(relay) < before + 12_000, "KiB: the requests were 800, of up to 200 KB"
    assert open_files(relay) < 30


def resident(relay: Any) -> int:
    told: str = relay.run(["sh", "-c", "grep VmRSS /proc/$(cat /root/helper.pid)/status"]).stdout
    return int(told.split()[1])


def open_files(relay: Any) -> int:
    return int(relay.run(["sh", "-c", "ls /proc/$(cat /root/helper.pid)/fd | wc -l"]).stdout)
