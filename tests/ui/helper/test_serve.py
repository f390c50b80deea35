"""Root's process behind the console, on a real Postfix: what it refuses first, then from the code to the cure."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any

import pytest

pytestmark = pytest.mark.lab

SOCKET = "/run/mailmend/helper.sock"
MAIN = "/etc/postfix/main.cf"
PAGE = 65534  # nobody: whom the console runs as here
ASK = dedent(
    """
    import json, os, socket, sys
    uid, path, line = int(sys.argv[1]), sys.argv[2], sys.stdin.buffer.read()
    if uid:
        os.setgroups([]), os.setgid(uid), os.setuid(uid)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        read = []
        try:
            connection.sendall(line)
            with connection.makefile("rb") as lines:
                for each in lines:
                    read.append(json.loads(each))
        except ConnectionError:
            pass
        print(json.dumps(read))
    """
)
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def relay(lab: Any) -> Iterator[Any]:
    lab.reset()
    lab.relay.start()
    command = f"{sys.executable} -P -m mailmend helper --user nobody"
    lab.relay.run(["sh", "-c", f"setsid {command} >/root/helper 2>&1 & echo $! >/root/helper.pid"])
    up = "for _ in $(seq 200); do [ -S " + SOCKET + " ] && exit 0; sleep 0.05; done; exit 1"
    assert lab.relay.run(["sh", "-c", up]).returncode == 0, lab.relay.read("/root/helper")
    yield lab.relay
    lab.relay.run(["sh", "-c", f"kill $(cat /root/helper.pid); rm -f {SOCKET}"])


@pytest.fixture
def ask(relay: Any) -> Ask:
    """One request by the user *uid*; the last line of what comes back."""

    def one(uid: int = PAGE, **request: Any) -> dict[str, Any]:
        return said(relay, uid, json.dumps(request).encode() + b"\n")[-1]

    return one


def said(relay: Any, uid: int, line: bytes) -> list[dict[str, Any]]:
    asked = [sys.executable, "-c", ASK, str(uid), SOCKET]
    done = relay.run(asked, input=line.decode("utf-8", "surrogateescape"))
    assert done.returncode == 0, done.stderr
    lines: list[dict[str, Any]] = json.loads(done.stdout)
    return lines


@pytest.fixture
def grant(ask: Ask) -> str:
    logged_in: str = ask(verb="login", code=code(ask), source="::1")["answer"]["grant"]
    return logged_in


def code(ask: Ask) -> str:
    """What root is shown on a terminal."""
    shown: str = ask(uid=0, verb="new-code")["answer"]["code"]
    return shown


def setting(grant: str, **settings: str | None) -> dict[str, Any]:
    return {
        "verb": "propose-set",
        "grant": grant,
        "assignments": [{"name": name, "value": value} for name, value in settings.items()],
    }


# ---- what must not be done ---------------------------------------------------------------------


def test_nobody_else_on_the_host_is_answered(relay: Any, ask: Ask) -> None:
    relay.run(["chmod", "666", SOCKET])  # even where the socket's mode does not keep them out
    request = {"verb": "login", "code": code(ask), "source": "::1"}
    told = said(relay, 4711, json.dumps(request).encode() + b"\n")
    # Closed before it was read: the words may be lost on the way, an answer there is none.
    assert told in (
        [],
        [{"error": {"kind": "refused", "reason": "this socket is the console's", "next_step": ""}}],
    )
    assert ask(**request)["answer"]["grant"], "the code was not used up either"


def test_the_page_is_shown_no_code(ask: Ask) -> None:
    assert "only root" in ask(verb="new-code")["error"]["reason"]


def test_without_a_session_nothing_is_done(relay: Any, ask: Ask) -> None:
    before = relay.read(MAIN)
    for verb in (
        setting("g" * 43, inet_protocols="ipv4"),
        {"verb": "propose-fix", "grant": "g" * 43},
        {"verb": "apply", "grant": "g" * 43, "digest": "0" * 64,
         "proposal": setting("g" * 43, inet_protocols="ipv4")},
        {"verb": "activate", "grant": "g" * 43, "code": code(ask)},
        {"verb": "undo", "grant": "g" * 43, "change": "x"},
        {"verb": "confirm", "grant": "g" * 43, "change": "x"},
        {"verb": "hold-on", "grant": "g" * 43},
        {"verb": "hold-off", "grant": "g" * 43},
        {"verb": "trace", "grant": "g" * 43, "what": "a@b.example"},
        {"verb": "keep", "grant": "g" * 43},
    ):  # fmt: skip
        assert "session is over" in ask(**verb)["error"]["reason"], verb["verb"]
    assert relay.read(MAIN) == before


@pytest.mark.parametrize(
    "line",
    [b"GET / HTTP/1.1\r\nHost: x\r\n", b'{"verb": "run"}\n', b"{" * 1000 + b"\n", b"x" * 70_000 + b"\n",
     b'{"verb": "new-code"}\n{"verb": "new-code"}\n', b"\n"],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_a_line(relay: Any, line: bytes) -> None:
    (told,) = said(relay, PAGE, line)
    assert told["error"]["kind"] == "parse"


def test_what_was_not_shown_is_not_applied(relay: Any, ask: Ask, grant: str) -> None:
    before = relay.read(MAIN)
    shown = ask(**setting(grant, message_size_limit="2048000"))["answer"]
    other = setting(grant, message_size_limit="4096000")
    refused = ask(verb="apply", grant=grant, proposal=other, digest=shown["plan"]["digest"])
    assert "not what was shown" in refused["error"]["reason"]
    assert relay.read(MAIN) == before


def test_what_is_equal_to_root_is_refused_whatever_code_comes_with_it(
    relay: Any, ask: Ask, grant: str
) -> None:
    before = relay.read(MAIN)
    wanted = setting(grant, import_environment="MAIL_CONFIG LD_PRELOAD")
    for request in (wanted, {"verb": "apply", "grant": grant, "proposal": wanted, "digest": "0" * 64}):
        refused = ask(**request, **({"code": code(ask)} if "digest" in request else {}))["error"]
        assert "not changed from a page" in refused["reason"]
        assert refused["next_step"] == "mailmend set import_environment=VALUE"
    assert relay.read(MAIN) == before


def test_what_opens_the_relay_asks_for_a_fresh_code(relay: Any, ask: Ask, grant: str) -> None:
    before = relay.read(MAIN)
    wanted = setting(grant, smtpd_relay_restrictions="permit_mynetworks, reject_unauth_destination")
    shown = ask(**wanted)["answer"]
    assert shown["step_up"]
    apply = {"verb": "apply", "grant": grant, "proposal": wanted, "digest": shown["plan"]["digest"]}
    assert "fresh code" in ask(**apply)["error"]["reason"]
    assert "not one that is waited for" in ask(**apply, code="0000-0000-0000")["error"]["reason"]
    assert relay.read(MAIN) == before
    done = ask(**apply, code=code(ask))["answer"]
    assert done["state"] == "trial"
    assert (
        ask(verb="confirm", grant=grant, change=done["change"]["id"])["answer"]["record"]["state"] == "kept"
    )


def test_what_was_begun_on_a_terminal_is_ended_there(relay: Any, ask: Ask, grant: str) -> None:
    tried = json.loads(relay.mailmend("--json", "set", "inet_interfaces=127.0.0.1", "--yes").stdout)[
        "change"
    ]["id"]
    for verb in ("confirm", "undo"):
        refused = ask(verb=verb, grant=grant, change=tried, code=code(ask)) if verb == "undo" else None
        refused = refused or ask(verb=verb, grant=grant, change=tried)
        assert "not begun from a page" in refused["error"]["reason"]
    (record,) = json.loads(relay.mailmend("--json", "history").stdout)["records"]
    assert (record["id"], record["state"]) == (tried, "trial")


def test_a_column_that_runs_code_is_no_business_of_a_page(ask: Ask, grant: str) -> None:
    wanted = setting(grant, **{"smtp/unix/data_directory": "/var/lib/postfix"})
    assert "not changed from a page" in ask(**wanted)["error"]["reason"]


def test_who_only_connects_keeps_nobody_out(relay: Any, ask: Ask) -> None:
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
    assert code(ask)
    relay.run(["sh", "-c", "kill $(cat /root/idle.pid)"])


# ---- from the code to the cure -----------------------------------------------------------------


def test_a_fix_is_proposed_applied_by_its_digest_proven_and_undone(lab: Any, relay: Any, ask: Ask) -> None:
    lab.outcomes(lab.send(count=16))
    grant = ask(verb="login", code=code(ask), source="::1")["answer"]["grant"]
    before = relay.read(MAIN)
    proposal = {"verb": "propose-fix", "grant": grant}
    shown = ask(**proposal)["answer"]
    assert (shown["state"], shown["step_up"], shown["not_from_a_page"]) == ("planned", False, None)
    assert relay.read(MAIN) == before
    apply = {"verb": "apply", "grant": grant, "proposal": proposal, "digest": shown["plan"]["digest"]}
    *steps, last = said(relay, PAGE, json.dumps(apply).encode() + b"\n")
    assert [step["progress"] for step in steps][-1] == "proving"
    done = last["answer"]
    assert done["state"] == "kept"
    assert done["change"]["by"] == "console"
    assert done["proof"]["holds"]
    assert all(o.status == "sent" for o in lab.outcomes(lab.send(count=8)).values())
    undone = ask(verb="undo", grant=grant, change=done["change"]["id"])["answer"]
    assert undone["identical"]
    assert relay.read(MAIN) == before


def test_what_somebody_saved_is_brought_to_life_with_a_code(relay: Any, ask: Ask, grant: str) -> None:
    relay.run(["postconf", "-e", "inet_protocols=ipv4"])
    assert "[::]:25" in relay.run(["ss", "-lnt"]).stdout
    done = ask(verb="activate", grant=grant, code=code(ask))["answer"]
    assert done["activation"] == "restart"
    assert "[::]:25" not in relay.run(["ss", "-lnt"]).stdout


def test_logged_out_nothing_more_is_done(ask: Ask, grant: str) -> None:
    assert ask(verb="keep", grant=grant)["answer"]["grant"] == grant
    ask(verb="logout", grant=grant)
    assert "session is over" in ask(verb="keep", grant=grant)["error"]["reason"]
