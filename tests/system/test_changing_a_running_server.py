"""On a real Postfix: a change is activated, seen to run and kept; one that Postfix refuses is gone without a trace."""

from __future__ import annotations

import json
import sys
from textwrap import dedent

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab
BOTH = ["0.0.0.0", "::"]
IPV4 = BOTH[:1]
MAIN = "/etc/postfix/main.cf"

# Run inside the relay: argv is the setting (or `service`), its value, the activation; it prints JSON.
CHANGE = dedent(
    """
    import json, sys, time
    from pathlib import Path
    from mailmend.model import *
    from mailmend.parse import maincf, mastercf
    from mailmend.questions import Listeners, Master
    from mailmend.system import activation, transaction
    from mailmend.system.guard import Guard
    from mailmend.system.history import History
    from mailmend.system.live import live
    from mailmend.system.probe import now

    STATE = Path("/var/lib/mailmend")
    name, value, kind = sys.argv[1:4]
    path = "/etc/postfix/master.cf" if name == "service" else "/etc/postfix/main.cf"
    probe = live()
    before = Path(path).read_text()
    added = mastercf.parse(before).add_service(value) if name == "service" else None
    edit = FileEdit(path, before, str(added or maincf.parse(before).assign(name, value)))
    change = Change("setting", name, None, value, kind)
    plan = Plan(Proposal("set", "cures", (change,)), (), (edit,), "", "", reason="a test")

    def state():
        running = probe.ask(Master()).answer
        sockets = [l.address for l in probe.ask(Listeners()).answer]
        return {"pid": running.pid, "reloaded": str(running.reloaded), "sockets": sorted(sockets)}

    def activate(kind):
        activation.detect(probe).activate(kind)

    def prove():
        return Proof((), now())

    told = {"before": state()}
    started = time.monotonic()
    try:
        old = None if "--unproven" in sys.argv else prove
        applied = transaction.apply(
            plan, activate=activate, prove=prove, prove_old=old, history=History(STATE), guard=Guard(STATE), by="root"
        )
        told |= {"rolled_back": applied.rolled_back, "says": applied.says}
    except MailmendError as error:
        told |= {"error": str(error)}
    told |= {"seconds": time.monotonic() - started, "after": state()}
    if "--undo" in sys.argv:
        undone = transaction.undo(
            applied.record, activate=activate, prove=prove, history=History(STATE), guard=Guard(STATE), by="root"
        )
        told |= {"undone": state(), "identical": Path(path).read_text() == before}
    print(json.dumps(told))
    """
)


@pytest.fixture
def server(lab: Lab) -> Lab:
    lab.reset()
    lab.relay.start()
    return lab


def change(server: Lab, *arguments: str) -> dict:
    done = server.relay.run([sys.executable, "-c", CHANGE, *arguments])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_keeps_postfix_from_starting_is_taken_back_and_the_old_state_runs(server: Lab) -> None:
    text = server.relay.read(MAIN)
    told = change(server, "inet_interfaces", "192.0.2.99", "restart")
    assert told["rolled_back"]
    assert told["seconds"] < 10
    assert "192.0.2.99" in told["says"]
    assert server.relay.read(MAIN) == text
    assert told["after"]["sockets"] == told["before"]["sockets"] == BOTH


def test_a_reload_that_nothing_survives_is_taken_back(server: Lab) -> None:
    text = server.relay.read(MAIN)
    told = change(server, "default_process_limit", "many", "reload")
    assert told["rolled_back"]
    assert server.relay.read(MAIN) == text
    assert told["after"]["sockets"] == BOTH


def test_a_master_that_dies_of_a_reload_runs_again_with_the_old_files(server: Lab) -> None:
    told = change(server, "service", "192.0.2.99:2525 inet n - y - - smtpd", "reload")
    assert told["rolled_back"]
    assert "192.0.2.99" in told["says"]
    assert "192.0.2.99" not in server.relay.read("/etc/postfix/master.cf")
    assert told["after"]["pid"] not in (None, told["before"]["pid"])
    assert told["after"]["sockets"] == BOTH


def test_a_server_that_an_edit_of_others_keeps_down_is_told_how_to_start_it(server: Lab) -> None:
    path = "/etc/postfix/master.cf"
    server.relay.write(path, server.relay.read(path) + "192.0.2.99:2525 inet n - n - - smtpd\n")
    text = server.relay.read(MAIN)
    told = change(server, "smtpd_banner", "$myhostname ESMTP", "reload", "--unproven")
    assert told["error"].startswith("DEGRADED")
    assert "192.0.2.99" in told["error"]
    assert told["error"].endswith("run postfix check, then postfix -c /etc/postfix start")
    assert server.relay.read(MAIN) == text
    assert told["after"]["sockets"] == []


def test_a_reload_keeps_master_and_starts_a_new_queue_manager(server: Lab) -> None:
    told = change(server, "smtpd_banner", "$myhostname ESMTP", "reload")
    assert told["rolled_back"] is False
    assert told["after"]["pid"] == told["before"]["pid"]
    assert told["after"]["reloaded"] != told["before"]["reloaded"]


def test_the_kludge_closes_the_ipv6_port_and_its_undo_opens_it(server: Lab) -> None:
    told = change(server, "inet_protocols", "ipv4", "restart", "--undo")
    assert told["rolled_back"] is False
    assert told["after"]["pid"] != told["before"]["pid"]
    assert told["after"]["sockets"] == IPV4
    assert told["undone"]["sockets"] == BOTH
    assert told["identical"]
