"""A page's change on a real Postfix: what is refused, what asks for a code of its own; from the code to the cure."""

from __future__ import annotations

import json
import sys
from textwrap import dedent
from typing import Any

import pytest

from ui.helper.conftest import MAIN, PAGE, SOCKET, Asking, said, settings

pytestmark = pytest.mark.lab
OPENS = settings(smtpd_relay_restrictions="permit_mynetworks, reject_unauth_destination")


# ---- what must not be done ---------------------------------------------------------------------


def test_what_was_not_proposed_in_this_session_is_not_done(relay: Any, ask: Asking, grant: str) -> None:
    before = relay.read(MAIN)
    shown = ask.propose(grant, settings(message_size_limit="2048000"))
    assert "not proposed" in ask.refused(verb="apply", grant=grant, digest="0" * 64)
    other = ask.log_in()
    assert "not proposed" in ask.refused(verb="apply", grant=other, digest=shown["digest"])
    assert relay.read(MAIN) == before


def test_what_the_host_made_of_it_since_is_not_done(relay: Any, ask: Asking, grant: str) -> None:
    shown = ask.propose(grant, settings(message_size_limit="2048000"))
    relay.run(["postconf", "-e", "smtpd_banner=$myhostname ESMTP"])
    relay.run(["postfix", "reload"])
    before = relay.read(MAIN)
    assert "not what was shown" in ask.refused(verb="apply", grant=grant, digest=shown["digest"])
    assert relay.read(MAIN) == before


def test_what_is_equal_to_root_is_refused_before_it_is_worked_out(ask: Asking, grant: str) -> None:
    for wanted in (
        settings(import_environment="MAIL_CONFIG LD_PRELOAD"),
        settings(**{"smtp/unix/data_directory": "/var/lib/postfix"}),
    ):
        refused = ask(verb="propose", grant=grant, proposal=wanted)["error"]
        assert "not changed from a page" in refused["reason"]
        assert refused["next_step"].startswith("mailmend set ")


def test_what_opens_the_relay_asks_for_a_code_for_just_that(relay: Any, ask: Asking, grant: str) -> None:
    before = relay.read(MAIN)
    shown = ask.propose(grant, OPENS)
    assert shown["step_up"]
    apply = {"verb": "apply", "grant": grant, "digest": shown["digest"]}
    step_up = {"verb": "step-up", "grant": grant, "digest": shown["digest"]}
    assert "fresh code" in ask.refused(**apply)
    assert "not one that is waited for" in ask.refused(**step_up, code="0000-0000-0000")
    assert "for something else" in ask.refused(**step_up, code=ask.login_code())
    assert "fresh code" in ask.refused(**apply)
    assert relay.read(MAIN) == before

    code = ask.approval_code(shown["digest"])
    assert "for something else" in ask.refused(verb="login", code=code, source="::1")
    ask.done(**step_up, code=code)
    done = ask.done(**apply)
    assert done["state"] == "trial"
    assert "not proposed" in ask.refused(**apply), "once"
    change = done["change"]["id"]
    assert ask.done(verb="confirm", grant=grant, change=change)["record"]["state"] == "kept"

    # Taking it back opens as much as doing it did.
    back = ask.propose(grant, {"what": "undo", "change": change})
    assert back["step_up"]
    assert "-smtpd_relay_restrictions" in back["diff"]
    assert "fresh code" in ask.refused(verb="apply", grant=grant, digest=back["digest"])
    ask.approve(grant, back["digest"])
    assert ask.done(verb="apply", grant=grant, digest=back["digest"])["identical"]
    assert relay.read(MAIN) == before


def test_what_was_begun_on_a_terminal_is_ended_there(relay: Any, ask: Asking, grant: str) -> None:
    made = json.loads(relay.mailmend("--json", "set", "message_size_limit=2048000", "--yes").stdout)[
        "change"
    ]["id"]
    undo = {"verb": "propose", "grant": grant, "proposal": {"what": "undo", "change": made}}
    for request in (undo, {"verb": "confirm", "grant": grant, "change": made}):
        assert "not begun from a page" in ask.refused(**request)
    (record,) = json.loads(relay.mailmend("--json", "history").stdout)["records"]
    assert (record["id"], record["state"]) == (made, "kept")


