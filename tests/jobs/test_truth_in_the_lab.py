"""What report and trace say of mail that a real Postfix delivered is what the servers at the other end saw of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from mailmend.model import CannotLook

pytestmark = pytest.mark.lab
Seen = Counter[tuple[str | None, str | None, str]]

LONG = {"enable_long_queue_ids": "yes"}
RENAMED = {"syslog_name": "out-going/mx1"}


def answer(relay: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = relay.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def begin(lab: Any, **settings: str) -> Any:
    lab.reset(main=settings)
    lab.relay.start()
    return lab.relay


def others_saw(lab: Any) -> Seen:
    """By receiver, family and what they answered; the lab's Google is the only one that judges."""
    saw: Seen = Counter()
    words = {"2": "sent", "4": "put off", "5": "bounced"}
    for receiver, server in (("google", lab.receiver), (None, lab.sender), (None, lab.elsewhere)):
        for each in server.received():
            saw[receiver, each.family, words[each.reply[0]]] += len(each.recipients)
    return saw


def told(report: dict[str, Any]) -> Seen:
    found: Seen = Counter()
    for row in report["deliveries"]:
        found[row["receiver"], row["family"], row["status"]] += row["count"]
    return found


def all_gone(relay: Any) -> None:
    """Until the queue is empty: then every outcome is in the log, but for the removal of the last."""
    for _ in range(200):
        if "Mail queue is empty" in relay.run(["postqueue", "-p"]).stdout:
            relay.run(["sleep", "0.3"])
            return
        relay.run(["sleep", "0.1"])
    raise TimeoutError(relay.run(["postqueue", "-p"]).stdout)


# ---- what did not happen ------------------------------------------------------------------


def test_mail_that_our_own_server_did_not_take_is_no_delivery(lab: Any) -> None:
    relay = begin(lab)
    for nobody in ("nobody@example.org", "x@not-ours.example"):
        with pytest.raises(CannotLook, match=r"5\d\d|4\d\d"):
            lab.send(to=nobody, count=1)
    lab.outcomes(lab.send(to="else@example.org", count=1))
    all_gone(relay)
    report = answer(relay, "report")
    assert sum(each["count"] for each in report["rejected"]) == 2
    assert told(report) == others_saw(lab)
    assert told(report).total() == 1
    rejected = answer(relay, "trace", "nobody@example.org")
    assert not rejected["messages"]
    assert len(rejected["rejected"]) == 1


# ---- what did -----------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, LONG, RENAMED | LONG], ids=["short ids", "long ids", "renamed"])
def test_sent_bounced_forwarded_and_the_bounces_of_these(lab: Any, settings: dict[str, str]) -> None:
    relay = begin(lab, **settings)
    traces = lab.send(count=60) + lab.send(to="else@example.org", count=3)
    lab.outcomes(traces)
    all_gone(relay)
    report = answer(relay, "report", code=1)
    saw = others_saw(lab)
    assert saw["google", "ipv4", "sent"] and saw["google", "ipv6", "bounced"]
    assert told(report) == saw
    assert report["unparsed"] == 0
    assert report["messages"] == len(traces) + saw["google", "ipv6", "bounced"]
    google = [row for row in report["deliveries"] if row["receiver"] == "google"]
    assert sum(row["forwarded"] for row in google) == 60
    assert {row["cause"] for row in google} == {None, "ipv6-ptr-or-auth"}
    assert {note["cause"] for note in report["findings"]} == {"ipv6-ptr-or-auth"}
    _each_is_traced(lab, traces[:4])


def _each_is_traced(lab: Any, traces: list[str]) -> None:
    by_trace = {each.trace: each for each in (*lab.receiver.received(), *lab.elsewhere.received())}
    for trace in traces:
        saw = by_trace[trace]
        first, *bounces = answer(lab.relay, "trace", f"<{trace}@sender.example>")["messages"]
        (recipient,) = first["recipients"]
        refused = saw.reply.startswith("5")
        assert recipient["severity"] == ("bounced" if refused else "delivered")
        (attempt,) = [event for event in first["events"] if event["kind"] == "attempt"]
        assert attempt["delivery"]["relay"]["family"] == saw.family
        assert [each["sender"] for each in bounces] == [""] * refused


def test_put_off_everywhere_and_sent_at_last(lab: Any) -> None:
    """As greylisting does it: over both families, in one attempt; then all is taken."""
    relay = begin(lab, smtp_address_preference="ipv4")
    lab.receiver.mode("tempfail")
    traces = lab.send(count=3)
    lab.outcomes(traces)
    report = answer(relay, "report")
    saw = others_saw(lab)
    assert saw["google", "ipv4", "put off"] == saw["google", "ipv6", "put off"] == 3  # two sessions each
    assert told(report) == {("google", "ipv6", "deferred"): 3}  # where it was tried last
    lab.receiver.says("250 2.0.0 OK")
    relay.run(["postqueue", "-f"])
    all_gone(relay)
    after = answer(relay, "report")
    assert told(after) - told(report) == {("google", "ipv4", "sent"): 3}
    assert not any("came back" in note["says"] for note in after["findings"])
    (life,) = answer(relay, "trace", f"{traces[0]}@sender.example")["messages"]
    assert [event["kind"] for event in life["events"]].count("attempt") == 2
    assert life["recipients"][0]["severity"] == "delivered"


def test_put_off_over_ipv4_and_refused_over_ipv6_within_one_attempt(lab: Any) -> None:
    relay = begin(lab, smtp_address_preference="ipv4")
    lab.receiver.mode("ipv4-tempfail")
    lab.outcomes(lab.send(count=4))
    all_gone(relay)
    report = answer(relay, "report", code=1)
    saw = others_saw(lab)
    assert saw["google", "ipv6", "bounced"] == 4
    assert told(report)["google", "ipv6", "bounced"] == 4
    assert told(report) == Counter({key: n for key, n in saw.items() if key[2] != "put off"})
    says = [note["says"] for note in report["findings"]]
    assert any("4 put off over IPv4" in each and "IPv6" in each for each in says), says


def test_put_off_over_ipv4_and_refused_over_ipv6_in_a_later_attempt(lab: Any) -> None:
    """IPv6 was away at first; when the message is tried again, it is the other way round."""
    relay = begin(lab, smtp_address_preference="ipv4", inet_protocols="ipv4")
    lab.receiver.mode("tempfail")
    traces = lab.send(count=2)
    lab.outcomes(traces)
    assert {o.status for o in lab.outcomes(traces).values()} == {"deferred"}
    lab.receiver.mode("ipv4-tempfail")
    relay.run(["postconf", "-e", "inet_protocols=all", "smtp_address_preference=ipv6"])
    relay.stop()
    relay.start()
    relay.run(["postqueue", "-f"])
    all_gone(relay)
    report = answer(relay, "report", code=1)
    assert told(report)["google", "ipv6", "bounced"] == 2
    assert told(report)["google", "ipv4", "deferred"] == 2
    says = [note["says"] for note in report["findings"]]
    assert any("2 put off over IPv4" in each for each in says), says
