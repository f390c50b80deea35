"""The days after a fix: status watches what others publish, prove looks again, undo is the way back."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.lab


@pytest.fixture
def fixed(lab: Any) -> Any:
    """A server that bounced at random and was fixed by the default remedy."""
    lab.reset()
    lab.relay.start()
    lab.outcomes(lab.send(count=16))
    lab.first = answer(lab.relay, "fix", "--yes")
    return lab


def answer(relay: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = relay.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_nothing_is_offered_before_the_records_are_seen(fixed: Any) -> None:
    status = answer(fixed.relay, "status", code=0)
    (pending,) = status["pending"]
    assert {j["verdict"] for j in pending["proof"]["judgements"]} == {"pending"}
    assert status["held"] == []


def test_once_they_are_seen_the_way_back_is_offered_and_not_taken(fixed: Any) -> None:
    fixed.dns.publish(*(f"{c['target']} {c['after']}" for p in fixed.first["pending"] for c in p["changes"]))
    status = answer(fixed.relay, "status")
    change = fixed.first["change"]["id"]
    assert status["held"] == [change]
    screen = fixed.relay.mailmend("status").stdout
    assert f"mailmend undo {change}" in screen
    assert (
        "regexp:/etc/postfix/ipv4_only_receivers"
        in fixed.relay.run(["postconf", "smtp_dns_reply_filter"]).stdout
    )


def test_real_mail_since_turns_the_pending_proof_into_a_held_one(fixed: Any) -> None:
    before = {j["kind"]: j["verdict"] for j in fixed.first["proof"]["judgements"]}
    assert before["delivered"] == "pending"
    fixed.outcomes(fixed.send(count=8))
    proven = answer(fixed.relay, "prove")
    assert {j["kind"]: j["verdict"] for j in proven["proof"]["judgements"]}["delivered"] == "holds"
    assert proven["proof"]["holds"]


def test_one_message_can_be_sent_and_followed(fixed: Any) -> None:
    proven = answer(fixed.relay, "prove", "--to", "someone@elsewhere.example")
    assert [d["severity"] for d in proven["sent"]] == ["delivered"]
    assert proven["sent"][0]["relay"]["host"] == "mx.elsewhere.example"


def test_an_undone_fix_is_said_to_be_undone_and_not_undone_again(fixed: Any) -> None:
    change = fixed.first["change"]["id"]
    assert answer(fixed.relay, "undo")["identical"]
    assert answer(fixed.relay, "undo", change)["already"]
    answer(fixed.relay, "undo", code=4)
    assert answer(fixed.relay, "status")["changes"] == []


def test_an_edit_by_somebody_else_survives_the_undo(fixed: Any) -> None:
    fixed.relay.run(["postconf", "-e", "message_size_limit=20480000"])
    fixed.relay.run(["touch", "-d", "1 minute ago", "/etc/postfix/main.cf"])
    undone = answer(fixed.relay, "undo")
    assert not undone["identical"]
    text = fixed.relay.read("/etc/postfix/main.cf")
    assert "message_size_limit = 20480000" in text
    assert "smtp_dns_reply_filter" not in text


def test_our_own_line_changed_by_somebody_else_is_a_conflict_that_touches_nothing(fixed: Any) -> None:
    fixed.relay.run(["postconf", "-e", "smtp_dns_reply_filter=regexp:/etc/postfix/theirs"])
    before = fixed.relay.read("/etc/postfix/main.cf")
    refused = answer(fixed.relay, "undo", code=4)
    assert "CONFLICT" in refused["error"]["reason"]
    assert fixed.relay.read("/etc/postfix/main.cf") == before


def test_what_another_editor_saved_is_brought_to_the_running_server(fixed: Any) -> None:
    """The first user's evening, with Webmin's file editor: saved, and nothing happens."""
    relay = fixed.relay
    relay.run(["postconf", "-e", "inet_protocols=ipv4"])
    told = answer(relay, "apply")
    assert told["activation"] == "restart"
    assert told["proof"]["holds"]
    assert "[::]:25" not in relay.listeners_ss()
    assert answer(relay, "apply")["activation"] == "none"


def test_webmins_apply_button_becomes_ours_and_its_own_again(fixed: Any) -> None:
    relay = fixed.relay
    missing = answer(relay, "webmin", code=3)
    assert "Webmin" in missing["error"]["reason"]
    relay.run(["mkdir", "-p", "/etc/webmin/postfix"])
    text = "postfix_control_command=/usr/sbin/postfix\nreload_cmd=postfix reload\n"
    relay.write("/etc/webmin/postfix/config", text)
    answer(relay, "webmin")
    assert "mailmend apply" in relay.read("/etc/webmin/postfix/config").replace("__main__.py", "mailmend")
    answer(relay, "webmin", "--undo")
    assert relay.read("/etc/webmin/postfix/config") == text
    relay.run(["rm", "-r", "/etc/webmin"])