def test_two_traces_at_once_are_enough(relay: Any, ask: Asking, grant: str) -> None:
    relay.write(
        "/root/traces.py",
        dedent(
            f"""
            import json, os, socket, threading
            os.setgroups([]), os.setgid({PAGE}), os.setuid({PAGE})
            line = json.dumps({{"verb": "trace", "grant": "{grant}", "what": "a@b.example"}}).encode()
            told, ready = [], threading.Barrier(8)
            def one():
                with socket.socket(socket.AF_UNIX) as asked:
                    asked.settimeout(60)
                    ready.wait()
                    asked.connect("{SOCKET}")
                    asked.sendall(line + b"\\n")
                    told.append(json.loads(asked.makefile("rb").readlines()[-1]))
            threads = [threading.Thread(target=one) for _ in range(8)]
            [each.start() for each in threads], [each.join() for each in threads]
            print(json.dumps(told))
            """
        ),
    )
    told = json.loads(relay.run([sys.executable, "/root/traces.py"]).stdout)
    kinds = [next(iter(each)) for each in told]
    assert kinds.count("done") >= 2
    assert "too many" in next(each["error"]["reason"] for each in told if "error" in each)


def test_what_is_looked_at_changes_nothing_and_is_what_the_commands_say(
    relay: Any, ask: Asking, grant: str
) -> None:
    shown = ask.propose(grant, settings(message_size_limit="2048000"))
    change = ask.done(verb="apply", grant=grant, digest=shown["digest"])["change"]["id"]
    after = relay.read(MAIN)
    look = {"verb": "look", "grant": grant}
    assert ask.done(**look, of="history") == json.loads(relay.mailmend("--json", "history").stdout)
    entry = json.loads(relay.mailmend("--json", "history", change).stdout)
    assert ask.done(**look, of="entry", change=change) == entry
    assert ask.done(**look, of="status")["changes"][0]["id"] == change
    assert ask.done(**look, of="check")["schema"] == "mailmend.check/1"
    assert "no entry" in ask.refused(**look, of="entry", change="20260101-000000-none")
    assert [each["live"] for each in ask.done(**look, of="unloaded")["files"]] == [True, True]
    assert relay.read(MAIN) == after


def test_a_service_of_one_ipv6_address_is_set_by_its_name(relay: Any, ask: Asking, grant: str) -> None:
    path = "/etc/postfix/master.cf"
    relay.write(path, relay.read(path) + "[::1]:2525 inet n - n - - smtpd\n")
    relay.run(["postfix", "reload"])
    shown = ask.propose(grant, settings(**{"[::1]:2525/inet/smtpd_timeout": "77s"}))
    done = ask.done(verb="apply", grant=grant, digest=shown["digest"])
    assert done["state"] in ("kept", "trial"), done
    assert relay.run(["postconf", "-P", "[::1]:2525/inet/smtpd_timeout"]).stdout.strip().endswith("= 77s")


def test_what_was_loaded_behind_our_back_is_told_against_what_a_change_left_and_else_as_unknown(
    relay: Any, ask: Asking, grant: str
) -> None:
    shown = ask.propose(grant, settings(message_size_limit="2048000"))
    change = ask.done(verb="apply", grant=grant, digest=shown["digest"])["change"]["id"]
    relay.run(["postfix", "reload"])  # and nobody has looked since
    relay.run(["postconf", "-e", "delay_warning_time=4h", "inet_protocols=ipv4"])
    relay.run(["postconf", "-F", "smtp/unix/process_limit=7"])
    told = ask.done(verb="look", grant=grant, of="unloaded")
    main, master = told["files"]
    assert (main["live"], main["since"], main["loaded"]) == (False, change, None)
    assert sorted(main["names"]) == ["delay_warning_time", "inet_protocols"]
    assert "+delay_warning_time = 4h" in main["diff"]
    assert "message_size_limit" not in "".join(x for x in main["diff"].splitlines() if x[:1] in "+-")
    assert (master["live"], master["diff"], master["names"]) == (False, None, [])
    assert [each["subject"] for each in told["restart"]] == ["inet_protocols"]


def test_what_is_saved_is_told_against_what_was_seen_to_be_loaded_whoever_loaded_it(
    relay: Any, ask: Asking, grant: str
) -> None:
    look = {"verb": "look", "grant": grant, "of": "unloaded"}
    relay.run(["postconf", "-e", "delay_warning_time=3h"])
    relay.run(["postfix", "reload"])
    assert [each["live"] for each in ask.done(**look)["files"]] == [True, True]
    loaded = relay.read(MAIN)
    relay.run(["postconf", "-e", "delay_warning_time=4h"])
    relay.run(["postconf", "-F", "smtp/unix/process_limit=7"])
    main, master = ask.done(**look)["files"]
    assert (main["live"], main["since"], main["names"]) == (False, None, ["delay_warning_time"])
    assert main["loaded"]
    assert [x for x in main["diff"].splitlines() if x[:1] in "+-"][2:] == [
        "-delay_warning_time = 3h",
        "+delay_warning_time = 4h",
    ]
    assert (master["live"], master["names"]) == (False, ["smtp/unix/process_limit"])
    # As it was loaded again, byte for byte: there is nothing to be loaded.
    relay.write(MAIN, loaded)
    (main, _), status = ask.done(**look)["files"], ask.done(**look | {"of": "status"})
    assert (main["live"], main["diff"]) == (True, "")
    assert "delay_warning_time" not in json.dumps(status["findings"])
    assert relay.run(["stat", "-c", "%a", "/var/lib/mailmend/loaded.json"]).stdout.strip() == "600"


