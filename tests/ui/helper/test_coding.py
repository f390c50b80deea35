"""Root asks for a code: what waits is worked out afresh and shown, and the code is good for just that."""

from __future__ import annotations

import json
import sys
from textwrap import dedent
from typing import Any

import pytest

from ui.helper.conftest import PAGE, Asking, settings

pytestmark = pytest.mark.lab
OPENS = settings(smtpd_relay_restrictions="permit_mynetworks, reject_unauth_destination")


def code(relay: Any, wanted: str = "", *, how: str = "json") -> Any:
    words = [*(["--json"] if how == "json" else []), "web", "--code", *(["--for", wanted] if wanted else [])]
    done = relay.mailmend(*words)
    assert how != "json" or done.stdout, done.stderr
    return json.loads(done.stdout) if how == "json" else done


def test_where_nothing_waits_it_is_one_to_log_in(relay: Any, ask: Asking) -> None:
    told = code(relay)
    assert told["for"] == "login"
    grant = ask.done(verb="login", code=told["code"], source="::1")["grant"]
    # A plain change waits for nobody.
    ask.propose(grant, settings(message_size_limit="2048000"))
    assert code(relay)["for"] == "login"


def test_what_waits_is_shown_with_its_difference_and_the_code_is_for_that(
    relay: Any, ask: Asking, grant: str
) -> None:
    shown = ask.propose(grant, OPENS)
    screen = code(relay, how="screen").stdout
    assert "Asked for from ::1" in screen
    assert "smtpd_relay_restrictions" in screen
    assert "+smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination" in screen
    told = code(relay)
    assert told["for"] == "change"
    assert told["proposal"]["digest"] == shown["digest"]
    assert told["proposal"]["diff"] == shown["diff"]
    ask.done(verb="step-up", grant=grant, digest=shown["digest"], code=told["code"])
    assert ask.done(verb="apply", grant=grant, digest=shown["digest"])["state"] == "trial"


@pytest.mark.slow
def test_an_undo_and_what_somebody_saved_are_shown_too(relay: Any, ask: Asking, grant: str) -> None:
    shown = ask.propose(grant, OPENS)
    ask.approve(grant, shown["digest"])
    change = ask.done(verb="apply", grant=grant, digest=shown["digest"])["change"]["id"]
    back = ask.propose(grant, {"what": "undo", "change": change})
    screen = code(relay, how="screen").stdout
    assert f"Takes back {change}" in screen
    assert "-smtpd_relay_restrictions" in screen
    ask.approve(grant, back["digest"])
    ask.done(verb="apply", grant=grant, digest=back["digest"])
    relay.run(["postconf", "-e", "inet_protocols=ipv4"])
    saved = ask.propose(grant, {"what": "activate"})
    assert "+inet_protocols = ipv4" in saved["diff"]
    assert "inet_protocols = ipv4" in code(relay, how="screen").stdout
    told = code(relay)
    assert told["proposal"]["digest"] == saved["digest"]
    assert told["proposal"]["activation"] == "restart"


def test_no_code_for_what_the_host_has_changed_under(relay: Any, ask: Asking, grant: str) -> None:
    ask.propose(grant, OPENS)
    relay.run(["postconf", "-e", "smtpd_banner=$myhostname ESMTP"])
    told = code(relay)
    assert "the host has changed since" in told["error"]["reason"]


def test_of_several_it_has_to_be_said_which(relay: Any, ask: Asking, grant: str) -> None:
    one = ask.propose(grant, OPENS)["digest"]
    other = ask.propose(ask.log_in("192.0.2.7"), settings(mynetworks="127.0.0.0/8 [::1]/128"))["digest"]
    told = code(relay)["error"]
    assert "2 changes wait" in told["reason"]
    assert f"{other[:8]} (set mynetworks, from 192.0.2.7)" in told["reason"]
    assert code(relay, one[:8])["proposal"]["digest"] == one
    assert code(relay, "login")["for"] == "login"
    assert "no change waits" in code(relay, "ffffffff")["error"]["reason"]


def test_only_root_asks_for_one(relay: Any) -> None:
    as_page = dedent(
        f"""
        import os, sys
        from mailmend.system import live, probe
        from mailmend.ui.commands import coding, recovering
        from mailmend.ui import cli
        os.setgroups([]), os.setgid({PAGE}), os.setuid({PAGE})
        cli.mailmend.main(["web", "--code"])
        """
    )
    done = relay.run([sys.executable, "-P", "-c", as_page])
    assert done.returncode == 4, done.stderr
    assert "needs root" in done.stderr


def test_without_a_helper_it_says_so(lab: Any) -> None:
    lab.reset()
    lab.relay.run(["rm", "-f", "/run/mailmend/helper.sock"])
    assert "no helper answers" in code(lab.relay)["error"]["reason"]
