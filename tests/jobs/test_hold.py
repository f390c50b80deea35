"""Refused mail waits while its cure is prepared; everything else bounces as before, and the hold ends by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.lab

UNKNOWN_USER = """\
550-5.1.1 The email account that you tried to reach does not exist. Please try
550-5.1.1 double-checking the recipient's email address for typos or
550-5.1.1 unnecessary spaces. For more information, go to
550 5.1.1  https://support.google.com/mail/?p=NoSuchUser a1si2wmz.3 - gsmtp"""
SPAM = """\
550-5.7.1 Our system has detected that this message is likely unsolicited mail.
550-5.7.1 To reduce the amount of spam sent to Gmail, this message has been
550-5.7.1 blocked. Please visit
550 5.7.1  https://support.google.com/mail/?p=UnsolicitedMessageError a1si2wmz.3 - gsmtp"""
OPERATORS = "/^5(\\.7\\.9 .*quarantine.*)$/ 4$1\n"


def answer(relay: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = relay.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def over_ipv6(lab: Any, **settings: Any) -> None:
    """A relay that reaches Gmail over IPv6 alone, where it is refused: no coin is tossed."""
    lab.reset(main={"smtp_address_preference": "ipv6", **settings.pop("main", {})}, **settings)
    lab.dns.withdraw("gmail-smtp-in.l.google.com", "A")
    lab.dns.withdraw("alt1.gmail-smtp-in.l.google.com", "A")
    lab.relay.start()


@pytest.fixture
def refused(lab: Any) -> Iterator[Any]:
    over_ipv6(lab)
    yield lab
    lab.relay.stop()


def outcome(lab: Any, **message: Any) -> str:
    ((_, attempt),) = lab.outcomes(lab.send(count=1, **message)).items()
    return str(attempt.status)


# ---- what must not be held ----------------------------------------------------------------


def test_without_a_hold_the_refusal_bounces_and_nothing_is_said_of_one(refused: Any) -> None:
    assert outcome(refused) == "bounced"
    told = answer(refused.relay, "hold")
    assert (told["schema"], told["state"], told["in_force"], told["waiting"]) == (
        "mailmend.hold/1",
        "off",
        False,
        [],
    )
    assert answer(refused.relay, "hold", "off")["reason"] == "nothing was ever held here"
    assert answer(refused.relay, "status")["hold"] is None


def test_a_dry_run_and_a_plan_that_nobody_approves_change_nothing(refused: Any) -> None:
    before = refused.relay.read("/etc/postfix/main.cf")
    assert answer(refused.relay, "hold", "on", "--dry-run")["state"] == "planned"
    assert answer(refused.relay, "hold", "on", code=4)["state"] == "planned"
    assert refused.relay.read("/etc/postfix/main.cf") == before
    assert outcome(refused) == "bounced"


@pytest.mark.parametrize("cause", ["content-spam", "no-such-user", "mailbox-full"])
def test_what_a_cure_of_ours_would_not_change_is_never_held(refused: Any, cause: str) -> None:
    told = answer(refused.relay, "hold", "on", "--yes", "--cause", cause, code=4)
    assert f"mail refused for {cause} is never held" in told["error"]["reason"]


def test_mail_with_the_null_sender_that_would_be_lost_is_spoken_of(lab: Any) -> None:
    lab.reset(main={"bounce_queue_lifetime": "1h", "delay_warning_time": "4h"})
    plan = answer(lab.relay, "hold", "on", "--dry-run", "--for", "2h")["plan"]
    assert any("bounce_queue_lifetime" in o["reason"] and not o["blocking"] for o in plan["objections"])
    assert any("told after 4h" in cost for cost in plan["cost"])
    by_itself = answer(lab.relay, "hold", "on", "--dry-run")
    since, until = (datetime.fromisoformat(by_itself[key]) for key in ("since", "until"))
    assert until - since == timedelta(minutes=30)
    assert by_itself["plan"]["objections"] == []


def test_longer_than_the_queue_keeps_mail_is_refused(refused: Any) -> None:
    told = answer(refused.relay, "hold", "on", "--yes", "--for", "6d", code=4)
    assert "maximal_queue_lifetime" in told["error"]["reason"]
    for wrong in ("soon", "0h", "4", "-1d"):
        assert answer(refused.relay, "hold", "on", "--yes", "--for", wrong, code=2)


# ---- the story ----------------------------------------------------------------------------


def test_the_refusal_waits_and_goes_out_after_the_cure_while_everything_else_bounces(refused: Any) -> None:
    relay = refused.relay
    before = relay.read("/etc/postfix/main.cf")
    on = answer(relay, "hold", "on", "--yes", "--for", "1h")
    assert (on["state"], on["proof"]["holds"]) == ("on", True)
    assert {"ipv6-ptr-or-auth", "ptr-missing", "spf-fail"} <= set(on["causes"])
    assert outcome(refused) == "deferred"
    assert outcome(refused, sender="", author="bounce@sender.example") == "deferred"
    refused.receiver.says(UNKNOWN_USER)
    assert outcome(refused) == "bounced"
    refused.receiver.says(SPAM)
    assert outcome(refused) == "bounced"
    refused.receiver.says("")

    told = answer(relay, "hold")
    assert (told["state"], told["messages"], told["attempts"]) == ("on", 2, 2)
    assert {w["sender"] for w in told["waiting"]} == {"alice@sender.example", ""}
    assert answer(relay, "status", code=0)["hold"]["messages"] == 2
    assert "mailmend hold off" in relay.mailmend("status").stdout
    assert "a hold is in force" in answer(relay, "hold", "on", "--yes", code=4)["error"]["reason"]

    refused.dns.publish(
        "gmail-smtp-in.l.google.com A 198.51.100.27", "alt1.gmail-smtp-in.l.google.com A 198.51.100.27"
    )
    fixed = answer(relay, "fix", "--yes")
    assert (fixed["state"], fixed["hold"]["messages"]) == ("kept", 2)
    off = answer(relay, "hold", "off")
    assert [one["outcome"] for one in off["attempted"]] == ["delivered", "delivered"]
    assert (off["state"], off["in_force"]) == ("off", False)
    answer(relay, "undo")
    assert relay.read("/etc/postfix/main.cf") == before
    assert relay.run(["ls", "/etc/postfix/held_refusals"]).returncode != 0
    assert relay.run(["mailq"]).stdout.strip() == "Mail queue is empty"


def test_off_before_the_cure_says_what_bounced_and_why_and_off_twice_is_no_harm(refused: Any) -> None:
    relay = refused.relay
    answer(relay, "hold", "on", "--yes", "--for", "1h")
    assert outcome(refused) == "deferred"
    off = answer(relay, "hold", "off", code=1)
    assert [(one["outcome"], one["cause"]) for one in off["attempted"]] == [("bounced", "ipv6-ptr-or-auth")]
    again = answer(relay, "hold", "off")
    assert (again["state"], again["attempted"], again["in_force"]) == ("off", [], False)
    assert again["ended"].startswith("undo of ")


# ---- filters of the operator's own --------------------------------------------------------


def test_an_operators_filter_still_works_and_is_byte_for_byte_the_same_afterwards(lab: Any) -> None:
    own = {
        "smtp_delivery_status_filter": "regexp:/etc/postfix/own_filter",
        "default_delivery_status_filter": "",
    }
    extra = "slow unix - - n - - smtp\n  -o smtp_delivery_status_filter=regexp:/etc/postfix/own_filter\n"
    over_ipv6(lab, main=own, files={"own_filter": OPERATORS}, master_extra=extra)
    relay = lab.relay
    before = {name: relay.read(f"/etc/postfix/{name}") for name in ("main.cf", "master.cf", "own_filter")}
    on = answer(relay, "hold", "on", "--yes", "--for", "1h")
    assert any("slow/unix override" in cost for cost in on["plan"]["cost"])
    used = relay.run(["postconf", "-P", "slow/unix/smtp_delivery_status_filter"]).stdout
    assert "regexp:/etc/postfix/held_refusals,regexp:/etc/postfix/own_filter" in used
    assert outcome(lab) == "deferred"
    lab.receiver.says("550 5.7.9 in quarantine until a person has looked")
    assert outcome(lab) == "deferred"
    lab.receiver.says("")
    answer(relay, "hold", "off", code=1)
    assert {name: relay.read(f"/etc/postfix/{name}") for name in before} == before


def test_a_host_whose_every_refusal_is_soft_has_nothing_to_hold(lab: Any) -> None:
    over_ipv6(lab, main={"soft_bounce": "yes"})
    told = answer(lab.relay, "hold", "on", "--yes", code=4)
    assert "soft_bounce" in told["error"]["reason"]


# ---- bounds -------------------------------------------------------------------------------


def ended(relay: Any, seconds: float) -> dict[str, Any]:
    """What `mailmend hold` says once the filter is gone; fails where it is there for longer than *seconds*."""
    deadline = time.monotonic() + seconds
    while "held_refusals" in relay.read("/etc/postfix/main.cf"):
        assert time.monotonic() < deadline, "the hold is still in force"
        time.sleep(0.05)
    while (told := answer(relay, "hold"))["in_force"]:
        assert time.monotonic() < deadline + 5
    return told


def test_it_ends_within_five_seconds_of_its_time_and_leaves_the_mail_to_its_schedule(refused: Any) -> None:
    relay = refused.relay
    on = answer(relay, "hold", "on", "--yes", "--for", "9s")
    assert outcome(refused) == "deferred"
    left = (datetime.fromisoformat(on["until"]) - datetime.now(UTC)).total_seconds()
    told = ended(relay, max(left, 0) + 5)
    assert "its time was over" in told["ended"]
    assert told["messages"] == 1
    assert "the hold on refused mail ended by itself: its time was over" in relay.log()
    assert outcome(refused) == "bounced"
    # What waits is tried again when somebody says so.
    assert [one["outcome"] for one in answer(relay, "hold", "off", code=1)["attempted"]] == ["bounced"]


def test_it_ends_when_more_messages_wait_than_may(refused: Any) -> None:
    relay = refused.relay
    answer(relay, "hold", "on", "--yes", "--for", "1h", "--limit", "2")
    traces = refused.send(count=3)
    assert {a.status for a in refused.outcomes(traces).values()} == {"deferred"}
    told = ended(relay, 25)
    assert "3 messages were held, 2 may be" in told["ended"]


@pytest.mark.slow
def test_where_its_watcher_died_the_next_command_ends_it(refused: Any) -> None:
    relay = refused.relay
    on = answer(relay, "hold", "on", "--yes", "--for", "5s")
    watchers = relay.run(["pgrep", "-f", "mailmend hold watch"]).stdout.split()
    assert len(watchers) == 1
    relay.run(["kill", "-9", *watchers])
    left = (datetime.fromisoformat(on["until"]) - datetime.now(UTC)).total_seconds()
    time.sleep(max(left, 0) + 0.5)
    assert "held_refusals" in relay.read("/etc/postfix/main.cf")
    shown = relay.mailmend("status")
    assert "ended by itself: its time was over" in shown.stderr
    assert "held_refusals" not in relay.read("/etc/postfix/main.cf")


def test_where_its_watcher_died_the_next_command_starts_another(refused: Any) -> None:
    relay = refused.relay
    answer(relay, "hold", "on", "--yes", "--for", "1h")
    relay.run(["pkill", "-9", "-f", "mailmend hold watch"])
    assert relay.run(["pgrep", "-f", "mailmend hold watch"]).stdout == ""
    answer(relay, "status")
    assert relay.run(["pgrep", "-f", "mailmend hold watch"]).stdout.count("\n") == 1
    answer(relay, "hold", "off")


@pytest.mark.slow
def test_it_ends_when_refused_mail_was_offered_too_often(refused: Any) -> None:
    """One message, offered again and again: its number never grows."""
    relay = refused.relay
    answer(relay, "hold", "on", "--yes", "--for", "1h", "--limit", "1")
    trace = refused.send(count=1)
    assert [a.status for a in refused.outcomes(trace).values()] == ["deferred"]
    (waiting,) = answer(relay, "hold")["waiting"]
    said = next(line for line in relay.log().splitlines() if "status=deferred" in line)
    assert waiting["queue_id"] in said
    relay.write("/root/said", (said + "\n") * 20)
    relay.run(["sh", "-c", "cat /root/said >> /var/log/mail.log"])
    assert "offered 21 times, 20 may be" in ended(relay, 25)["ended"]