# ---- from the code to the cure -----------------------------------------------------------------


def test_a_fix_is_proposed_done_by_its_digest_proven_and_undone(lab: Any, relay: Any, ask: Asking) -> None:
    lab.outcomes(lab.send(count=16))
    grant = ask.log_in("192.0.2.7")
    before = relay.read(MAIN)
    shown = ask.propose(grant, {"what": "fix"})
    assert (shown["document"]["state"], shown["step_up"], shown["not_from_a_page"]) == (
        "planned",
        False,
        None,
    )
    assert shown["diff"]
    assert relay.read(MAIN) == before
    apply = {"verb": "apply", "grant": grant, "digest": shown["digest"]}
    *lines, last = said(relay, PAGE, json.dumps(apply).encode() + b"\n")
    steps = [line["says"] for line in lines if line["kind"] == "step"]
    assert "planning" in steps
    assert steps[-1] == "proving"
    assert {line["kind"] for line in lines} == {"step", "finding", "proof"}
    assert next(line for line in lines if line["kind"] == "proof")["shape"]["holds"]
    done = last["done"]
    assert done["state"] == "kept"
    assert done["change"]["by"].startswith("console:")
    assert done["change"]["by"].endswith("@192.0.2.7")
    # Who it was stands in the history and in root's journal; what opens the session stands nowhere.
    for kept in (relay.mailmend("--json", "history").stdout, relay.read("/root/helper")):
        assert done["change"]["by"] in kept
        assert grant not in kept
    assert grant not in relay.run(["grep", "-r", "", "/var/lib/mailmend/console"]).stdout
    assert all(o.status == "sent" for o in lab.outcomes(lab.send(count=8)).values())
    back = ask.propose(grant, {"what": "undo", "change": done["change"]["id"]})
    assert not back["step_up"]
    assert ask.done(verb="apply", grant=grant, digest=back["digest"])["identical"]
    assert relay.read(MAIN) == before


@pytest.mark.slow
def test_a_hold_is_shown_begun_as_it_was_shown_and_ended(relay: Any, ask: Asking, grant: str) -> None:
    before = relay.read(MAIN)
    shown = ask.propose(grant, {"what": "hold-on", "hours": 2, "limit": 10})
    assert "held_refusals" in shown["diff"]
    held = ask.done(verb="apply", grant=grant, digest=shown["digest"])
    assert (held["state"], held["until"]) == ("on", shown["document"]["until"])
    off = ask.propose(grant, {"what": "hold-off"})
    assert "-smtp_delivery_status_filter" in off["diff"]
    assert ask.done(verb="apply", grant=grant, digest=off["digest"])["state"] == "off"
    assert relay.read(MAIN) == before


def test_what_somebody_saved_is_brought_to_life_with_a_code_for_it(
    relay: Any, ask: Asking, grant: str
) -> None:
    relay.run(["postconf", "-e", "inet_protocols=ipv4"])
    assert "[::]:25" in relay.run(["ss", "-lnt"]).stdout
    shown = ask.propose(grant, {"what": "activate"})
    assert (shown["activation"], shown["step_up"]) == ("restart", True)
    assert shown["diff"] == "", "nothing here was saved by mailmend before, so what ran is not known"
    ask.approve(grant, shown["digest"])
    # Saved once more, after it was shown: that was not approved.
    relay.run(["postconf", "-e", "smtpd_banner=$myhostname ESMTP"])
    assert "not what was shown" in ask.refused(verb="apply", grant=grant, digest=shown["digest"])
    assert "[::]:25" in relay.run(["ss", "-lnt"]).stdout
    again = ask.propose(grant, {"what": "activate"})
    assert again["digest"] != shown["digest"]
    ask.approve(grant, again["digest"])
    done = ask.done(verb="apply", grant=grant, digest=again["digest"])
    assert done["activation"] == "restart"
    assert "[::]:25" not in relay.run(["ss", "-lnt"]).stdout


def test_logged_out_nothing_more_is_done(ask: Asking, grant: str) -> None:
    shown = ask.propose(grant, settings(message_size_limit="2048000"))
    ask.done(verb="keep", grant=grant)
    ask.done(verb="logout", grant=grant)
    assert "session is over" in ask.refused(verb="keep", grant=grant)
    assert "session is over" in ask.refused(verb="apply", grant=grant, digest=shown["digest"])
