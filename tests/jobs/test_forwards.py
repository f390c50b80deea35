"""check forwarding on real Postfix: every forward with its table, and in what state its mail really leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailmend.jobs import forwarding_stage as stage
from mailmend.lab import Lab

pytestmark = pytest.mark.lab
ALIASES = "postmaster: root\nfoo: someone@gmail.com,\n \\foo\nlist: :include:/etc/list\n"
# People of this machine may have a .forward.
HOME = {"forward_path": "/nowhere"}
NOTHING = {"virtual_alias_maps": "", "alias_maps": "hash:/etc/aliases", **HOME}


def told(lab: Lab, *argv: str) -> tuple[int, dict[str, Any], str]:
    done = lab.relay.mailmend("--json", "check", "forwarding", *argv)
    screen = lab.relay.mailmend("check", "forwarding", *argv).stdout
    return done.returncode, json.loads(done.stdout), " ".join(screen.split())


def aliases(lab: Lab, text: str) -> None:
    lab.relay.write("/etc/aliases", text)
    lab.relay.run(["postalias", "/etc/aliases"])


def by_domain(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["domain"]: each for each in document["domains"]}


# ---- where there is nothing to say ---------------------------------------------------------


def test_a_host_that_forwards_nothing_is_told_so(lab: Lab) -> None:
    lab.reset(main=NOTHING)
    aliases(lab, 'postmaster: root\nprog: "|/bin/cat someone@gmail.com"\n')
    lab.relay.start()
    status, document, screen = told(lab)
    lab.reset()
    assert (status, document["forwards"], document["unread"]) == (0, [], [])
    assert "nothing in the configuration forwards mail elsewhere" in screen


def test_without_a_look_at_a_table_nothing_is_said_to_be_well(lab: Lab) -> None:
    lab.reset(main={**NOTHING, "virtual_alias_maps": "hash:/etc/postfix/gone"})
    aliases(lab, "postmaster: root\n")
    lab.relay.start()
    status, document, screen = told(lab)
    lab.reset()
    assert status == 3
    assert [each["where"] for each in document["unread"]] == ["virtual_alias_maps: hash:/etc/postfix/gone"]
    assert "Not read: virtual_alias_maps: hash:/etc/postfix/gone" in screen


# ---- what leaves, and how ------------------------------------------------------------------


def test_each_forward_is_named_and_its_envelope_is_seen_to_stay(lab: Lab) -> None:
    stage.begin(lab, "none", "ipv4", main=HOME, files={"forwards": "user@example.org someone@gmail.com\n"})
    lab.relay.write("/etc/list", "# who\ntwo@elsewhere.example\n")
    aliases(lab, ALIASES)
    status, document, screen = told(lab)
    lab.reset()
    assert status == 1
    assert {(each["address"], each["target"]) for each in document["forwards"]} == {
        ("user@example.org", "someone@gmail.com"),
        ("foo@relay.example.org", "someone@gmail.com"),
        ("list@relay.example.org", "two@elsewhere.example"),
    }
    gmail = by_domain(document)["gmail.com"]
    assert (gmail["receiver"], gmail["count"], gmail["rewritten"], gmail["null_kept"]) == (
        "google",
        2,
        False,
        True,
    )
    assert "mailmend fix --remedy srs" in screen


def test_with_srs_it_is_rewritten_comes_back_and_leaves_our_own_alone(lab: Lab) -> None:
    stage.begin(lab, "srs", "ipv4", main=HOME, files={"forwards": "user@example.org someone@gmail.com\n"})
    aliases(lab, "postmaster: root\n")
    status, document, _ = told(lab)
    lab.reset()
    gmail = by_domain(document)["gmail.com"]
    assert status == 0
    assert gmail["rewritten"] and gmail["returns"] and gmail["null_kept"] and gmail["own_kept"]
    assert gmail["envelope"].endswith(f"=example.net=someone@{stage.DOMAIN}")


@pytest.mark.slow  # Postfix tries a daemon that is not there for ten seconds (tcp_table(5))
def test_while_its_daemon_is_down_nothing_is_known_of_the_envelope(lab: Lab) -> None:
    stage.begin(lab, "srs", "ipv4", main=HOME, files={"forwards": "user@example.org someone@gmail.com\n"})
    aliases(lab, "postmaster: root\n")
    lab.relay.stop_daemon("postsrsd")
    status, document, _ = told(lab)
    lab.reset()
    assert status == 3
    assert by_domain(document)["gmail.com"]["error"]


def test_what_breaks_a_signature_is_named_and_a_forward_to_oneself_is_a_loop(lab: Lab) -> None:
    forwards = {"forwards": "user@example.org someone@gmail.com\nme@example.org me@round.example\n"}
    alters = {"alters": "/^Subject: (.*)/ REPLACE Subject: [fwd] ${1}\n"}
    main = {"smtp_header_checks": "regexp:/etc/postfix/alters", **HOME}
    stage.begin(lab, "none", "ipv4", main=main, files={**forwards, **alters})
    lab.dns.publish("round.example MX 5 relay.example.org.")
    aliases(lab, "postmaster: root\n")
    status, document, screen = told(lab)
    lab.reset()
    assert status == 1
    assert by_domain(document)["round.example"]["loops"]
    assert [setting for setting, _ in document["doors"]["alters"]] == ["smtp_header_checks"]
    assert "signatures break here: smtp_header_checks" in screen
